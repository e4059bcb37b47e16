// The witness as a file of two slots, 4096 bytes apart, each with a mark and its HMAC. A new mark
// goes into the slot that does not hold the newest one and is on disk when Advance returns, so a
// crash in the middle leaves the older mark: the store is then newer than the witness, which the
// vault accepts. The file keeps its size, so a full disk does not stop it.
//
// The file may lie on a disk of the operator's that comes and goes: without it changes are refused,
// and it is opened anew when it is back, if it is still the one that holds our newest mark.
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
  // Of the keys the first one makes marks, and all of them are taken.
  FileWitness(std::string path, std::vector<SecretBytes> keys,
              std::shared_ptr<MonotonicCounter> counter)
      : path_(std::move(path)), counter_(std::move(counter)), keys_(std::move(keys)) {}
  ~FileWitness() override {
    if (fd_ >= 0) close(fd_);
  }
  FileWitness(const FileWitness&) = delete;
  FileWitness& operator=(const FileWitness&) = delete;

  std::string Name() const override {
    return counter_ == nullptr ? path_ : path_ + " and " + counter_->Name();
  }

  void UseGeneration(const SecretBytes& secret) override KC_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    keys_.insert(keys_.begin(), KeySchedule(secret).WitnessKey());
  }

  Result<Mark> Read() override KC_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    KC_CHECK_OK(OpenToRead());
    KC_CHECK_OK(ReadNewest());
    KC_CHECK_OK(CompareWithCounter());
    return newest_->mark;
  }

  Result<Mark> Look() override KC_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    LetGoOfAnother();
    KC_CHECK_OK(OpenToRead());
    KC_ASSIGN(const Found found, FindNewest());
    if (counter_ == nullptr && found.mark.count == 0) return found.mark.mark;
    if (counter_ == nullptr) return CounterGone();
    KC_ASSIGN(const uint64_t count, counter_->Read());
    if (count == found.mark.count || count + 1 == found.mark.count) return found.mark.mark;
    return Apart(count, found.mark.count);
  }

  Status Advance(const Mark& mark) override KC_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    LetGoOfAnother();
    Status opened = OpenFile();
    if (!opened.ok() && opened.code() == Code::kNotFound) {
      if (!newest_.has_value()) return CreateFile(mark);
      return Fail(Code::kWitnessMissing,
                  path_ +
                      ": it was there when the daemon started; changes are refused until it "
                      "is back (is its disk mounted?)");
    }
    KC_CHECK_OK(opened);
    if (!newest_.has_value()) {
      KC_CHECK_OK(ReadNewest());
    } else if (!recognised_) {
      KC_CHECK_OK(Recognise(mark));
    }
    if (mark.epoch < newest_->mark.epoch)
      return Fail(Code::kInternal, path_ + ": a witness never goes back");
    KC_ASSIGN(const uint64_t next_count, NextCount());
    const CountedMark next{mark, next_count};
    const size_t slot = 1 - newest_slot_;
    Bytes block = EncodeMark(keys_.front(), next);
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
    recognised_ = false;
    return Done{};
  }

  Status OpenToRead() KC_REQUIRES(mutex_) {
    const Status opened = OpenFile();
    if (!opened.ok() && opened.code() == Code::kNotFound)
      return Fail(Code::kWitnessMissing, path_ + std::string(kMissingHint));
    return opened;
  }

  // Closes the file if its name no longer leads to it: marks written into it now would be gone with
  // the last descriptor, or hidden below another file system.
  void LetGoOfAnother() KC_REQUIRES(mutex_) {
    if (fd_ < 0) return;
    struct stat mine {};
    struct stat named {};
    if (fstat(fd_, &mine) == 0 && lstat(path_.c_str(), &named) == 0 &&
        mine.st_dev == named.st_dev && mine.st_ino == named.st_ino)
      return;
    close(std::exchange(fd_, -1));
  }

  // A file that has come back: it must hold our newest mark, or the one that is to be written now
  // and was under way when it went.
  Status Recognise(const Mark& next) KC_REQUIRES(mutex_) {
    const Result<Found> found = FindNewest();
    const auto is = [&](const Mark& mark) {
      return found->mark.mark.epoch == mark.epoch &&
             Equal(found->mark.mark.head_digest, mark.head_digest);
    };
    recognised_ = found.ok() && (is(newest_->mark) || is(next));
    if (recognised_) {
      // What was under way is written once more, into the same slot.
      newest_slot_ = is(newest_->mark) ? found->slot : 1 - found->slot;
      return Done{};
    }
    close(std::exchange(fd_, -1));
    if (!found.ok()) return found.error();
    return Fail(Code::kWitnessInvalid, path_ + ": the file that is there now stands at epoch " +
                                           std::to_string(found->mark.mark.epoch) +
                                           ", the one that was there at " +
                                           std::to_string(newest_->mark.epoch));
  }

  Status CreateFile(const Mark& mark) KC_REQUIRES(mutex_) {
    CountedMark first{mark, 0};
    if (counter_ != nullptr) {
      KC_ASSIGN(const uint64_t count, counter_->Read());
      first.count = count + 1;
    }
    Bytes file = EncodeMark(keys_.front(), first);
    file.resize(kSlots * kSlotSize);
    KC_CHECK_OK(WriteNewFile(path_, file, 0600));
    KC_CHECK_OK(CountTo(first.count));
    newest_ = first;
    newest_slot_ = 0;
    return OpenFile();
  }

  Status ReadNewest() KC_REQUIRES(mutex_) {
    newest_.reset();
    KC_ASSIGN(const Found found, FindNewest());
    newest_ = found.mark;
    newest_slot_ = found.slot;
    recognised_ = true;
    return Done{};
  }

  struct Found {
    CountedMark mark;
    size_t slot = 0;
  };
  Result<Found> FindNewest() KC_REQUIRES(mutex_) {
    std::optional<Found> newest;
    for (size_t slot = 0; slot < kSlots; ++slot) {
      Bytes bytes(kMarkSize);
      const ssize_t got = pread(fd_, bytes.data(), bytes.size(), SlotOffset(slot));
      if (got < 0) return ErrnoError(path_);
      const auto found = ParseMarkOfAny(ByteSpan(bytes).first(static_cast<size_t>(got)));
      if (!found.ok() || (newest.has_value() && found->mark.epoch <= newest->mark.mark.epoch))
        continue;
      newest = Found{*found, slot};
    }
    if (!newest.has_value())
      return Fail(Code::kWitnessInvalid,
                  path_ +
                      ": it holds no mark of this enclave; put it back from where store.db "
                      "came");
    return *newest;
  }

  Result<CountedMark> ParseMarkOfAny(ByteSpan bytes) KC_REQUIRES(mutex_) {
    Result<CountedMark> found = ParseMark(keys_.front(), bytes);
    for (size_t i = 1; i < keys_.size() && !found.ok(); ++i) found = ParseMark(keys_[i], bytes);
    return found;
  }

  // At the start: the counter stands where the newest mark says, or a crash kept it one behind.
  Status CompareWithCounter() KC_REQUIRES(mutex_) {
    if (counter_ == nullptr) {
      if (newest_->count == 0) return Done{};
      return CounterGone();
    }
    KC_ASSIGN(const uint64_t count, counter_->Read());
    if (count == newest_->count) return Done{};
    if (count + 1 == newest_->count) return CountTo(newest_->count);
    return Apart(count, newest_->count);
  }

  // The value for a mark after the newest one; 0 without a counter.
  Result<uint64_t> NextCount() KC_REQUIRES(mutex_) {
    if (counter_ == nullptr) return uint64_t{0};
    KC_ASSIGN(const uint64_t count, counter_->Read());
    // An increment whose answer was an error may have counted all the same.
    if (count != newest_->count && !(increment_failed_ && count == newest_->count + 1))
      return Apart(count, newest_->count);
    return count + 1;
  }

  // Counts to the value that a mark on disk names.
  Status CountTo(uint64_t wanted) KC_REQUIRES(mutex_) {
    if (counter_ == nullptr) return Done{};
    increment_failed_ = true;
    KC_ASSIGN(const uint64_t count, counter_->Increment());
    increment_failed_ = false;
    if (count == wanted) return Done{};
    return Apart(count, newest_.has_value() ? newest_->count : 0);
  }

  Error CounterGone() const {
    return Fail(Code::kWitnessInvalid,
                path_ +
                    ": it was made with a counter of the platform, which is missing from the "
                    "configuration now");
  }

  Error Apart(uint64_t count, uint64_t marked) const {
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
  const std::shared_ptr<MonotonicCounter> counter_;
  Mutex mutex_;
  std::vector<SecretBytes> keys_ KC_GUARDED_BY(mutex_);
  int fd_ KC_GUARDED_BY(mutex_) = -1;
  std::optional<CountedMark> newest_ KC_GUARDED_BY(mutex_);
  size_t newest_slot_ KC_GUARDED_BY(mutex_) = 0;
  bool recognised_ KC_GUARDED_BY(mutex_) = false;  // the open file is the one of newest_
  bool increment_failed_ KC_GUARDED_BY(mutex_) = false;
};

}  // namespace

std::unique_ptr<Witness> MakeFileWitness(std::string path, const RootKeyring& keyring,
                                         std::shared_ptr<MonotonicCounter> counter) {
  std::vector<SecretBytes> keys;
  for (auto one = keyring.secrets.rbegin(); one != keyring.secrets.rend(); ++one) {
    if (one->first >= keyring.oldest) keys.push_back(KeySchedule(one->second).WitnessKey());
  }
  return std::make_unique<FileWitness>(std::move(path), std::move(keys), std::move(counter));
}

}  // namespace keyclave::keys
