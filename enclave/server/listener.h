// The sockets on which callers arrive: binding them, and learning from the kernel who came.
#pragma once

#include "enclave/base/endpoint.h"
#include "enclave/session/session.h"
#include "enclave/wire/fd.h"

namespace keyclave::server {

class Listener {
 public:
  // Binds and listens. A unix socket gets `mode`; a socket file that nobody listens on any more is
  // replaced. kAddressInUse, kPermissionDenied, kNotFound, kIo: the detail names the endpoint.
  static Result<Listener> Open(const Endpoint& endpoint, uint32_t mode);
  Listener(Listener&& other) noexcept = default;
  Listener& operator=(Listener&& other) noexcept = default;
  // Removes the unix socket's file, if it is still the one that Open made.
  ~Listener();

  struct Arrival {
    wire::Fd socket;  // non-blocking
    session::Peer peer;
  };
  // nullopt: nobody waits. kIo when the process or the machine is out of something.
  Result<std::optional<Arrival>> Accept() const;

  int fd() const { return socket_.get(); }
  const Endpoint& endpoint() const { return endpoint_; }  // with the port that was bound

 private:
  Listener(Endpoint endpoint, wire::Fd socket)
      : endpoint_(std::move(endpoint)), socket_(std::move(socket)) {}
  static Result<Listener> OpenUnix(const Endpoint& endpoint, uint32_t mode);
  static Result<Listener> OpenTcp(const Endpoint& endpoint);

  Endpoint endpoint_;
  wire::Fd socket_;
  uint64_t file_ = 0;  // inode of the unix socket's file
};

}  // namespace keyclave::server
