#include "enclave/wire/socket_address.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <memory>
#include <system_error>

namespace keyclave::wire {
namespace {

using AddressList = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

int Resolve(const Endpoint& endpoint, int flags, AddressList& list) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int result =
      ::getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints, &found);
  list.reset(found);
  return result;
}

}  // namespace

void SocketAddress::Set(ByteSpan address) {
  std::copy(address.begin(), address.end(), storage_.begin());
  size_ = static_cast<socklen_t>(address.size());
}

SocketAddress SocketAddress::Unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const size_t length = std::min(path.size(), sizeof(address.sun_path) - 1);
  std::copy_n(path.begin(), length, std::begin(address.sun_path));
  SocketAddress result;
  result.Set(FromC(&address, offsetof(sockaddr_un, sun_path) + length + 1));
  return result;
}

Result<std::vector<SocketAddress>> SocketAddress::Lookup(const Endpoint& endpoint) {
  AddressList list(nullptr, freeaddrinfo);
  int result = Resolve(endpoint, AI_NUMERICHOST, list);
  if (result == EAI_NONAME) result = Resolve(endpoint, AI_ADDRCONFIG, list);
  if (result != 0) {
    return Fail(Code::kUnreachable, endpoint.Text() + ": " + ::gai_strerror(result));
  }
  std::vector<SocketAddress> addresses;
  for (const addrinfo* one = list.get(); one != nullptr; one = one->ai_next) {
    if (one->ai_addrlen <= sizeof(sockaddr_storage)) {
      addresses.emplace_back().Set(FromC(one->ai_addr, one->ai_addrlen));
    }
  }
  if (addresses.empty()) return Fail(Code::kUnreachable, endpoint.Text() + ": no address");
  return addresses;
}

Result<uint16_t> SocketAddress::LocalPort(int socket) {
  SocketAddress address;
  if (::getsockname(socket, address.mutable_get(), address.mutable_size()) != 0) {
    return Fail(Code::kIo, std::generic_category().message(errno));
  }
  std::array<char, NI_MAXSERV> text{};
  uint16_t port = 0;
  if (::getnameinfo(address.get(), address.size(), nullptr, 0, text.data(), text.size(),
                    NI_NUMERICSERV) != 0 ||
      std::from_chars(text.begin(), text.end(), port).ec != std::errc()) {
    return Fail(Code::kIo, "the socket has no port");
  }
  return port;
}

// The socket calls take every address as a sockaddr: the one place where that is converted.
const sockaddr* SocketAddress::get() const {
  return static_cast<const sockaddr*>(static_cast<const void*>(storage_.data()));
}
sockaddr* SocketAddress::mutable_get() {
  return static_cast<sockaddr*>(static_cast<void*>(storage_.data()));
}

std::string SocketAddress::Text() const {
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  if (family() == AF_UNIX || ::getnameinfo(get(), size_, host.data(), host.size(), port.data(),
                                           port.size(), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "?";
  }
  const std::string name(host.data());
  const bool ipv6 = family() == AF_INET6;
  return (ipv6 ? "[" + name + "]" : name) + ":" + port.data();
}

}  // namespace keyclave::wire
