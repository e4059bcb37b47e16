// One end of a TLS connection that a test drives by hand, so that it can send what no honest peer
// would.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <chrono>
#include <thread>

#include "enclave/wire/frame.h"
#include "enclave/wire/op_codec.h"
#include "enclave/wire/socket_address.h"
#include "enclave/wire/tls_stream.h"

namespace keyclave::test {

using namespace std::chrono_literals;
using wire::Fd;

inline constexpr auto kPatience = 20s;  // a test that waits longer has failed

inline bool WaitReadable(int fd, std::chrono::milliseconds time = kPatience) {
  pollfd one{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&one, 1, static_cast<int>(time.count())) == 1;
}

// Waits for a condition that another thread brings about.
template <class Condition>
bool Eventually(const Condition& condition) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    ::poll(nullptr, 0, 2);  // between two looks
  }
  return true;
}

inline Fd ConnectUnix(const std::string& path) {
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto address = wire::SocketAddress::Unix(path);
  if (::connect(socket.get(), address.get(), address.size()) != 0) return Fd();
  ::fcntl(socket.get(), F_SETFL, O_NONBLOCK);
  return socket;
}

class RawPeer {
 public:
  RawPeer(wire::TlsEnd end, Fd socket,
          std::shared_ptr<const wire::TlsIdentity> identity = wire::TlsIdentity::Create().value())
      : identity_(std::move(identity)),
        stream_(wire::TlsStream::Create(identity_, end, std::move(socket)).value()) {}

  static RawPeer Client(const std::string& path) {
    return RawPeer(wire::TlsEnd::kClient, ConnectUnix(path));
  }

  // False if the handshake fails or stalls.
  bool Handshake() {
    for (;;) {
      const auto done = stream_->Handshake();
      if (!Flush() || !done.ok()) return false;
      if (*done) break;
      if (!WaitReadable(stream_->fd())) return false;
    }
    const auto bound = stream_->Bind();
    if (bound.ok()) binding_ = *bound;
    return bound.ok();
  }

  bool Send(ByteSpan bytes) { return stream_->Write(bytes).ok() && Flush(); }
  bool Flush() {
    for (;;) {
      const auto all = stream_->Flush();
      if (!all.ok()) return false;
      if (*all) return true;
      pollfd one{.fd = stream_->fd(), .events = POLLOUT, .revents = 0};
      if (::poll(&one, 1, static_cast<int>(std::chrono::milliseconds(kPatience).count())) != 1) {
        return false;
      }
    }
  }

  struct Received {
    uint64_t id = 0;
    Bytes body;
  };
  // The next frame; nullopt at the end of the stream.
  std::optional<Received> Receive() {
    for (;;) {
      ByteSpan rest(in_);
      const auto frame = wire::TakeFrame(rest);
      if (!frame.ok()) return std::nullopt;
      if (frame->has_value()) {
        Received received{.id = (*frame)->id, .body = ToBytes((*frame)->body)};
        in_ = ToBytes(rest);
        return received;
      }
      if (ended_ || !Fill()) return std::nullopt;
    }
  }
  // Whether the peer ends the connection without another frame.
  bool Ends() { return !Receive().has_value() && ended_; }

  template <wire::Op op>
  bool Ask(uint64_t id, const typename wire::OpTraits<op>::Request& request) {
    return Send(wire::BuildRequest(id, op, wire::OpCodec<op>::EncodeRequest(request)));
  }
  // The reply's struct; nullopt for an error reply or none.
  template <wire::Op op>
  std::optional<typename wire::OpTraits<op>::Reply> Answer() {
    const auto received = Receive();
    if (!received.has_value()) return std::nullopt;
    const auto reply = wire::ParseReply(received->body);
    if (!reply.ok() || reply->code != 0) return std::nullopt;
    auto decoded = wire::OpCodec<op>::DecodeReply(reply->fields);
    if (!decoded.ok()) return std::nullopt;
    return *std::move(decoded);
  }
  // The code of the next reply; 0 is success, kInternal stands for no reply at all.
  Code AnswerCode() {
    const auto received = Receive();
    if (!received.has_value()) return Code::kInternal;
    const auto reply = wire::ParseReply(received->body);
    return reply.ok() ? static_cast<Code>(reply->code) : Code::kInternal;
  }

  const ByteArray<32>& own_spki() const { return identity_->spki(); }
  const wire::TlsBinding& binding() const { return binding_; }
  wire::TlsStream& stream() { return *stream_; }
  int fd() const { return stream_->fd(); }

 private:
  bool Fill() {
    // Read first: bytes may have come along with the end of the handshake.
    const auto state = stream_->Read(in_, in_.size() + 1);
    ended_ = !state.ok() || *state == wire::TlsStream::ReadState::kClosed;
    if (ended_ || *state == wire::TlsStream::ReadState::kMore) return true;
    return WaitReadable(stream_->fd());
  }

  std::shared_ptr<const wire::TlsIdentity> identity_;
  std::unique_ptr<wire::TlsStream> stream_;
  wire::TlsBinding binding_;
  Bytes in_;
  bool ended_ = false;
};

// A connected pair of sockets.
struct SocketPair {
  SocketPair() {
    int fds[2] = {-1, -1};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0) {
      first = Fd(fds[0]);
      second = Fd(fds[1]);
    }
  }
  Fd first;
  Fd second;
};

}  // namespace keyclave::test
