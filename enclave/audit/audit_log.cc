#include "enclave/audit/audit_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "enclave/audit/audit_files.h"
#include "enclave/base/file.h"
#include "enclave/base/log.h"

namespace keyclave::audit {
namespace {

// For the record of one change, and what others write meanwhile.
constexpr off_t kRoom = off_t{64} << 10;  // bytes

}  // namespace

struct AuditLog::Impl {
  Impl(std::string where, const Clock& time, Sign signer, const LogSettings& how)
      : directory(std::move(where)), clock(time), sign(std::move(signer)), settings(how) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    if (fd >= 0) close(fd);
  }

  Status OpenNewest(const std::optional<Mark>& known) KC_REQUIRES(mutex);
  Status GoOnAfterBreak(const std::optional<Mark>& known) KC_REQUIRES(mutex);
  // Both read the file's chain; the size of its whole lines.
  Result<size_t> FollowFile(const std::string& path) KC_REQUIRES(mutex);
  Status Resume(const std::string& path) KC_REQUIRES(mutex);
  Status BeginFile() KC_REQUIRES(mutex);
  Status BeginFileIfFull() KC_REQUIRES(mutex);
  // `number`: of the last of them.
  Status Put(const std::vector<Record>& records, uint64_t* number = nullptr) KC_REQUIRES(mutex);
  Status WriteText(const std::string& text) KC_REQUIRES(mutex);
  // What became of a write, or of making sure of room, which a later write of less does not
  // disprove.
  Status Noted(Status status, bool of_room = false) KC_REQUIRES(mutex);

  const std::string directory;
  const Clock& clock;
  const Sign sign;
  const LogSettings settings;
  mutable Mutex mutex;
  int fd KC_GUARDED_BY(mutex) = -1;
  off_t size KC_GUARDED_BY(mutex) = 0;
  uint64_t file_number KC_GUARDED_BY(mutex) = 0;
  ChainEnd end KC_GUARDED_BY(mutex);
  Mark head KC_GUARDED_BY(mutex);  // the newest checkpoint; sequence 0: none
  std::string head_line KC_GUARDED_BY(mutex);
  uint64_t lost KC_GUARDED_BY(mutex) = 0;
  std::string no_write KC_GUARDED_BY(mutex);  // why not; empty: it could
  std::string no_room KC_GUARDED_BY(mutex);
};

// Where it stands is what the file's first line says: what is before it is checked by CheckSince,
// and by `audit verify`.
Result<size_t> AuditLog::Impl::FollowFile(const std::string& path) {
  bool first = true;
  return ForEachLine(path, [&](std::string_view text) KC_REQUIRES(mutex) -> Status {
    KC_ASSIGN(const Line line, ParseLine(text));
    if (first) end = {line.sequence, line.previous};
    first = false;
    KC_CHECK_OK(Follow(end, line));
    if (line.event != kCheckpointEvent) return Done{};
    head = {line.sequence, line.hash};
    head_line = text;
    return Done{};
  });
}

// A last line without its newline was never answered for (a crash while writing): it is cut off.
// Anything else that does not fit the chain is kAuditBroken.
Status AuditLog::Impl::Resume(const std::string& path) {
  KC_ASSIGN(const size_t whole, FollowFile(path));
  fd = open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return ErrnoError(path);
  if (ftruncate(fd, static_cast<off_t>(whole)) != 0) return ErrnoError(path);
  size = lseek(fd, 0, SEEK_END);
  return Done{};
}

Status AuditLog::Impl::OpenNewest(const std::optional<Mark>& known) {
  const std::vector<std::string> files = ListFiles(directory);
  if (files.empty()) {
    if (known.has_value()) KC_CHECK_OK(CheckSince(files, *known, end));
    return BeginFile();
  }
  KC_ASSIGN(file_number, FileNumber(files.back()));
  KC_CHECK_OK(Resume(files.back()));
  // A crash may leave a file without its first line: the chain goes on from the one before.
  if (size == 0 && files.size() > 1) {
    KC_ASSIGN(const size_t before, FollowFile(files[files.size() - 2]));
    if (before == 0)
      return Fail(Code::kAuditBroken,
                  files[files.size() - 2] + " is empty: its records were removed");
  }
  return known.has_value() ? CheckSince(files, *known, end) : Status();
}

Status AuditLog::Impl::GoOnAfterBreak(const std::optional<Mark>& known) {
  std::string why = "nothing is wrong with what is there";
  for (const std::string& path : ListFiles(directory)) {
    KC_ASSIGN(const uint64_t found, FileNumber(path));
    file_number = std::max(file_number, found);
    const auto followed = FollowFile(path);
    if (!followed.ok()) why = followed.error().Text();
  }
  if (known.has_value()) {
    const Status since = CheckSince(ListFiles(directory), *known, end);
    if (!since.ok()) why = since.error().Text();
  }
  const std::string last = std::to_string(end.next - 1);
  // No number is ever given twice.
  if (known.has_value() && known->sequence >= end.next)
    end = {known->sequence + 1, known->hash, true};
  KC_CHECK_OK(BeginFile());
  return Put({{"break",
               {{"why", why},
                {"last_found", last},
                {"remembered", known.has_value() ? std::to_string(known->sequence) : "none"}}}});
}

Status AuditLog::Impl::BeginFile() {
  const std::string path = directory + "/" + FileName(file_number + 1);
  KC_CHECK_OK(WriteNewFile(path, {}, 0640));
  const int opened = open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
  if (opened < 0) return ErrnoError(path);
  if (fd >= 0) close(fd);
  fd = opened;
  size = 0;
  ++file_number;
  return Done{};
}

Status AuditLog::Impl::BeginFileIfFull() {
  return static_cast<size_t>(size) > settings.max_file ? BeginFile() : Status();
}

// Whole, or nothing of it.
Status AuditLog::Impl::WriteText(const std::string& text) {
  ByteSpan rest = AsBytes(text);
  while (!rest.empty()) {
    const ssize_t written = write(fd, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) break;
    rest = rest.subspan(static_cast<size_t>(written));
  }
  if (rest.empty() && fdatasync(fd) == 0) {
    size += static_cast<off_t>(text.size());
    return Done{};
  }
  const Error reason = ErrnoError(directory);
  // Take back the half line, so that the next record begins on a line of its own.
  const bool undone = ftruncate(fd, size) == 0 && lseek(fd, size, SEEK_SET) == size;
  return Fail(Code::kAuditUnavailable, reason.Text() + (undone ? "" : " (a partial line remains)"));
}

Status AuditLog::Impl::Put(const std::vector<Record>& records, uint64_t* number) {
  const std::string time = FormatTime(clock.Now());
  std::string text;
  ChainEnd next = end;
  Mark newest = head;
  std::string newest_line = head_line;
  const auto add = [&](const Record& record) {
    BuiltLine built = BuildLine(next, time, record.event, record.fields);
    if (record.event == kCheckpointEvent) {
      newest = {next.next, built.end.hash};
      newest_line = built.text.substr(0, built.text.size() - 1);
    }
    next = std::move(built.end);
    text += built.text;
  };
  const auto add_checkpoint = [&]() -> Status {
    KC_ASSIGN(const Bytes signature, sign(CheckpointDigest(next)));
    add({std::string(kCheckpointEvent), {{"signature", ToBase64(signature)}}});
    return Done{};
  };
  if (size == 0 && next.next > 1) KC_CHECK_OK(add_checkpoint());
  if (lost != 0) add({"lost", {{"records", std::to_string(lost)}}});
  for (const Record& record : records) {
    if (record.event == kCheckpointEvent) {
      if (!next.is_checkpoint) KC_CHECK_OK(add_checkpoint());
      continue;
    }
    if (number != nullptr) *number = next.next;
    add(record);
  }
  if (next.next - newest.sequence > settings.checkpoint_every && !next.is_checkpoint)
    KC_CHECK_OK(add_checkpoint());
  KC_CHECK_OK(WriteText(text));
  end = std::move(next);
  head = std::move(newest);
  head_line = std::move(newest_line);
  lost = 0;
  return Done{};
}

Status AuditLog::Impl::Noted(Status status, bool of_room) {
  const bool was_good = no_write.empty() && no_room.empty();
  (of_room ? no_room : no_write) = status.ok() ? "" : status.error().Text();
  if (of_room && status.ok()) no_write.clear();
  const bool is_good = no_write.empty() && no_room.empty();
  if (was_good && !is_good)
    Log(LogLevel::kError,
        status.error().Text() + ": changes and releases are refused while this lasts");
  if (!was_good && is_good) Log(LogLevel::kInfo, "the audit log can be written again");
  return status;
}

AuditLog::AuditLog(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
AuditLog::~AuditLog() = default;

Result<std::unique_ptr<AuditLog>> AuditLog::Open(const std::string& directory, const Clock& clock,
                                                 Sign sign, const std::optional<Mark>& known,
                                                 const LogSettings& settings) {
  if (mkdir(directory.c_str(), 0750) != 0 && errno != EEXIST) return ErrnoError(directory);
  auto impl = std::make_unique<Impl>(directory, clock, std::move(sign), settings);
  {
    const MutexLock lock(impl->mutex);
    Status opened = impl->OpenNewest(known);
    if (!opened.ok()) return std::move(opened).error().In(directory);
  }
  return std::unique_ptr<AuditLog>(new AuditLog(std::move(impl)));
}

Result<std::unique_ptr<AuditLog>> AuditLog::OpenBroken(const std::string& directory,
                                                       const Clock& clock, Sign sign,
                                                       const std::optional<Mark>& known,
                                                       const LogSettings& settings) {
  if (mkdir(directory.c_str(), 0750) != 0 && errno != EEXIST) return ErrnoError(directory);
  auto impl = std::make_unique<Impl>(directory, clock, std::move(sign), settings);
  {
    const MutexLock lock(impl->mutex);
    Status opened = impl->GoOnAfterBreak(known);
    if (!opened.ok()) return std::move(opened).error().In(directory);
  }
  return std::unique_ptr<AuditLog>(new AuditLog(std::move(impl)));
}

Status AuditLog::Write(std::string_view event, const std::vector<Field>& fields) {
  KC_ASSIGN(const uint64_t number, WriteNumbered(event, fields));
  static_cast<void>(number);
  return Done{};
}

Result<uint64_t> AuditLog::WriteNumbered(std::string_view event, const std::vector<Field>& fields) {
  const MutexLock lock(impl_->mutex);
  uint64_t number = 0;
  Status written = impl_->BeginFileIfFull();
  if (written.ok()) written = impl_->Put({{std::string(event), fields}}, &number);
  if (!written.ok()) ++impl_->lost;
  KC_CHECK_OK(impl_->Noted(std::move(written)));
  return number;
}

Status AuditLog::WriteAll(const std::vector<Record>& records) {
  const MutexLock lock(impl_->mutex);
  Status written = impl_->BeginFileIfFull();
  if (written.ok()) written = impl_->Put(records);
  return impl_->Noted(std::move(written));
}

Status AuditLog::EnsureRoom() {
  const MutexLock lock(impl_->mutex);
  Status room = impl_->BeginFileIfFull();
  // A file system that cannot set room aside says so, and is then taken by its word.
  if (room.ok() && fallocate(impl_->fd, FALLOC_FL_KEEP_SIZE, impl_->size, kRoom) != 0 &&
      errno != EOPNOTSUPP && errno != ENOSYS) {
    room = ErrnoError(impl_->directory);
  }
  if (!room.ok() && room.code() != Code::kAuditUnavailable)
    room = Fail(Code::kAuditUnavailable, room.error().Text());
  return impl_->Noted(std::move(room), /*of_room=*/true);
}

Result<Bytes> AuditLog::SignDigest(ByteSpan digest) const { return impl_->sign(digest); }

Status AuditLog::Checkpoint() {
  const MutexLock lock(impl_->mutex);
  if (impl_->end.next == 1 || impl_->end.is_checkpoint) return Done{};
  Status written = impl_->BeginFileIfFull();
  if (written.ok()) written = impl_->Put({{std::string(kCheckpointEvent), {}}});
  return impl_->Noted(std::move(written));
}

Result<std::vector<std::string>> AuditLog::Read(uint64_t from, size_t limit) const {
  std::vector<std::string> files;
  {
    // The list and the sizes are those of now; what is appended meanwhile is simply not read.
    const MutexLock lock(impl_->mutex);
    files = ListFiles(impl_->directory);
  }
  std::vector<std::string> lines;
  for (const std::string& path : files) {
    KC_ASSIGN(const size_t read, ForEachLine(path, [&](std::string_view text) -> Status {
                if (lines.size() >= limit) return Done{};
                KC_ASSIGN(const Line line, ParseLine(text));
                if (line.sequence >= from) lines.emplace_back(text);
                return Done{};
              }));
    static_cast<void>(read);
    if (lines.size() >= limit) break;
  }
  return lines;
}

uint64_t AuditLog::next_sequence() const {
  const MutexLock lock(impl_->mutex);
  return impl_->end.next;
}

std::optional<Mark> AuditLog::head() const {
  const MutexLock lock(impl_->mutex);
  return impl_->head.sequence == 0 ? std::nullopt : std::optional(impl_->head);
}

std::string AuditLog::head_line() const {
  const MutexLock lock(impl_->mutex);
  return impl_->head_line;
}

uint64_t AuditLog::file_number() const {
  const MutexLock lock(impl_->mutex);
  return impl_->file_number;
}

std::string AuditLog::trouble() const {
  const MutexLock lock(impl_->mutex);
  return impl_->no_room.empty() ? impl_->no_write : impl_->no_room;
}

}  // namespace keyclave::audit
