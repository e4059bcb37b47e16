#include "enclave/server/listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>

#include "enclave/base/file.h"
#include "enclave/wire/socket_address.h"

namespace keyclave::server {
namespace {

using wire::Fd;
using wire::SocketAddress;

constexpr int kBacklog = 4096;  // the kernel cuts it to net.core.somaxconn

Fd NewSocket(int family) {
  return Fd::AboveStandardStreams(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

uint64_t InodeOf(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

// Removes a socket file that a daemon left behind when it was killed.
Status RemoveStale(const Endpoint& endpoint, const SocketAddress& address) {
  struct stat status {};
  if (::lstat(endpoint.path.c_str(), &status) != 0) {
    if (errno == ENOENT) return Done{};
    return ErrnoError(endpoint.Text());
  }
  if (!S_ISSOCK(status.st_mode)) {
    return Fail(Code::kAddressInUse, endpoint.Text() + ": a file that is no socket is in the way");
  }
  const Fd probe = NewSocket(AF_UNIX);
  if (!probe.ok()) return ErrnoError(endpoint.Text());
  if (::connect(probe.get(), address.get(), address.size()) == 0 || errno != ECONNREFUSED) {
    return Fail(Code::kAddressInUse, endpoint.Text());
  }
  if (::unlink(endpoint.path.c_str()) != 0 && errno != ENOENT) return ErrnoError(endpoint.Text());
  return Done{};
}

Status Bind(const Endpoint& endpoint, const Fd& socket, const SocketAddress& address) {
  if (::bind(socket.get(), address.get(), address.size()) == 0) return Done{};
  if (errno == EADDRINUSE) return Fail(Code::kAddressInUse, endpoint.Text());
  return ErrnoError(endpoint.Text());
}

Result<session::Peer> UnixPeer(const Fd& socket) {
  ucred credentials{};
  socklen_t size = sizeof(credentials);
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return ErrnoError("peer credentials");
  }
  session::Peer peer;
  peer.is_unix = true;
  peer.uid = credentials.uid;
  peer.gid = credentials.gid;
  peer.pid = credentials.pid;
  peer.address = "unix";
  return peer;
}

session::Peer TcpPeer(const Fd& socket, const SocketAddress& address) {
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  session::Peer peer;
  peer.address = address.Text();
  return peer;
}

}  // namespace

Result<Listener> Listener::Open(const Endpoint& endpoint, uint32_t mode) {
  return endpoint.kind == Endpoint::Kind::kUnix ? OpenUnix(endpoint, mode) : OpenTcp(endpoint);
}

Result<Listener> Listener::OpenUnix(const Endpoint& endpoint, uint32_t mode) {
  const SocketAddress address = SocketAddress::Unix(endpoint.path);
  KC_CHECK_OK(RemoveStale(endpoint, address));
  Listener listener(endpoint, NewSocket(AF_UNIX));
  if (!listener.socket_.ok()) return ErrnoError(endpoint.Text());
  KC_CHECK_OK(Bind(endpoint, listener.socket_, address));
  listener.file_ = InodeOf(endpoint.path);
  // Nobody can connect before listen, so the mode is in force in time.
  if (::chmod(endpoint.path.c_str(), mode) != 0 || ::listen(listener.fd(), kBacklog) != 0) {
    return ErrnoError(endpoint.Text());
  }
  return listener;
}

Result<Listener> Listener::OpenTcp(const Endpoint& endpoint) {
  KC_ASSIGN(const std::vector<SocketAddress> addresses, SocketAddress::Lookup(endpoint));
  const SocketAddress& address = addresses.front();
  Listener listener(endpoint, NewSocket(address.family()));
  if (!listener.socket_.ok()) return ErrnoError(endpoint.Text());
  const int on = 1;
  ::setsockopt(listener.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  KC_CHECK_OK(Bind(endpoint, listener.socket_, address));
  if (::listen(listener.fd(), kBacklog) != 0) return ErrnoError(endpoint.Text());
  KC_ASSIGN(listener.endpoint_.port, SocketAddress::LocalPort(listener.fd()));
  return listener;
}

Listener::~Listener() {
  if (!socket_.ok() || endpoint_.kind != Endpoint::Kind::kUnix || file_ == 0) return;
  if (InodeOf(endpoint_.path) == file_) ::unlink(endpoint_.path.c_str());
}

Result<std::optional<Listener::Arrival>> Listener::Accept() const {
  SocketAddress address;
  Fd socket = Fd::AboveStandardStreams(
      ::accept4(fd(), address.mutable_get(), address.mutable_size(), SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!socket.ok()) {
    // EPERM: a firewall rule refused this one. The others: it went away before we came to it.
    const bool next = errno == EAGAIN || errno == EINTR || errno == ECONNABORTED ||
                      errno == EPERM || errno == EPROTO;
    if (next) return std::optional<Arrival>();
    return ErrnoError("accept on " + endpoint_.Text());
  }
  Arrival arrival{.socket = std::move(socket), .peer = {}};
  if (endpoint_.kind == Endpoint::Kind::kUnix) {
    KC_ASSIGN(arrival.peer, UnixPeer(arrival.socket));
  } else {
    arrival.peer = TcpPeer(arrival.socket, address);
  }
  return std::optional<Arrival>(std::move(arrival));
}

}  // namespace keyclave::server
