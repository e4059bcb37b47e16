#include "enclave/ctl/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "enclave/base/file.h"

namespace keyclave::ctl {
namespace {

constexpr int kCannotExecute = 127;

std::vector<char*> Pointers(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (const std::string& word : words)
    pointers.push_back(const_cast<char*>(word.c_str()));  // NOLINT
  pointers.push_back(nullptr);
  return pointers;
}

void Apply(const Environment& environment) {
  for (const auto& [name, value] : environment) setenv(name.c_str(), value.c_str(), 1);
}

// In the child, between fork and exec. Writes errno to `report` if the program cannot be executed.
[[noreturn]] void BecomeChild(const std::vector<std::string>& words, const SpawnOptions& options,
                              pid_t parent, int report) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (options.own_group) setpgid(0, 0);
  if (options.ends_with_parent) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(kCannotExecute);  // it died before the line above
  }
  if (options.no_input) {
    const int null = open("/dev/null", O_RDONLY);
    if (null >= 0) dup2(null, STDIN_FILENO);
  }
  if (options.output >= 0) {
    dup2(options.output, STDOUT_FILENO);
    dup2(options.output, STDERR_FILENO);
  }
  Apply(options.environment);
  for (const std::string& name : options.unset) unsetenv(name.c_str());
  execvp(words[0].c_str(), Pointers(words).data());
  const int reason = errno;
  [[maybe_unused]] const ssize_t written = write(report, &reason, sizeof reason);
  _exit(kCannotExecute);
}

}  // namespace

Result<Child> Child::Spawn(const std::vector<std::string>& words, const SpawnOptions& options) {
  std::array<int, 2> report{};
  if (pipe2(report.data(), O_CLOEXEC) != 0) return ErrnoError("pipe");
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) BecomeChild(words, options, parent, report[1]);
  close(report[1]);
  if (pid < 0) {
    close(report[0]);
    return ErrnoError("fork");
  }
  // By number: glibc 2.36 declares pidfd_open without C linkage.
  Child child(pid, static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  int reason = 0;
  // The pipe closes unread when exec succeeds.
  const bool failed = read(report[0], &reason, sizeof reason) == sizeof reason;
  close(report[0]);
  if (failed) {
    child.Wait();
    errno = reason;
    return ErrnoError(words[0]);
  }
  if (child.pidfd_ < 0) return ErrnoError("pidfd_open");
  fcntl(child.pidfd_, F_SETFD, FD_CLOEXEC);
  return child;
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::exchange(other.pidfd_, -1)),
      code_(other.code_) {}

Child& Child::operator=(Child&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(pidfd_, other.pidfd_);
  std::swap(code_, other.code_);
  return *this;
}

Child::~Child() {
  if (pid_ > 0) Stop();
  if (pidfd_ >= 0) close(pidfd_);
}

void Child::Signal(int number) const {
  if (pid_ > 0) kill(pid_, number);
}

int Child::Wait() {
  if (pid_ <= 0) return code_;
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0) {
    if (errno != EINTR) break;
  }
  pid_ = -1;
  code_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return code_;
}

int Child::Stop() {
  if (pid_ <= 0) return code_;
  Signal(SIGTERM);
  pollfd ended{.fd = pidfd_, .events = POLLIN, .revents = 0};
  const auto patience = std::chrono::duration_cast<std::chrono::milliseconds>(kPatience);
  if (poll(&ended, 1, static_cast<int>(patience.count())) != 1) Signal(SIGKILL);
  return Wait();
}

Result<Captured> RunCaptured(const std::vector<std::string>& words,
                             const Environment& environment) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return ErrnoError("pipe");
  SpawnOptions options;
  options.environment = environment;
  options.output = ends[1];
  options.no_input = true;
  Result<Child> child = Child::Spawn(words, options);
  close(ends[1]);
  if (!child.ok()) {
    close(ends[0]);
    return std::move(child).error();
  }
  Captured captured;
  std::array<char, 4096> buffer{};
  while (true) {
    const ssize_t got = read(ends[0], buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    captured.output.append(buffer.data(), static_cast<size_t>(got));
  }
  close(ends[0]);
  captured.code = child->Wait();
  return captured;
}

Error Become(const std::vector<std::string>& words, const Environment& environment) {
  Apply(environment);
  execvp(words[0].c_str(), Pointers(words).data());
  return ErrnoError(words[0]);
}

std::string Tail(std::string_view text, size_t lines) {
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  size_t start = text.size();
  for (size_t i = 0; i < lines && start != std::string_view::npos; ++i) {
    if (start == 0) break;
    start = text.rfind('\n', start - 1);
  }
  return std::string(start == std::string_view::npos || start == 0 ? text : text.substr(start + 1));
}

}  // namespace keyclave::ctl
