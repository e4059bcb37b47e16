#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "attest/produce/host.h"
#include "attest/produce/run_command.h"

namespace keyclave::attest {
namespace {

constexpr mode_t kFolderMode = 0700;

template <class T>
T OrErrno(T result) {
  return result < 0 ? static_cast<T>(-errno) : result;
}

class OperatingSystem final : public Host {
 public:
  int Open(const std::string& path, int flags) override {
    return OrErrno(open(path.c_str(), flags | O_CLOEXEC));
  }
  ssize_t Read(int fd, std::span<uint8_t> buffer) override {
    return OrErrno(read(fd, buffer.data(), buffer.size()));
  }
  ssize_t Write(int fd, ByteSpan bytes) override {
    return OrErrno(write(fd, bytes.data(), bytes.size()));
  }
  int Ioctl(int fd, unsigned long request, void* argument) override {
    return OrErrno(ioctl(fd, request, argument));
  }
  int Close(int fd) override { return OrErrno(close(fd)); }
  int MakeFolder(const std::string& path) override {
    return OrErrno(mkdir(path.c_str(), kFolderMode));
  }
  int RemoveFolder(const std::string& path) override { return OrErrno(rmdir(path.c_str())); }
  void Sleep(std::chrono::milliseconds time) override {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time);
    const timespec wanted = {.tv_sec = seconds.count(),
                             .tv_nsec = std::chrono::nanoseconds(time - seconds).count()};
    nanosleep(&wanted, nullptr);  // woken early by a signal: whoever waits looks at the clock
  }
  std::chrono::steady_clock::time_point Now() override { return std::chrono::steady_clock::now(); }
  int Run(const Command& command, CommandOutcome& outcome) override {
    return RunCommand(command, outcome);
  }
};

}  // namespace

Host& SystemHost() {
  static OperatingSystem& host = *new OperatingSystem;  // no destructor runs at exit
  return host;
}

}  // namespace keyclave::attest
