#include "enclave/client/connect.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "enclave/wire/socket_address.h"

namespace keyclave::client {
namespace {

using wire::Fd;
using wire::SocketAddress;

constexpr std::chrono::milliseconds kBacklogPause(5);

int MillisecondsUntil(Deadline deadline) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  return static_cast<int>(std::clamp<int64_t>(left.count(), 0, 3'600'000));
}

Error Unreachable(const Endpoint& endpoint, int reason) {
  std::string detail = endpoint.Text() + ": " + std::generic_category().message(reason);
  if (reason == ENOENT || reason == ECONNREFUSED) {
    detail +=
        "; is keyclaved running? Start it with `systemctl start keyclaved`, or "
        "`keyclaved --config /etc/keyclave/keyclaved.yaml`";
  } else if (reason == EACCES || reason == EPERM) {
    detail += "; this user may not use the socket (socket_mode in keyclaved.yaml)";
  }
  return Fail(Code::kUnreachable, std::move(detail));
}

// A stopped daemon's backlog fills up: a unix socket then says EAGAIN and offers nothing to wait
// for.
Result<int> ConnectOnce(int fd, const SocketAddress& address, Deadline deadline) {
  for (;;) {
    if (::connect(fd, address.get(), address.size()) == 0) return 0;
    const int reason = errno;
    if (reason == EISCONN) return 0;
    if (reason == EINTR || reason == EALREADY || reason == EINPROGRESS) {
      KC_CHECK_OK(WaitFor(fd, POLLOUT, deadline));
      int outcome = 0;
      socklen_t size = sizeof(outcome);
      if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &outcome, &size) != 0) return errno;
      return outcome;
    }
    if (reason != EAGAIN) return reason;
    if (std::chrono::steady_clock::now() >= deadline) return Fail(Code::kDeadline);
    ::poll(nullptr, 0, static_cast<int>(kBacklogPause.count()));
  }
}

Status CheckOwner(const Endpoint& endpoint, const Fd& socket, std::optional<uint32_t> owner) {
  ucred listener{};
  socklen_t size = sizeof(listener);
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &listener, &size) != 0) {
    return Fail(Code::kSocketOwner, endpoint.Text() + ": the listener's user is not known");
  }
  const uid_t own = ::geteuid();
  const bool good =
      owner.has_value() ? listener.uid == *owner : listener.uid == 0 || listener.uid == own;
  if (good) return Done{};
  std::string wanted = std::to_string(owner.value_or(0));
  if (!owner.has_value() && own != 0) wanted += " or " + std::to_string(own);
  return Fail(Code::kSocketOwner, endpoint.Text() + ": uid " + std::to_string(listener.uid) +
                                      " listens there, wanted uid " + wanted +
                                      " (socket_owner in client.yaml)");
}

Result<Fd> NewSocket(const Endpoint& endpoint, const SocketAddress& address) {
  Fd socket = Fd::AboveStandardStreams(
      ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.ok()) return Unreachable(endpoint, errno);
  return socket;
}

void SendAtOnce(const Fd& socket) {
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

Result<Fd> ConnectTo(const Endpoint& endpoint, const SocketAddress& address, Deadline deadline) {
  KC_ASSIGN(Fd socket, NewSocket(endpoint, address));
  KC_ASSIGN(const int reason, ConnectOnce(socket.get(), address, deadline));
  if (reason != 0) return Unreachable(endpoint, reason);
  return socket;
}

}  // namespace

Status WaitFor(int fd, short events, Deadline deadline) {
  pollfd one{.fd = fd, .events = events, .revents = 0};
  return WaitForAny({&one, 1}, deadline);
}

Status WaitForAny(std::span<pollfd> any, Deadline deadline) {
  for (;;) {
    const int count = ::poll(any.data(), any.size(), MillisecondsUntil(deadline));
    if (count > 0) return Done{};
    if (count < 0 && errno != EINTR) {
      return Fail(Code::kChannelClosed, std::generic_category().message(errno));
    }
    if (std::chrono::steady_clock::now() >= deadline) return Fail(Code::kDeadline);
  }
}

Result<Fd> Connect(const Endpoint& endpoint, std::optional<uint32_t> owner, Deadline deadline) {
  if (endpoint.kind == Endpoint::Kind::kUnix) {
    KC_ASSIGN(Fd socket, ConnectTo(endpoint, SocketAddress::Unix(endpoint.path), deadline));
    KC_CHECK_OK(CheckOwner(endpoint, socket, owner));
    return socket;
  }
  KC_ASSIGN(const std::vector<SocketAddress> addresses, SocketAddress::Lookup(endpoint));
  for (size_t i = 0;; ++i) {
    auto socket = ConnectTo(endpoint, addresses[i], deadline);
    if (socket.ok()) {
      SendAtOnce(*socket);
      return socket;
    }
    if (i + 1 == addresses.size() || socket.code() == Code::kDeadline) return socket;
  }
}

Result<Fd> BeginConnect(const Endpoint& endpoint, std::optional<uint32_t> owner) {
  const bool is_unix = endpoint.kind == Endpoint::Kind::kUnix;
  SocketAddress address;
  if (is_unix) {
    address = SocketAddress::Unix(endpoint.path);
  } else {
    KC_ASSIGN(const std::vector<SocketAddress> addresses, SocketAddress::Lookup(endpoint));
    address = addresses.front();
  }
  KC_ASSIGN(Fd socket, NewSocket(endpoint, address));
  const bool begun = ::connect(socket.get(), address.get(), address.size()) == 0 ||
                     (!is_unix && (errno == EINPROGRESS || errno == EINTR));
  if (!begun) return Unreachable(endpoint, errno);
  if (is_unix) KC_CHECK_OK(CheckOwner(endpoint, socket, owner));
  if (!is_unix) SendAtOnce(socket);
  return socket;
}

Result<bool> IsConnected(const Endpoint& endpoint, int fd) {
  pollfd one{.fd = fd, .events = POLLOUT, .revents = 0};
  if (::poll(&one, 1, 0) == 0) return false;
  int outcome = 0;
  socklen_t size = sizeof(outcome);
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &outcome, &size) != 0) outcome = errno;
  if (outcome != 0) return Unreachable(endpoint, outcome);
  return true;
}

}  // namespace keyclave::client
