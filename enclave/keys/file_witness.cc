// The witness of a simulated enclave: a file of two slots, 4096 bytes apart, each with a mark and
// its HMAC. A new mark goes into the slot that does not hold the newest one and is on disk when
// Advance returns, so a crash in the middle leaves the older mark: the store is then newer than the
// witness, which the vault accepts. The file keeps its size, so a full disk does not stop it.
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
  FileWitness(std::string path, SecretBytes key) : path_(std::move(path)), key_(std::move(key)) {}
  ~FileWitness() override {
    if (fd_ >= 0) close(fd_);
  }
  FileWitness(const FileWitness&) = delete;
  FileWitness& operator=(const FileWitness&) = delete;

  std::string Name() const override { return path_; }

  Result<Mark> Read() override KC_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    Status opened = OpenFile();
    if (!opened.ok() && opened.code() == Code::kNotFound)
      return Fail(Code::kWitnessMissing, path_ + std::string(kMissingHint));
    KC_CHECK_OK(opened);
    return ReadNewest();
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
    if (!newest_.has_value()) {
      const Result<Mark> found = ReadNewest();
      if (!found.ok()) return found.error();
    }
    if (mark.epoch < newest_->epoch)
      return Fail(Code::kInternal, path_ + ": a witness never goes back");
    const size_t slot = 1 - newest_slot_;
    Bytes block = EncodeMark(key_, mark);
    block.resize(kSlotSize);
    KC_CHECK_OK(WriteAt(block, slot * kSlotSize));
    newest_ = mark;
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
    Bytes file = EncodeMark(key_, mark);
    file.resize(kSlots * kSlotSize);
    KC_CHECK_OK(WriteNewFile(path_, file, 0600));
    newest_ = mark;
    newest_slot_ = 0;
    return OpenFile();
  }

  Result<Mark> ReadNewest() KC_REQUIRES(mutex_) {
    newest_.reset();
    for (size_t slot = 0; slot < kSlots; ++slot) {
      Bytes bytes(kMarkSize);
      const ssize_t got = pread(fd_, bytes.data(), bytes.size(), SlotOffset(slot));
      if (got < 0) return ErrnoError(path_);
      const Result<Mark> mark = ParseMark(key_, ByteSpan(bytes).first(static_cast<size_t>(got)));
      if (!mark.ok() || (newest_.has_value() && mark->epoch <= newest_->epoch)) continue;
      newest_ = *mark;
      newest_slot_ = slot;
    }
    if (!newest_.has_value())
      return Fail(Code::kWitnessInvalid,
                  path_ +
                      ": it holds no mark of this enclave; put it back from where store.db "
                      "came");
    return *newest_;
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
  Mutex mutex_;
  int fd_ KC_GUARDED_BY(mutex_) = -1;
  std::optional<Mark> newest_ KC_GUARDED_BY(mutex_);
  size_t newest_slot_ KC_GUARDED_BY(mutex_) = 0;
};

}  // namespace

std::unique_ptr<Witness> MakeFileWitness(std::string path, const SecretBytes& root_secret) {
  return std::make_unique<FileWitness>(std::move(path), KeySchedule(root_secret).WitnessKey());
}

}  // namespace keyclave::keys
