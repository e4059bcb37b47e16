// Socket addresses of both kinds of endpoint, so that only this file handles sockaddr's many faces.
#pragma once

#include <sys/socket.h>

#include <array>
#include <vector>

#include "enclave/base/bytes.h"
#include "enclave/base/endpoint.h"

namespace keyclave::wire {

class SocketAddress {
 public:
  SocketAddress() = default;
  static SocketAddress Unix(const std::string& path);  // at most 107 bytes (ParseEndpoint)
  // What the host's name stands for, at least one address. A numeric address is never looked up; a
  // name is, by the system's resolver and with its time limits. kUnreachable.
  static Result<std::vector<SocketAddress>> Lookup(const Endpoint& endpoint);
  static Result<uint16_t> LocalPort(int socket);

  const sockaddr* get() const;
  socklen_t size() const { return size_; }
  sockaddr* mutable_get();
  socklen_t* mutable_size() { return &size_; }
  int family() const { return get()->sa_family; }
  // 127.0.0.1:4711 or [::1]:4711; "?" for another family.
  std::string Text() const;

 private:
  void Set(ByteSpan address);
  alignas(sockaddr_storage) std::array<uint8_t, sizeof(sockaddr_storage)> storage_{};
  socklen_t size_ = sizeof(sockaddr_storage);
};

}  // namespace keyclave::wire
