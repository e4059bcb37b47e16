#include "attest/produce/run_command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

extern char** environ;

namespace keyclave::attest {
namespace {

using std::chrono::milliseconds;
using SteadyTime = std::chrono::steady_clock::time_point;

constexpr int kFirstOwn = 3;  // below are the standard descriptors
constexpr size_t kMaxComplaint = 512;
constexpr size_t kChunk = 4096;
constexpr size_t kPipe = 65536;      // pipe(7)
constexpr milliseconds kGlance{20};  // between looks at whether the program has ended

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) {
      Close();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { Close(); }
  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  void Close() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }

 private:
  int fd_ = -1;
};

struct Pipe {
  Descriptor ours;
  Descriptor theirs;

  int Make() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return -errno;
    ours = Descriptor(ends[0]);
    const Descriptor low(ends[1]);
    // In a process whose standard descriptors are closed a pipe may be one of them, and the
    // program's would be made on top of it.
    theirs = Descriptor(fcntl(low.get(), F_DUPFD_CLOEXEC, kFirstOwn));
    if (!theirs.is_open()) return -errno;
    // Only this end: the other belongs to an open file of its own.
    if (fcntl(ours.get(), F_SETFL, O_NONBLOCK) != 0) return -errno;
    return 0;
  }
};

// posix_spawn(3)'s two sets of wishes.
class Wishes {
 public:
  Wishes() {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
  }
  Wishes(const Wishes&) = delete;
  Wishes& operator=(const Wishes&) = delete;
  ~Wishes() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }

  int State(const Pipe& output, const Pipe& complaint) {
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    constexpr short kFlags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    for (const int failed :
         {posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0),
          posix_spawn_file_actions_adddup2(&actions_, output.theirs.get(), STDOUT_FILENO),
          posix_spawn_file_actions_adddup2(&actions_, complaint.theirs.get(), STDERR_FILENO),
          posix_spawn_file_actions_addclosefrom_np(&actions_, kFirstOwn),
          posix_spawnattr_setflags(&attributes_, kFlags),
          posix_spawnattr_setpgroup(&attributes_, 0),
          posix_spawnattr_setsigmask(&attributes_, &none),
          posix_spawnattr_setsigdefault(&attributes_, &all)}) {
      if (failed != 0) return -failed;
    }
    return 0;
  }
  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

std::string_view NameOf(std::string_view assignment) {
  return assignment.substr(0, assignment.find('='));
}

// The texts as exec wants them; valid as long as they are.
std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> EnvironmentWith(const std::vector<std::string>& ours) {
  std::vector<std::string> merged = ours;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const bool replaced = std::any_of(ours.begin(), ours.end(), [entry](const std::string& one) {
      return NameOf(one) == NameOf(*entry);
    });
    if (!replaced) merged.emplace_back(*entry);
  }
  return merged;
}

// A program that runs. Killed, and waited for, when this goes.
class Child {
 public:
  Child(pid_t pid, CommandOutcome& outcome) : pid_(pid), outcome_(outcome) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (ended_) return;
    // Not waited for yet, so the number still belongs to it; its group holds what it started.
    kill(-pid_, SIGKILL);
    Wait(0);
  }
  // Whether it has ended.
  bool Look() { return ended_ || Wait(WNOHANG); }

 private:
  bool Wait(int options) {
    int status = 0;
    pid_t waited = 0;
    do {
      waited = waitpid(pid_, &status, options);
    } while (waited < 0 && errno == EINTR);
    if (waited == pid_) outcome_.wait_status = status;
    ended_ = waited != 0;  // ECHILD: somebody else in this process has waited for it
    return ended_;
  }

  const pid_t pid_;
  CommandOutcome& outcome_;
  bool ended_ = false;
};

// What is there to be read now, at most a chunk; nothing if there is nothing. Closes the pipe at
// its end.
std::span<uint8_t> ReadNow(Descriptor& pipe, std::span<uint8_t> chunk) {
  if (!pipe.is_open()) return {};
  ssize_t got = 0;
  do {
    got = read(pipe.get(), chunk.data(), chunk.size());
  } while (got < 0 && errno == EINTR);
  if (got == 0 || (got < 0 && errno != EAGAIN)) pipe.Close();
  return got > 0 ? chunk.first(static_cast<size_t>(got)) : std::span<uint8_t>();
}

int Drain(Descriptor& pipe, size_t max, Bytes& out) {
  Bytes chunk(kChunk);
  for (;;) {
    const ByteSpan fresh = ReadNow(pipe, chunk);
    if (fresh.empty()) return 0;
    if (fresh.size() > max - out.size()) return -EFBIG;
    out.insert(out.end(), fresh.begin(), fresh.end());
  }
}

// Keeps the end only. A pipe's fill at most, so that a program that never stops complaining does
// not keep us from looking at the clock.
void DrainTail(Descriptor& pipe, Bytes& tail) {
  Bytes chunk(kChunk);
  for (size_t i = 0; i < kPipe / kChunk; ++i) {
    const ByteSpan fresh = ReadNow(pipe, chunk);
    if (fresh.empty()) return;
    tail.insert(tail.end(), fresh.begin(), fresh.end());
    if (tail.size() > kMaxComplaint)
      tail.erase(tail.begin(), tail.end() - static_cast<ptrdiff_t>(kMaxComplaint));
  }
}

// Reads until the program has ended, or may not go on.
int Attend(Child& child, Pipe& output, Pipe& complaint, const Command& command,
           CommandOutcome& outcome, Bytes& tail) {
  const SteadyTime until = std::chrono::steady_clock::now() + command.timeout;
  for (;;) {
    // First whether it has ended, then what it wrote: what it wrote before its end is not missed.
    const bool ended = child.Look();
    const int drained = Drain(output.ours, command.max_output, outcome.output);
    DrainTail(complaint.ours, tail);
    if (drained != 0) return drained;
    if (ended) return 0;
    if (std::chrono::steady_clock::now() >= until) return -ETIMEDOUT;
    pollfd watched[] = {{output.ours.get(), POLLIN, 0}, {complaint.ours.get(), POLLIN, 0}};
    poll(watched, 2, static_cast<int>(kGlance.count()));  // a negative descriptor is passed over
  }
}

}  // namespace

int RunCommand(const Command& command, CommandOutcome& outcome) {
  outcome = {};
  if (command.arguments.empty()) return -EINVAL;
  Pipe output;
  Pipe complaint;
  Wishes wishes;
  for (Pipe* pipe : {&output, &complaint}) {
    if (const int failed = pipe->Make(); failed != 0) return failed;
  }
  if (const int failed = wishes.State(output, complaint); failed != 0) return failed;
  std::vector<std::string> arguments = command.arguments;
  std::vector<std::string> environment = EnvironmentWith(command.environment);
  pid_t pid = 0;
  const int failed = posix_spawn(&pid, arguments[0].c_str(), wishes.actions(), wishes.attributes(),
                                 Pointers(arguments).data(), Pointers(environment).data());
  if (failed != 0) return -failed;
  output.theirs.Close();
  complaint.theirs.Close();
  Bytes tail;
  const int result = [&] {
    Child child(pid, outcome);
    return Attend(child, output, complaint, command, outcome, tail);
  }();
  outcome.complaint = AsText(tail);
  return result;
}

}  // namespace keyclave::attest
