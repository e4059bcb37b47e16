#include "tests/fakes/fake_host.h"

#include <cstdlib>

namespace keyclave::fakes {

int FakeHost::Enter(Call call, const std::string& path) {
  ++calls_[call];
  for (Fault& fault : faults_) {
    if (fault.call != call || fault.times == 0 || !path.ends_with(fault.path_end)) continue;
    --fault.times;
    return -fault.error;
  }
  return 0;
}

int FakeHost::Open(const std::string& path, int flags) {
  if (const int failed = Enter(Call::kOpen, path); failed != 0) return failed;
  last_open_flags_ = flags;
  for (FakeInterface* interface : interfaces_) {
    std::unique_ptr<FakeFile> file;
    const int result = interface->Open(path, flags, file);
    if (result == -ENOENT) continue;
    if (result < 0) return result;
    files_[next_fd_] = {path, std::move(file)};
    return next_fd_++;
  }
  return -ENOENT;
}

ssize_t FakeHost::Read(int fd, std::span<uint8_t> buffer) {
  if (!files_.contains(fd)) return -EBADF;
  if (const int failed = Enter(Call::kRead, files_[fd].path); failed != 0) return failed;
  return files_[fd].file->Read(buffer.first(std::min(buffer.size(), most_at_once)));
}

ssize_t FakeHost::Write(int fd, ByteSpan bytes) {
  if (!files_.contains(fd)) return -EBADF;
  if (const int failed = Enter(Call::kWrite, files_[fd].path); failed != 0) return failed;
  return files_[fd].file->Write(bytes.first(std::min(bytes.size(), most_at_once)));
}

int FakeHost::Ioctl(int fd, unsigned long request, void* argument) {
  if (!files_.contains(fd)) return -EBADF;
  if (const int failed = Enter(Call::kIoctl, files_[fd].path); failed != 0) return failed;
  return files_[fd].file->Ioctl(request, argument);
}

int FakeHost::Close(int fd) {
  // A descriptor that is closed twice would, in a real process, be somebody else's.
  if (!files_.contains(fd)) std::abort();
  const OpenOne one = std::move(files_[fd]);
  files_.erase(fd);
  const int failed = Enter(Call::kClose, one.path);
  const int closed = one.file->Close();
  return failed != 0 ? failed : closed;
}

int FakeHost::MakeFolder(const std::string& path) {
  if (const int failed = Enter(Call::kMakeFolder, path); failed != 0) return failed;
  for (FakeInterface* interface : interfaces_) {
    const int result = interface->MakeFolder(path);
    if (result != -ENOENT) return result;
  }
  return -ENOENT;
}

int FakeHost::RemoveFolder(const std::string& path) {
  if (const int failed = Enter(Call::kRemoveFolder, path); failed != 0) return failed;
  for (FakeInterface* interface : interfaces_) {
    const int result = interface->RemoveFolder(path);
    if (result != -ENOENT) return result;
  }
  return -ENOENT;
}

ssize_t ReadableFile::Read(std::span<uint8_t> buffer) {
  const auto part =
      std::span(content_).subspan(at_, std::min(buffer.size(), content_.size() - at_));
  std::copy(part.begin(), part.end(), buffer.begin());
  at_ += part.size();
  return static_cast<ssize_t>(part.size());
}

int FakeFiles::Open(const std::string& path, int /*flags*/, std::unique_ptr<FakeFile>& file) {
  const auto found = content.find(path);
  if (found == content.end()) return -ENOENT;
  file = std::make_unique<ReadableFile>(found->second);
  return 0;
}

}  // namespace keyclave::fakes
