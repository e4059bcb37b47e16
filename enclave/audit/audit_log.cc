#include "enclave/audit/audit_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "enclave/audit/line.h"
#include "enclave/base/file.h"
#include "enclave/base/hash.h"

namespace keyclave::audit {
namespace {

constexpr size_t kMaxFileSize = size_t{64} << 20;  // bytes; then the next file begins
constexpr size_t kMaxReadSize = size_t{80} << 20;

std::string FileName(uint64_t number) {
  std::string digits = std::to_string(number);
  return std::string(8 - std::min<size_t>(8, digits.size()), '0') + digits + ".jsonl";
}

// The log's files in order: 00000001.jsonl, 00000002.jsonl …
std::vector<std::string> ListFiles(const std::string& directory) {
  std::vector<std::string> files;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) {
    if (entry.path().extension() == ".jsonl") files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

struct AuditLog::Impl {
  Impl(std::string where, const Clock& time, Sign signer)
      : directory(std::move(where)), clock(time), sign(std::move(signer)) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    if (fd >= 0) close(fd);
  }

  Status OpenNewest() KC_REQUIRES(mutex);
  Status Resume(const std::string& path) KC_REQUIRES(mutex);
  Status BeginFile() KC_REQUIRES(mutex);
  Status Append(std::string_view event, const std::vector<Field>& fields) KC_REQUIRES(mutex);

  const std::string directory;
  const Clock& clock;
  const Sign sign;
  mutable Mutex mutex;
  int fd KC_GUARDED_BY(mutex) = -1;
  off_t size KC_GUARDED_BY(mutex) = 0;
  uint64_t file_number KC_GUARDED_BY(mutex) = 0;
  ChainEnd end KC_GUARDED_BY(mutex);
};

// Reads the newest file to its end. A last line without its newline was never answered for (a crash
// while writing): it is cut off. Anything else that does not fit the chain is kAuditBroken.
Status AuditLog::Impl::Resume(const std::string& path) {
  KC_ASSIGN(const Bytes content, ReadFile(path, kMaxReadSize));
  std::string_view text = AsText(content);
  const size_t whole = text.rfind('\n') == std::string_view::npos ? 0 : text.rfind('\n') + 1;
  text = text.substr(0, whole);
  bool first = true;
  while (!text.empty()) {
    const size_t newline = text.find('\n');
    KC_ASSIGN(const Line line, ParseLine(text.substr(0, newline)));
    if (first) {
      // Older files are checked by `audit verify`; here the chain starts with what this file's
      // first line says.
      end = {line.sequence, line.previous};
      first = false;
    }
    KC_CHECK_OK(Follow(end, line));
    text.remove_prefix(newline + 1);
  }
  fd = open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return ErrnoError(path);
  if (ftruncate(fd, static_cast<off_t>(whole)) != 0) return ErrnoError(path);
  size = lseek(fd, 0, SEEK_END);
  return Done{};
}

Status AuditLog::Impl::OpenNewest() {
  const std::vector<std::string> files = ListFiles(directory);
  if (files.empty()) return BeginFile();
  const std::string stem = std::filesystem::path(files.back()).stem().string();
  if (stem.empty() || stem.find_first_not_of("0123456789") != std::string::npos ||
      stem.size() > 18) {
    return Fail(Code::kAuditBroken, files.back() + " is no audit file");
  }
  file_number = std::stoull(stem);
  if (files.size() > 1 && std::filesystem::file_size(files.back()) == 0) {
    return Fail(Code::kAuditBroken, files.back() + " is empty: its records were removed");
  }
  return Resume(files.back());
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

Status AuditLog::Impl::Append(std::string_view event, const std::vector<Field>& fields) {
  const BuiltLine built = BuildLine(end, FormatTime(clock.Now()), event, fields);
  if (static_cast<size_t>(size) > kMaxFileSize) KC_CHECK_OK(BeginFile());
  ByteSpan rest = AsBytes(built.text);
  while (!rest.empty()) {
    const ssize_t written = write(fd, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) break;
    rest = rest.subspan(static_cast<size_t>(written));
  }
  if (!rest.empty() || fdatasync(fd) != 0) {
    const Error reason = ErrnoError(directory);
    // Take back the half line, so that the next record begins on a line of its own.
    const bool undone = ftruncate(fd, size) == 0 && lseek(fd, size, SEEK_SET) == size;
    return Fail(Code::kAuditUnavailable,
                reason.Text() + (undone ? "" : " (a partial line remains)"));
  }
  size += static_cast<off_t>(built.text.size());
  end = built.end;
  return Done{};
}

AuditLog::AuditLog(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
AuditLog::~AuditLog() = default;

Result<std::unique_ptr<AuditLog>> AuditLog::Open(const std::string& directory, const Clock& clock,
                                                 Sign sign) {
  if (mkdir(directory.c_str(), 0750) != 0 && errno != EEXIST) return ErrnoError(directory);
  auto impl = std::make_unique<Impl>(directory, clock, std::move(sign));
  {
    const MutexLock lock(impl->mutex);
    Status opened = impl->OpenNewest();
    if (!opened.ok()) return std::move(opened).error().In(directory);
  }
  return std::unique_ptr<AuditLog>(new AuditLog(std::move(impl)));
}

Status AuditLog::Write(std::string_view event, const std::vector<Field>& fields) {
  const MutexLock lock(impl_->mutex);
  return impl_->Append(event, fields);
}

Result<uint64_t> AuditLog::WriteNumbered(std::string_view event, const std::vector<Field>& fields) {
  const MutexLock lock(impl_->mutex);
  const uint64_t sequence = impl_->end.next;
  KC_CHECK_OK(impl_->Append(event, fields));
  return sequence;
}

Result<Bytes> AuditLog::SignDigest(ByteSpan digest) const { return impl_->sign(digest); }

Status AuditLog::Checkpoint() {
  const MutexLock lock(impl_->mutex);
  if (impl_->end.next == 1 || impl_->end.is_checkpoint) return Done{};
  KC_ASSIGN(const Bytes signature, impl_->sign(CheckpointDigest(impl_->end)));
  return impl_->Append(kCheckpointEvent, {{"signature", ToBase64(signature)}});
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
    KC_ASSIGN(const Bytes content, ReadFile(path, kMaxReadSize));
    std::string_view text = AsText(content);
    while (lines.size() < limit) {
      const size_t newline = text.find('\n');
      if (newline == std::string_view::npos) break;
      KC_ASSIGN(const Line line, ParseLine(text.substr(0, newline)));
      if (line.sequence >= from) lines.emplace_back(text.substr(0, newline));
      text.remove_prefix(newline + 1);
    }
    if (lines.size() >= limit) break;
  }
  return lines;
}

uint64_t AuditLog::next_sequence() const {
  const MutexLock lock(impl_->mutex);
  return impl_->end.next;
}

}  // namespace keyclave::audit
