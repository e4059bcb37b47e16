#include "enclave/base/file_pieces.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "enclave/base/file.h"

namespace keyclave {
namespace {

struct Close {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

}  // namespace

Status ReadInPieces(const std::string& path, size_t piece,
                    const std::function<Status(ByteSpan bytes, bool last)>& take) {
  const std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "rbe"));
  if (file == nullptr) return ErrnoError(path);
  Bytes bytes(piece);
  for (bool last = false; !last;) {
    const size_t got = std::fread(bytes.data(), 1, bytes.size(), file.get());
    if (std::ferror(file.get()) != 0) return ErrnoError(path);
    const int next = std::fgetc(file.get());
    last = next == EOF;
    if (!last) std::ungetc(next, file.get());
    KC_CHECK_OK(take(ByteSpan(bytes).first(got), last));
  }
  return Done{};
}

Result<std::unique_ptr<NewFile>> NewFile::Create(const std::string& path) {
  if (access(path.c_str(), F_OK) == 0)
    return Fail(Code::kInvalidArgument, path + " is there already");
  auto file = std::unique_ptr<NewFile>(new NewFile(path));
  if (unlink(file->part_.c_str()) != 0 && errno != ENOENT) return ErrnoError(file->part_);
  file->fd_ = open(file->part_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file->fd_ < 0) return ErrnoError(file->part_);
  return file;
}

NewFile::~NewFile() {
  if (fd_ < 0) return;
  close(fd_);
  unlink(part_.c_str());
}

Status NewFile::Write(ByteSpan bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoError(part_);
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return Done{};
}

Status NewFile::Keep() {
  if (fsync(fd_) != 0) return ErrnoError(part_);
  KC_CHECK_OK(RenameFile(part_, path_));
  close(std::exchange(fd_, -1));
  return Done{};
}

}  // namespace keyclave
