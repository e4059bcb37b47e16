#include "enclave/client/channel.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

namespace keyclave::client {

Channel::Channel(Where where, std::unique_ptr<wire::TlsStream> stream,
                 const ByteArray<32>& own_spki, FdTable& table)
    : endpoint_(where.endpoint),
      member_(where.member),
      stream_(std::move(stream)),
      entry_(table, stream_->fd()),
      own_spki_(own_spki),
      pipeline_(*stream_) {}

Channel::~Channel() = default;

Result<std::unique_ptr<Channel>> Channel::Over(Where where, wire::Fd socket,
                                               std::shared_ptr<const wire::TlsIdentity> identity,
                                               FdTable& table) {
  KC_ASSIGN(auto stream,
            wire::TlsStream::Create(identity, wire::TlsEnd::kClient, std::move(socket)));
  return std::unique_ptr<Channel>(new Channel(where, std::move(stream), identity->spki(), table));
}

Result<std::unique_ptr<Channel>> Channel::Open(const ClientConfig& config, size_t member,
                                               std::shared_ptr<const wire::TlsIdentity> identity,
                                               FdTable& table, Deadline deadline) {
  const Endpoint& endpoint = config.endpoints[member];
  KC_ASSIGN(wire::Fd socket, Connect(endpoint, config.socket_owner, deadline));
  KC_ASSIGN(auto channel, Over({endpoint, member}, std::move(socket), std::move(identity), table));
  channel->connected_ = true;
  const Status done = channel->Handshake(deadline);
  if (!done.ok()) return done.error().In(endpoint.Text());
  return channel;
}

Result<std::unique_ptr<Channel>> Channel::Begin(const ClientConfig& config, size_t member,
                                                std::shared_ptr<const wire::TlsIdentity> identity,
                                                FdTable& table) {
  const Endpoint& endpoint = config.endpoints[member];
  KC_ASSIGN(wire::Fd socket, BeginConnect(endpoint, config.socket_owner));
  return Over({endpoint, member}, std::move(socket), std::move(identity), table);
}

Result<bool> Channel::Advance() {
  if (!connected_) {
    KC_ASSIGN(connected_, IsConnected(endpoint_, stream_->fd()));
    if (!connected_) return false;
  }
  KC_ASSIGN(const bool done, stream_->Handshake());
  KC_ASSIGN(const bool flushed, stream_->Flush());
  if (!done) return false;
  // A handshake is short: a socket that has no room for its end is not worth another look.
  if (!flushed) return Fail(Code::kDeadline, endpoint_.Text());
  KC_ASSIGN(binding_, stream_->Bind());
  return true;
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
