#include "enclave/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace keyclave {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

Status WriteAndSync(const std::string& path, const Descriptor& file, ByteSpan bytes,
                    uint32_t mode) {
  if (fchmod(file.get(), mode) != 0) return ErrnoError(path);
  while (!bytes.empty()) {
    const ssize_t written = write(file.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoError(path);
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  if (fsync(file.get()) != 0) return ErrnoError(path);
  return Done{};
}

Status SyncDirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "."
                                : slash == 0               ? "/"
                                                           : path.substr(0, slash);
  const Descriptor opened(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened.get() < 0 || fsync(opened.get()) != 0) return ErrnoError(directory);
  return Done{};
}

constexpr int kCreateFlags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;

}  // namespace

Error ErrnoError(std::string_view what) {
  const int reason = errno;
  std::string detail(what);
  detail.append(": ").append(std::generic_category().message(reason));
  switch (reason) {
    case ENOENT:
    case ENOTDIR: return Fail(Code::kNotFound, std::move(detail));
    case EACCES:
    case EPERM: return Fail(Code::kPermissionDenied, std::move(detail));
    case ENOSPC:
    case EDQUOT: return Fail(Code::kStoreFull, std::move(detail));
    case EROFS: return Fail(Code::kStoreReadOnly, std::move(detail));
    default: return Fail(Code::kIo, std::move(detail));
  }
}

Result<Bytes> ReadFile(const std::string& path, size_t max) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return ErrnoError(path);
  Bytes bytes;
  std::array<uint8_t, 16384> buffer{};
  while (true) {
    const ssize_t got = read(file.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoError(path);
    if (got == 0) break;
    if (static_cast<size_t>(got) > max - bytes.size()) {
      Wipe(buffer);
      return Fail(Code::kTooLarge, path + ": more than " + std::to_string(max) + " bytes");
    }
    bytes.insert(bytes.end(), buffer.begin(), buffer.begin() + got);
  }
  Wipe(buffer);
  return bytes;
}

Status WriteNewFile(const std::string& path, ByteSpan bytes, uint32_t mode) {
  const Descriptor file(open(path.c_str(), kCreateFlags, 0600));
  if (file.get() < 0) return ErrnoError(path);
  Status written = WriteAndSync(path, file, bytes, mode);
  if (written.ok()) written = SyncDirectoryOf(path);
  if (!written.ok()) unlink(path.c_str());
  return written;
}

Status ReplaceFile(const std::string& path, ByteSpan bytes, uint32_t mode) {
  const std::string temporary = path + ".new";
  if (unlink(temporary.c_str()) != 0 && errno != ENOENT) return ErrnoError(temporary);
  const Descriptor file(open(temporary.c_str(), kCreateFlags, 0600));
  if (file.get() < 0) return ErrnoError(temporary);
  Status written = WriteAndSync(temporary, file, bytes, mode);
  if (written.ok() && rename(temporary.c_str(), path.c_str()) != 0) written = ErrnoError(path);
  if (!written.ok()) {
    unlink(temporary.c_str());
    return written;
  }
  return SyncDirectoryOf(path);
}

Status RenameFile(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) != 0) return ErrnoError(to);
  return SyncDirectoryOf(to);
}

}  // namespace keyclave
