// Programs that the command line starts, and waits for without sleeping.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "enclave/base/result.h"

namespace keyclave::ctl {

using Environment = std::vector<std::pair<std::string, std::string>>;

struct SpawnOptions {
  Environment environment;  // set beside what this process has
  std::vector<std::string> unset;
  int output = -1;                // becomes standard output and error; -1: this process's own
  bool no_input = false;          // standard input is /dev/null
  bool own_group = false;         // out of reach of the terminal's Ctrl-C
  bool ends_with_parent = false;  // gets SIGTERM when this process dies, however that happens
};

// A running program; when the object goes it is asked to end (SIGTERM), and made to (SIGKILL) after
// kPatience.
class Child {
 public:
  static constexpr std::chrono::seconds kPatience{10};

  // kNotFound, kPermissionDenied … if the program cannot be executed.
  static Result<Child> Spawn(const std::vector<std::string>& words, const SpawnOptions& options);
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  ~Child();

  pid_t pid() const { return pid_; }
  int pidfd() const { return pidfd_; }  // readable when the program has ended
  void Signal(int number) const;
  // Waits; its exit code, or 128 + the signal that ended it.
  int Wait();
  int Stop();

 private:
  Child(pid_t pid, int pidfd) : pid_(pid), pidfd_(pidfd) {}
  pid_t pid_ = -1;
  int pidfd_ = -1;
  int code_ = -1;
};

struct Captured {
  int code = 0;
  std::string output;  // standard output and error
};
// Runs a program to its end.
Result<Captured> RunCaptured(const std::vector<std::string>& words, const Environment& environment);

// Becomes another program; returns only if that fails. With a name without "/" the PATH is
// searched.
Error Become(const std::vector<std::string>& words, const Environment& environment);

// The last lines of a text, for error messages.
std::string Tail(std::string_view text, size_t lines);

}  // namespace keyclave::ctl
