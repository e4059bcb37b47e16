#include "enclave/client/channel.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

namespace keyclave::client {
namespace {

constexpr size_t kKeepBuffer = size_t{64} << 10;  // bytes

}  // namespace

Channel::Channel(std::unique_ptr<wire::TlsStream> stream, const ByteArray<32>& own_spki,
                 FdTable& table)
    : stream_(std::move(stream)), entry_(table, stream_->fd()), own_spki_(own_spki) {}

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
    KC_CHECK_OK(FlushAll(deadline));
    if (done) break;
    KC_CHECK_OK(WaitFor(stream_->fd(), POLLIN, deadline));
  }
  KC_ASSIGN(binding_, stream_->Bind());
  return Done{};
}

Status Channel::FlushAll(Deadline deadline) {
  for (;;) {
    KC_ASSIGN(const bool all, stream_->Flush());
    if (all) return Done{};
    KC_CHECK_OK(WaitFor(stream_->fd(), POLLOUT, deadline));
  }
}

Result<Channel::Reply> Channel::Exchange(wire::Op op, ByteSpan fields, Deadline deadline,
                                         Pause pause, Spin* spin) {
  const uint64_t id = ++last_id_;
  // A frame of which the last byte was never sent cannot have been executed.
  sent_ = false;
  const Bytes frame = wire::BuildRequest(id, op, fields);
  if (frame.size() - sizeof(uint32_t) > wire::kMaxFrame) return Fail(Code::kFrameTooLarge);
  KC_CHECK_OK(stream_->Write(frame));
  KC_CHECK_OK(FlushAll(deadline));
  sent_ = true;
  return ReadReply(id, deadline, pause, spin);
}

// A pause ends when the application thinks that it may; the deadline holds all the same.
Status Channel::AwaitBytes(Deadline deadline, Pause pause, Spin* spin) const {
  const bool paused = pause != nullptr && pause(stream_->fd());
  if (!paused && spin != nullptr && spin->Wait([this] { return HasBytes(); })) return Done{};
  if (!paused) return WaitFor(stream_->fd(), POLLIN, deadline);
  if (std::chrono::steady_clock::now() >= deadline) return Fail(Code::kDeadline);
  return Done{};
}

Result<Channel::Reply> Channel::ReadReply(uint64_t id, Deadline deadline, Pause pause, Spin* spin) {
  for (;;) {
    KC_CHECK_OK(AwaitBytes(deadline, pause, spin));
    for (auto state = wire::TlsStream::ReadState::kMore;
         state == wire::TlsStream::ReadState::kMore;) {
      KC_ASSIGN(state, stream_->Read(in_, in_.size() + 1));
      ByteSpan rest(in_);
      KC_ASSIGN(const std::optional<wire::Frame> frame, wire::TakeFrame(rest));
      if (frame.has_value()) {
        // Frame id 0 speaks of the stream; it is never an answer.
        KC_ASSIGN(const wire::ReplyBody body, wire::ParseReply(frame->body));
        Reply reply{.code = body.code, .epoch = body.epoch, .fields = ToBytes(body.fields)};
        if (frame->id == 0 && reply.code != 0) return ReplyError(reply);
        if (frame->id != id || !rest.empty()) return Fail(Code::kReplyMismatch);
        in_.clear();
        if (in_.capacity() > kKeepBuffer) in_.shrink_to_fit();
        return reply;
      }
      if (state == wire::TlsStream::ReadState::kClosed) {
        return Fail(Code::kChannelClosed, "keyclaved closed the connection");
      }
    }
  }
}

// Or is at its end, which a read will find.
bool Channel::HasBytes() const {
  uint8_t byte = 0;
  return ::recv(stream_->fd(), &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT) >= 0;
}

bool Channel::Healthy() const {
  if (!entry_.StillThere()) return false;
  uint8_t byte = 0;
  const ssize_t peeked = ::recv(stream_->fd(), &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT);
  return peeked < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

Error ReplyError(const Channel::Reply& reply) {
  const auto code = CodeFromNumber(reply.code);
  if (!code.has_value()) {
    return Fail(Code::kBadMessage, "keyclaved answered with code " + std::to_string(reply.code) +
                                       ", which this version does not know");
  }
  const auto detail = wire::ErrorDetail({reply.code, reply.epoch, reply.fields});
  if (!detail.ok()) return Fail(Code::kBadMessage, "keyclaved's error text");
  return Fail(*code, detail->empty() ? std::string() : "keyclaved: " + *detail);
}

}  // namespace keyclave::client
