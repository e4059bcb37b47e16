#include "enclave/daemon/process.h"

#include <openssl/crypto.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>

#include "enclave/base/secret_bytes.h"

namespace keyclave::daemon {
namespace {

// Room for 4096 cached RSA-4096 keys; OpenSSL rounds blocks up to powers of two.
constexpr size_t kSecureHeap = size_t{64} << 20;  // bytes
constexpr size_t kSmallestBlock = 32;             // bytes
// That systemd is asked to wait after a report of progress, in microseconds: what comes after the
// last report is a small part of the whole.
constexpr std::string_view kMoreTime = "60000000";

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return spdlog::level::debug;
    case LogLevel::kInfo: return spdlog::level::info;
    case LogLevel::kWarning: return spdlog::level::warn;
    case LogLevel::kError: return spdlog::level::err;
  }
  return spdlog::level::err;
}

void WriteLine(LogLevel level, std::string_view line) { spdlog::log(ToSpdlog(level), "{}", line); }

void RaiseLimit(decltype(RLIMIT_NOFILE) what, rlim_t wanted) {
  rlimit limit{};
  if (getrlimit(what, &limit) != 0) return;
  const rlimit privileged = {wanted, std::max(limit.rlim_max, wanted)};
  if (setrlimit(what, &privileged) == 0) return;  // root may raise the hard limit too
  limit.rlim_cur = limit.rlim_max;
  setrlimit(what, &limit);
}

sigset_t EndSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

}  // namespace

void StartLogging(LogLevel lowest) {
  auto logger = std::make_shared<spdlog::logger>("keyclaved",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_level(ToSpdlog(lowest));
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ keyclaved[%P] %l: %v", spdlog::pattern_time_type::utc);
  logger->flush_on(spdlog::level::debug);
  spdlog::set_default_logger(std::move(logger));
  SetLogSink(&WriteLine, lowest);
}

Status PrepareMemory(bool allow_unlocked, std::vector<std::string>& warnings) {
  RaiseLimit(RLIMIT_MEMLOCK, RLIM_INFINITY);
  RaiseLimit(RLIMIT_NOFILE, 65536);
#if defined(__SANITIZE_ADDRESS__)
  // The sanitizer finds no pointers in OpenSSL's own pages and would call all they point to leaked.
  const int taken = 1;
#else
  const int taken = CRYPTO_secure_malloc_init(kSecureHeap, kSmallestBlock);
#endif
  const SecretBytes probe(32);
  if (taken == 1 && AllSecretsLocked()) return Done{};
  const std::string why =
      "memory for keys cannot be locked (RLIMIT_MEMLOCK is below 80 MiB): keys could reach swap";
  if (!allow_unlocked) {
    return Fail(Code::kPermissionDenied,
                why +
                    "; raise LimitMEMLOCK in the systemd unit (ulimit -l), or set "
                    "allow_unlocked_memory: true in keyclaved.yaml");
  }
  warnings.push_back(why);
  return Done{};
}

void BlockSignals() {
  sigset_t set = EndSignals();
  sigaddset(&set, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

bool WaitForEnd(std::chrono::milliseconds timeout) {
  const sigset_t set = EndSignals();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(timeout);
  const timespec wait = {seconds.count(), std::chrono::nanoseconds(timeout - seconds).count()};
  return sigtimedwait(&set, nullptr, &wait) > 0;
}

void NotifyManager(std::string_view state) {
  const char* path =
      std::getenv("NOTIFY_SOCKET");  // NOLINT(concurrency-mt-unsafe): nothing sets variables here
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path == nullptr || std::strlen(path) >= sizeof(address.sun_path) ||
      (path[0] != '/' && path[0] != '@'))
    return;
  const std::string_view name(path);
  std::copy(name.begin(), name.end(), address.sun_path);
  if (path[0] == '@') address.sun_path[0] = '\0';
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  const void* generic = &address;
  sendto(fd, state.data(), state.size(), MSG_NOSIGNAL, static_cast<const sockaddr*>(generic), size);
  close(fd);
}

void StartProgress::operator()(uint64_t done, uint64_t all) {
  const auto now = clock_.Steady();
  if (now < next_) return;
  next_ = now + kInterval;
  const std::string how_far =
      "reading the store: " + std::to_string(done) + " of " + std::to_string(all) + " rows";
  Log(LogLevel::kInfo, how_far);
  NotifyManager("STATUS=" + how_far + "\nEXTEND_TIMEOUT_USEC=" + std::string(kMoreTime));
}

}  // namespace keyclave::daemon
