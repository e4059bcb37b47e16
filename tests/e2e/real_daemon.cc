#include "tests/e2e/real_daemon.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "attest/simulated_root.h"
#include "enclave/base/file.h"
#include "enclave/wire/fd.h"
#include "enclave/wire/socket_address.h"
#include "tests/fakes/paths.h"

namespace keyclave::test {
namespace {

constexpr int kPatience = 60'000;  // ms; a daemon that needs more has failed
constexpr size_t kMaxLog = size_t{64} << 20;

[[noreturn]] void GiveUp(const std::string& why) {
  std::fprintf(stderr, "keyclaved: %s\n", why.c_str());
  std::abort();
}

std::string Program() {
  const char* build = std::getenv("KEYCLAVE_BUILD_DIR");  // NOLINT(concurrency-mt-unsafe)
  return build != nullptr ? std::string(build) + "/bin/keyclaved"
                          : fakes::BuildPath("bin/keyclaved");
}

// Its output goes to the log.
pid_t Start(std::vector<std::string> arguments, const std::string& log,
            const std::string& variable) {
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  std::string extra = variable;
  std::vector<char*> environment;
  for (char** one = environ; *one != nullptr; ++one) environment.push_back(*one);
  environment.push_back(extra.data());
  environment.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(),
                                   O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  pid_t pid = -1;
  const int error = posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) GiveUp(arguments[0] + " cannot be started: is it built?");
  return pid;
}

int StatusOf(pid_t pid) {
  int status = -1;
  if (waitpid(pid, &status, 0) != pid) return -1;
  return status;
}

void Write(const std::string& path, const std::string& text) {
  if (!WriteNewFile(path, AsBytes(text), 0600).ok()) GiveUp(path + " cannot be written");
}

}  // namespace

RealDaemon::RealDaemon(const fakes::TemporaryDirectory& folder, const std::string& more)
    : folder_(folder) {
  const std::string& base = folder.path();
  if (!attest::MakeSimulatedRoot(base + "/root.key", base + "/root.pub").ok())
    GiveUp("no development root");
  Write(base + "/keyclaved.yaml",
        "state: " + base + "/state\nlisten: [\"unix:" + Socket() +
            "\"]\ntee: simulated\nsimulated: {key: " + base + "/root.key, root: " + base +
            "/root.pub}\nallow_unlocked_memory: " + (geteuid() == 0 ? "false\n" : "true\n") + more);
  const std::string log = base + "/daemon.log";
  const std::vector<std::string> command = {Program(), "--config", base + "/keyclaved.yaml",
                                            "--verbose"};
  std::vector<std::string> init = command;
  init.emplace_back("--init");
  if (StatusOf(Start(init, log, "KEYCLAVE_UNUSED=")) != 0) GiveUp("--init fails: " + Log());

  const std::string notify = base + "/notify.sock";
  const wire::Fd notifications(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto address = wire::SocketAddress::Unix(notify);
  if (bind(notifications.get(), address.get(), address.size()) != 0) GiveUp("bind " + notify);
  pid_ = Start(command, log, "NOTIFY_SOCKET=" + notify);
  WaitUntilItServes(notifications.get());
}

// As service managers do: it says so itself.
void RealDaemon::WaitUntilItServes(int notifications) const {
  const wire::Fd process(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  ByteArray<64> text{};
  for (;;) {
    pollfd both[] = {{notifications, POLLIN, 0}, {process.get(), POLLIN, 0}};
    const int ready = poll(both, 2, kPatience);
    if (ready < 0 && errno == EINTR) continue;
    if (ready != 1 || (both[0].revents & POLLIN) == 0) GiveUp("it does not serve: " + Log());
    const ssize_t size = recv(notifications, text.data(), text.size(), 0);
    if (size > 0 && AsText(ByteSpan(text).first(static_cast<size_t>(size))) == "READY=1") return;
  }
}

RealDaemon::~RealDaemon() {
  kill(pid_, SIGTERM);
  if (const int status = StatusOf(pid_); status != 0)
    GiveUp("it ended with status " + std::to_string(status) + ": " + Log());
}

client::ClientConfig RealDaemon::Caller() const {
  const std::string& base = folder_.path();
  auto config = client::ParseClientConfig(
      "endpoint: unix:" + Socket() +
          "\nexpect: {tee: {is: simulated}}\ndeadline: 60s\nmax_connections: 1\nevidence: "
          "simulated\nsimulated: {key: " +
          base + "/root.key, root: " + base + "/root.pub}\n",
      "client.yaml");
  if (!config.ok()) GiveUp(config.error().Text());
  return *std::move(config);
}

std::string RealDaemon::Log() const {
  const auto log = ReadFile(folder_.path() + "/daemon.log", kMaxLog);
  return log.ok() ? std::string(AsText(*log)) : std::string();
}

}  // namespace keyclave::test
