// The few system calls that producers of evidence need, behind one interface, so that tests can put
// a machine of any kind underneath. Every call is one call: what is short, interrupted or busy is
// handled above (io.h).
#pragma once

#include <chrono>
#include <optional>

#include "enclave/base/bytes.h"

namespace keyclave::attest {

// A program to run. No shell is involved and nothing is searched for.
struct Command {
  std::vector<std::string> arguments;    // the first is the absolute path of the program
  std::vector<std::string> environment;  // NAME=value, in place of this process's own
  size_t max_output = 0;
  std::chrono::milliseconds timeout{0};
};

struct CommandOutcome {
  Bytes output;           // standard output
  std::string complaint;  // the end of standard error
  // As waitpid(2) gives it. Absent if somebody else in this process took it (a SIGCHLD handler that
  // waits for every child, or SIGCHLD ignored).
  std::optional<int> wait_status;
};

// What is not a failure is 0 or more; a failure is the negative errno.
class Host {
 public:
  virtual ~Host() = default;
  virtual int Open(const std::string& path, int flags) = 0;  // O_CLOEXEC is added
  virtual ssize_t Read(int fd, std::span<uint8_t> buffer) = 0;
  virtual ssize_t Write(int fd, ByteSpan bytes) = 0;
  virtual int Ioctl(int fd, unsigned long request, void* argument) = 0;
  virtual int Close(int fd) = 0;
  virtual int MakeFolder(const std::string& path) = 0;
  virtual int RemoveFolder(const std::string& path) = 0;
  virtual void Sleep(std::chrono::milliseconds time) = 0;
  virtual std::chrono::steady_clock::time_point Now() = 0;
  // Runs a program to its end. -ETIMEDOUT: it was killed when its time was up; -EFBIG: it was
  // killed because it wrote more than it may; any other: it could not be started. The outcome's
  // complaint is filled in each case. The program gets /dev/null as its input, no descriptor but
  // the three standard ones, default signal handling, and a process group of its own.
  virtual int Run(const Command& command, CommandOutcome& outcome) = 0;
};

// The operating system. Starts no thread, changes no signal handler, and waits for no child but its
// own: it works inside a stranger's process.
Host& SystemHost();

}  // namespace keyclave::attest
