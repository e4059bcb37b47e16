// The witness as a file of two slots, 4096 bytes apart, each with a mark and its HMAC. A new mark
// goes into the slot that does not hold the newest one and is on disk when Advance returns, so a
// crash in the middle leaves the older mark: the store is then newer than the witness, which the
// vault accepts. The file keeps its size, so a full disk does not stop it.
//
// With a counter, a mark names the value that the counter takes right after the mark is on disk. A
// crash in between leaves the counter one behind the newest mark, and it is counted on at the next
// start. Whatever is further apart was put back; and a counter that moved since our last mark
// counts for another enclave on a copy of this state: of those two only one can go on.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "enclave/base/file.h"
#include "enclave/keys/records.h"

namespace keyclave::keys {
namespace {

constexpr size_t kSlotSize = 4096;
constexpr size_t kSlots = 2;

class FileWitness final : public Witness {
 public:
  FileWitness(std::string path, SecretBytes key, std::shared_ptr<MonotonicCounter> counter)
      : path_(std::move(path)), key_(std::move(key)), counter_(std::move(counter)) {}
  ~FileWitness() override {
    if (fd_ >= 0) close(fd_);
  }
  FileWitness(const FileWitness&) = delete;
  FileWitness& operator=(const FileWitness&) = delete;

  std::string Name() const override {
    return counter_ == nullptr ? path_ : path_ + " and " + counter_->Name();
  }

  Result<Mark> Read() override KC_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    Status opened = OpenFile();
    if (!opened.ok() && opened.code() == Code::kNotFound)
      return Fail(Code::kWitnessMissing, path_ + std::string(kMissingHint));
    KC_CHECK_OK(opened);
    KC_CHECK_OK(ReadNewest());
    KC_CHECK_OK(CompareWithCounter());
    return newest_->mark;
  }

  Status Advance(const Mark& mark) override KC_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    Status opened = OpenFile();
    if (!opened.ok() && opened.code() == Code::kNotFound) return CreateFile(mark);
    KC_CHECK_OK(opened);
    // Somebody removed the file: marks written into it now would be gone with the last descriptor.
    struct stat info {};
    if (fstat(fd_, &info) != 0) return ErrnoError(path_);
    if (info.st_nlink == 0) return Fail(Code::kWitnessMissing, path_ + ": removed while in use");
    if (!newest_.has_value()) KC_CHECK_OK(ReadNewest());
    if (mark.epoch < newest_->mark.epoch)
      return Fail(Code::kInternal, path_ + ": a witness never goes back");
    KC_ASSIGN(const uint64_t next_count, NextCount());
    const CountedMark next{mark, next_count};
    const size_t slot = 1 - newest_slot_;
    Bytes block = EncodeMark(key_, next);
    block.resize(kSlotSize);
    KC_CHECK_OK(WriteAt(block, slot * kSlotSize));
    KC_CHECK_OK(CountTo(next.count));
    newest_ = next;
    newest_slot_ = slot;
    return Done{};
  }

 private:
  static constexpr std::string_view kMissingHint =
      ": put it back from where store.db came; if this store.db is certainly the newest, let "
      "keyclaved --accept-store make a new witness";

  Status OpenFile() KC_REQUIRES(mutex_) {
    if (fd_ >= 0) return Done{};
    fd_ = open(path_.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd_ < 0) return ErrnoError(path_);
    return Done{};
  }

  Status CreateFile(const Mark& mark) KC_REQUIRES(mutex_) {
    CountedMark first{mark, 0};
    if (counter_ != nullptr) {
      KC_ASSIGN(const uint64_t count, counter_->Read());
      first.count = count + 1;
    }
    Bytes file = EncodeMark(key_, first);
    file.resize(kSlots * kSlotSize);
    KC_CHECK_OK(WriteNewFile(path_, file, 0600));
    KC_CHECK_OK(CountTo(first.count));
    newest_ = first;
    newest_slot_ = 0;
    return OpenFile();
  }

  Status ReadNewest() KC_REQUIRES(mutex_) {
    newest_.reset();
    for (size_t slot = 0; slot < kSlots; ++slot) {
      Bytes bytes(kMarkSize);
      const ssize_t got = pread(fd_, bytes.data(), bytes.size(), SlotOffset(slot));
      if (got < 0) return ErrnoError(path_);
      const auto found = ParseMark(key_, ByteSpan(bytes).first(static_cast<size_t>(got)));
      if (!found.ok() || (newest_.has_value() && found->mark.epoch <= newest_->mark.epoch))
        continue;
      newest_ = *found;
      newest_slot_ = slot;
    }
    if (!newest_.has_value())
      return Fail(Code::kWitnessInvalid,
                  path_ +
                      ": it holds no mark of this enclave; put it back from where store.db "
                      "came");
    return Done{};
  }

  // At the start: the counter stands where the newest mark says, or a crash kept it one behind.
  Status CompareWithCounter() KC_REQUIRES(mutex_) {
    if (counter_ == nullptr) {
      if (newest_->count == 0) return Done{};
      return Fail(Code::kWitnessInvalid,
                  path_ +
                      ": it was made with a counter of the platform, which is missing from the "
                      "configuration now");
    }
    KC_ASSIGN(const uint64_t count, counter_->Read());
    if (count == newest_->count) return Done{};
    if (count + 1 == newest_->count) return CountTo(newest_->count);
    return Apart(count);
  }

  // The value for a mark after the newest one; 0 without a counter.
  Result<uint64_t> NextCount() KC_REQUIRES(mutex_) {
    if (counter_ == nullptr) return uint64_t{0};
    KC_ASSIGN(const uint64_t count, counter_->Read());
    // An increment whose answer was an error may have counted all the same.
    if (count != newest_->count && !(increment_failed_ && count == newest_->count + 1))
      return Apart(count);
    return count + 1;
  }

  // Counts to the value that a mark on disk names.
  Status CountTo(uint64_t wanted) KC_REQUIRES(mutex_) {
    if (counter_ == nullptr) return Done{};
    increment_failed_ = true;
    KC_ASSIGN(const uint64_t count, counter_->Increment());
    increment_failed_ = false;
    if (count == wanted) return Done{};
    return Apart(count);
  }

  Error Apart(uint64_t count) const KC_REQUIRES(mutex_) {
    const uint64_t marked = newest_.has_value() ? newest_->count : 0;
    const std::string both = counter_->Name() + " stands at " + std::to_string(count) + ", " +
                             path_ + " at " + std::to_string(marked);
    if (count < marked)
      return Fail(Code::kWitnessInvalid, both + ": this state was made with another counter");
    return Fail(Code::kStoreRolledBack,
                both +
                    ": this state is a copy of an older one, or another keyclaved runs on a copy "
                    "of it");
  }

  Status WriteAt(ByteSpan bytes, size_t offset) KC_REQUIRES(mutex_) {
    while (!bytes.empty()) {
      const ssize_t written = pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return ErrnoError(path_);
      bytes = bytes.subspan(static_cast<size_t>(written));
      offset += static_cast<size_t>(written);
    }
    if (fdatasync(fd_) != 0) return ErrnoError(path_);
    return Done{};
  }

  static off_t SlotOffset(size_t slot) { return static_cast<off_t>(slot * kSlotSize); }

  const std::string path_;
  const SecretBytes key_;
  const std::shared_ptr<MonotonicCounter> counter_;
  Mutex mutex_;
  int fd_ KC_GUARDED_BY(mutex_) = -1;
  std::optional<CountedMark> newest_ KC_GUARDED_BY(mutex_);
  size_t newest_slot_ KC_GUARDED_BY(mutex_) = 0;
  bool increment_failed_ KC_GUARDED_BY(mutex_) = false;
};

}  // namespace

std::unique_ptr<Witness> MakeFileWitness(std::string path, const SecretBytes& root_secret,
                                         std::shared_ptr<MonotonicCounter> counter) {
  return std::make_unique<FileWitness>(std::move(path), KeySchedule(root_secret).WitnessKey(),
                                       std::move(counter));
}

}  // namespace keyclave::keys
