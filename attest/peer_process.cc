#include "attest/peer_process.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "enclave/base/file.h"

namespace keyclave::attest {
namespace {

#ifdef SO_PEERPIDFD
constexpr int kPeerPidfd = SO_PEERPIDFD;
#else
constexpr int kPeerPidfd = 77;  // <asm-generic/socket.h> of Linux 6.5
#endif
constexpr size_t kMaxProcFile = 65536;  // bytes

class Pidfd {
 public:
  explicit Pidfd(int fd) : fd_(fd) {}
  Pidfd(const Pidfd&) = delete;
  Pidfd& operator=(const Pidfd&) = delete;
  ~Pidfd() { close(fd_); }
  int get() const { return fd_; }
  // A pidfd is readable once its process has ended.
  bool Alive() const {
    pollfd poll_fd{fd_, POLLIN, 0};
    return poll(&poll_fd, 1, 0) == 0;
  }

 private:
  const int fd_;
};

Error Gone() { return Fail(Code::kEvidenceUnavailable, "the process that connected has ended"); }

// The value of a "Name:\tvalue" line.
std::optional<int64_t> NumberIn(std::string_view text, std::string_view name) {
  const size_t at = text.find("\n" + std::string(name) + ":\t");
  if (at == std::string_view::npos) return std::nullopt;
  text.remove_prefix(at + name.size() + 3);
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  return number;
}

Result<int64_t> PidOf(const Pidfd& pidfd) {
  KC_ASSIGN(const Bytes info,
            ReadFile("/proc/self/fdinfo/" + std::to_string(pidfd.get()), kMaxProcFile));
  const auto pid = NumberIn(AsText(info), "Pid");
  // -1 once it has ended, 0 if it is in no namespace of ours.
  if (!pid || *pid <= 0) return Gone();
  return *pid;
}

// The line "0::/path" of /proc/PID/cgroup; empty on machines without the unified hierarchy.
std::string CgroupOf(int64_t pid) {
  const auto file = ReadFile("/proc/" + std::to_string(pid) + "/cgroup", kMaxProcFile);
  if (!file.ok()) return {};
  const std::string text = "\n" + std::string(AsText(*file));
  const size_t at = text.find("\n0::");
  if (at == std::string::npos) return {};
  const size_t begin = at + 4;
  return text.substr(begin, text.find('\n', begin) - begin);
}

}  // namespace

Result<PeerProcess> ReadPeerProcess(int socket) {
  PeerProcess peer;
  ucred credentials{};
  socklen_t size = sizeof(credentials);
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
    return Fail(Code::kEvidenceUnavailable, "only the peer of a unix socket can be looked at");
  peer.uid = credentials.uid;
  peer.gid = credentials.gid;
  int raw = -1;
  size = sizeof(raw);
  if (getsockopt(socket, SOL_SOCKET, kPeerPidfd, &raw, &size) != 0) {
    if (errno == ENOPROTOOPT)
      return Fail(Code::kEvidenceUnavailable, "SO_PEERPIDFD needs Linux 6.5 or newer");
    return Gone();
  }
  const Pidfd pidfd(raw);
  KC_ASSIGN(const int64_t pid, PidOf(pidfd));
  auto executable = MeasureExecutable(pid);
  peer.cgroup = CgroupOf(pid);
  // Whatever was read belongs to the process of the pidfd, if that still lives.
  if (!pidfd.Alive()) return Gone();
  if (!executable.ok())
    return std::move(executable)
        .error()
        .In("the caller's executable (keyclaved needs CAP_SYS_PTRACE for other users' processes)");
  peer.executable = *std::move(executable);
  return peer;
}

}  // namespace keyclave::attest
