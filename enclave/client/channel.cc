#include "enclave/client/channel.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

namespace keyclave::client {

Channel::Channel(std::unique_ptr<wire::TlsStream> stream, const ByteArray<32>& own_spki,
                 FdTable& table)
    : stream_(std::move(stream)),
      entry_(table, stream_->fd()),
      own_spki_(own_spki),
      pipeline_(*stream_) {}

Channel::~Channel() = default;

Result<std::unique_ptr<Channel>> Channel::Open(const ClientConfig& config,
                                               std::shared_ptr<const wire::TlsIdentity> identity,
                                               FdTable& table, Deadline deadline) {
  KC_ASSIGN(wire::Fd socket, Connect(config.endpoint, config.socket_owner, deadline));
  KC_ASSIGN(auto stream,
            wire::TlsStream::Create(identity, wire::TlsEnd::kClient, std::move(socket)));
  std::unique_ptr<Channel> channel(new Channel(std::move(stream), identity->spki(), table));
  const Status done = channel->Handshake(deadline);
  if (!done.ok()) return done.error().In(config.endpoint.Text());
  return channel;
}

Status Channel::Handshake(Deadline deadline) {
  for (;;) {
    KC_ASSIGN(const bool done, stream_->Handshake());
    for (;;) {
      KC_ASSIGN(const bool flushed, stream_->Flush());
      if (flushed) break;
      KC_CHECK_OK(WaitFor(stream_->fd(), POLLOUT, deadline));
    }
    if (done) break;
    KC_CHECK_OK(WaitFor(stream_->fd(), POLLIN, deadline));
  }
  KC_ASSIGN(binding_, stream_->Bind());
  return Done{};
}

bool Channel::IsQuiet() const {
  uint8_t byte = 0;
  const ssize_t peeked = ::recv(stream_->fd(), &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT);
  return peeked < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

}  // namespace keyclave::client
