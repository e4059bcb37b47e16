#include "tests/fakes/soft_tpm.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "enclave/base/file.h"
#include "enclave/base/hash.h"

extern char** environ;

namespace keyclave::test {
namespace {

constexpr int kMaxStarts = 20;
constexpr int kBreath = 2;  // milliseconds between two looks

[[noreturn]] void GiveUp(const std::string& why) {
  std::fprintf(stderr, "soft_tpm: %s\n", why.c_str());
  std::abort();
}

// Runs a program of the search path.
pid_t Spawn(std::vector<std::string> words, const char* package) {
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  pid_t process = -1;
  const int error =
      posix_spawnp(&process, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) GiveUp(words[0] + " is not installed: apt-get install " + package);
  return process;
}

bool Succeeded(pid_t process) {
  int status = 0;
  while (waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// The one above it is the control channel's. Whoever has either lets swtpm fail, and another is
// tried.
unsigned SomePort() {
  const ByteArray<2> random = RandomArray<2>();
  return 20000 + (random[0] * 256U + random[1]) % 20000 * 2;
}

}  // namespace

SoftTpm::SoftTpm() { Start(); }

SoftTpm::~SoftTpm() { Stop(); }

// It writes its process id once it listens, and ends before that if it cannot.
bool SoftTpm::IsReady() {
  const std::string path = state_.path() + "/pid";
  while (waitpid(process_, nullptr, WNOHANG) == 0) {
    if (const auto told = ReadFile(path, 64); told.ok() && !told->empty()) return true;
    poll(nullptr, 0, kBreath);
  }
  process_ = -1;
  return false;
}

void SoftTpm::Start() {
  for (int i = 0; i < kMaxStarts; ++i) {
    if (port_ == 0) port_ = SomePort();
    unlink((state_.path() + "/pid").c_str());
    process_ = Spawn({"swtpm", "socket", "--tpm2", "--tpmstate", "dir=" + state_.path(), "--server",
                      "type=tcp,bindaddr=127.0.0.1,port=" + std::to_string(port_), "--ctrl",
                      "type=tcp,bindaddr=127.0.0.1,port=" + std::to_string(port_ + 1), "--flags",
                      "not-need-init,startup-clear", "--log", "file=" + state_.path() + "/log",
                      "--pid", "file=" + state_.path() + "/pid"},
                     "swtpm");
    if (IsReady()) return;
    port_ = 0;
  }
  GiveUp("swtpm does not start");
}

void SoftTpm::Stop() {
  if (process_ < 0) return;
  kill(process_, SIGKILL);
  Succeeded(process_);
  process_ = -1;
}

void SoftTpm::Restart() {
  Stop();
  Start();
}

std::string SoftTpm::tcti() const { return "swtpm:host=127.0.0.1,port=" + std::to_string(port_); }

bool SoftTpm::Tool(std::vector<std::string> words) const {
  words.insert(words.begin() + 1, {"-T", tcti()});
  return Succeeded(Spawn(std::move(words), "tpm2-tools"));
}

void SoftTpm::WriteIndex(uint32_t handle, ByteSpan content) const {
  const std::string file = state_.path() + "/content";
  const std::string name = std::to_string(handle);
  if (!ReplaceFile(file, content, 0600).ok() ||
      !Tool({"tpm2_nvdefine", name, "-C", "o", "-s", std::to_string(content.size()), "-a",
             "ownerread|ownerwrite|authread|authwrite|no_da"}) ||
      !Tool({"tpm2_nvwrite", name, "-C", "o", "-i", file}))
    GiveUp("tpm2_nvdefine, tpm2_nvwrite");
}

void SoftTpm::Extend(unsigned index) const {
  const std::string what = std::to_string(index) + ":sha256=" + std::string(64, 'a');
  if (!Tool({"tpm2_pcrextend", what})) GiveUp("tpm2_pcrextend");
}

}  // namespace keyclave::test
