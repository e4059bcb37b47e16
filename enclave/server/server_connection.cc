#include "enclave/server/server_connection.h"

#include <new>

#include "enclave/base/log.h"

namespace keyclave::server {
namespace {

// The connection's share in its session ends when the last one who uses it lets go.
std::shared_ptr<Connection> MakeConnection(session::SessionMap& sessions, session::Peer peer) {
  const auto end = [&sessions](Connection* connection) {
    if (connection->session) sessions.Leave(connection->session);
    delete connection;
  };
  std::shared_ptr<Connection> connection(new Connection(), end);
  connection->peer = std::move(peer);
  return connection;
}

constexpr size_t kKeepBuffer = 2 * kReadAhead;  // bytes of an empty buffer that are kept
constexpr std::chrono::seconds kLeftOver(1);    // without requests, in a drain

// A thread of the slow pool serves everybody: it outlives a request that memory is too short for.
Bytes HandleSlow(RequestHandler& handler, Connection& connection, const wire::Frame& request) {
  try {
    return handler.Handle(connection, request);
  } catch (const std::bad_alloc&) {
    return wire::BuildErrorReply(request.id, 0, Code::kOutOfMemory, {});
  }
}

bool IsHandshakeOp(wire::Op op) { return op == wire::Op::kHello || op == wire::Op::kAttest; }

}  // namespace

ServerConnection::ServerConnection(const Services& services,
                                   std::unique_ptr<wire::TlsStream> stream, session::Peer peer,
                                   Home home)
    : services_(services),
      stream_(std::move(stream)),
      home_(std::move(home)),
      connection_(MakeConnection(services.sessions, std::move(peer))),
      opened_(services.clock.Steady()),
      last_request_(opened_),
      frame_begun_(opened_),
      last_sent_(opened_) {
  if (connection_->peer.is_unix) connection_->socket = stream_->fd();
  services_.stats.connections.fetch_add(1);
}

ServerConnection::~ServerConnection() {
  services_.stats.connections.fetch_sub(1);
  if (movable_) services_.sessions.drain().movable.fetch_sub(1);
}

ServerConnection::Next ServerConnection::Turn() { return After(Advance()); }

ServerConnection::Next ServerConnection::OnSlowReply(Bytes reply) {
  slow_bytes_ -= slow_.front().size;
  slow_.pop_front();
  if (!slow_.empty()) StartSlow();
  const Status written = stream_->Write(reply);
  return After(written.ok() ? Advance() : written);
}

Status ServerConnection::TakeBatchReply(ByteSpan reply) {
  --joined_;
  return stream_->Write(reply);
}

ServerConnection::Next ServerConnection::Settle() { return After(FlushQueue()); }

ServerConnection::Next ServerConnection::Drain() {
  reading_ = false;
  if (phase_ == Phase::kHandshake) return Next::kClose;
  return Turn();
}

ServerConnection::Next ServerConnection::After(const Status& status) {
  if (!status.ok()) {
    Log(LogLevel::kDebug, connection_->peer.address + ": " + status.error().Text());
    return Next::kClose;
  }
  if (HasMore()) return Next::kAgain;
  const bool answered = slow_.empty() && joined_ == 0 && stream_->queued() == 0;
  if (answered && (phase_ == Phase::kEnding || !reading_)) {
    stream_->SayGoodbye();
    return Next::kClose;
  }
  return Next::kWait;
}

Status ServerConnection::Advance() {
  if (phase_ == Phase::kHandshake) KC_CHECK_OK(Handshake());
  if (phase_ == Phase::kServing) KC_CHECK_OK(Serve());
  return FlushQueue();
}

Status ServerConnection::Handshake() {
  KC_ASSIGN(const bool done, stream_->Handshake());
  if (!done) return Done{};
  KC_ASSIGN(const wire::TlsBinding binding, stream_->Bind());
  connection_->peer.tls_key = binding.peer_spki;
  connection_->exporter = binding.exporter;
  connection_->server_spki = services_.identity->spki();
  auto joined = services_.sessions.Join(connection_->peer);
  if (joined.ok()) {
    connection_->session = std::move(joined).value();
  } else {
    refused_ = joined.code();
  }
  phase_ = Phase::kServing;
  return Done{};
}

bool ServerConnection::WantsRead() const {
  if (phase_ == Phase::kHandshake) return true;
  return phase_ == Phase::kServing && reading_ && blocked_ == Blocked::kNo && HasRoom();
}

bool ServerConnection::HasMore() const {
  if (phase_ != Phase::kServing || !HasRoom()) return false;
  switch (blocked_) {
    case Blocked::kNo: return reading_ && unread_;
    case Blocked::kTurn: return true;
    case Blocked::kQueue: return true;
    case Blocked::kSlow: return false;
  }
  return false;
}

ServerConnection::Blocked ServerConnection::WhyBlocked(const wire::Frame& frame,
                                                       unsigned handled) const {
  if (!HasRoom()) return Blocked::kQueue;
  if (handled >= kFramesPerTurn) return Blocked::kTurn;
  // A Hello or Attest changes what a slow request, running in another thread, may be reading.
  if (!slow_.empty()) {
    const auto request = wire::ParseRequest(frame.body);
    if (request.ok() && IsHandshakeOp(request->op)) return Blocked::kSlow;
  }
  return Blocked::kNo;
}

Status ServerConnection::ReadAhead(Time now) {
  if (in_.empty()) frame_begun_ = now;
  KC_ASSIGN(const auto state, stream_->Read(in_, in_.size() + kReadAhead));
  if (state == wire::TlsStream::ReadState::kClosed) reading_ = false;
  unread_ = state == wire::TlsStream::ReadState::kMore;
  return Done{};
}

Status ServerConnection::Serve() {
  const Time now = services_.clock.Steady();
  if (WantsRead()) KC_CHECK_OK(ReadAhead(now));
  if (connection_->session) connection_->session->ExpireEvidence(services_.clock.Now());
  ByteSpan rest(in_);
  blocked_ = Blocked::kNo;
  for (unsigned handled = 0; phase_ == Phase::kServing; ++handled) {
    ByteSpan after = rest;
    KC_ASSIGN(const std::optional<wire::Frame> frame, wire::TakeFrame(after));
    if (!frame.has_value()) break;
    blocked_ = WhyBlocked(*frame, handled);
    if (blocked_ != Blocked::kNo) break;
    KC_CHECK_OK(HandleFrame(*frame));
    rest = after;
    last_request_ = frame_begun_ = now;
  }
  if (!connection_->hello_done && rest.size() > kMaxBeforeHello) {
    return Fail(Code::kFrameTooLarge, "before Hello");
  }
  in_.erase(in_.begin(), in_.end() - static_cast<ptrdiff_t>(rest.size()));
  if (in_.empty() && in_.capacity() > kKeepBuffer) in_.shrink_to_fit();
  return Done{};
}

Status ServerConnection::HandleFrame(const wire::Frame& frame) {
  if (!connection_->hello_done) return HandleFirst(frame);
  if (movable_) KC_CHECK_OK(TellDrain());
  if (services_.handler.IsSlow(frame)) return TakeSlow(frame);
  return HandleQuick(frame);
}

Status ServerConnection::HandleQuick(const wire::Frame& frame) {
  services_.stats.requests.fetch_add(1, std::memory_order_relaxed);
  const auto reply = services_.handler.HandleOrJoin(*connection_, frame, home_.batch, home_.number);
  if (reply) return stream_->Write(*reply);
  ++joined_;
  return Done{};
}

// A caller that does not begin with Hello does not speak this protocol: it hears so, and that is
// the end.
Status ServerConnection::HandleFirst(const wire::Frame& frame) {
  if (refused_.has_value()) return Refuse(frame.id, *refused_);
  const auto request = wire::ParseRequest(frame.body);
  if (!request.ok()) return Refuse(frame.id, request.code());
  if (request->op != wire::Op::kHello) return Refuse(frame.id, Code::kWrongState);
  services_.stats.requests.fetch_add(1, std::memory_order_relaxed);
  const uint64_t drain = services_.sessions.drain().round();
  KC_CHECK_OK(stream_->Write(services_.handler.Handle(*connection_, frame)));
  if (!connection_->can_move) return Done{};
  movable_ = true;
  services_.sessions.drain().movable.fetch_add(1);
  told_ = drain;  // by the reply
  return Done{};
}

// Before the reply to the request that it came with, so that the caller reads both at once.
Status ServerConnection::TellDrain() {
  const uint64_t drain = services_.sessions.drain().round();
  if (drain == 0 || drain == told_) return Done{};
  told_ = drain;
  return stream_->Write(wire::BuildNotice(wire::Notice::kDrain));
}

Status ServerConnection::Refuse(uint64_t id, Code code) {
  phase_ = Phase::kEnding;
  return stream_->Write(wire::BuildErrorReply(id, 0, code, {}));
}

Status ServerConnection::TakeSlow(const wire::Frame& frame) {
  if (slow_.size() >= services_.limits.requests_in_flight) {
    return stream_->Write(wire::BuildErrorReply(frame.id, 0, Code::kTooManyRequests, {}));
  }
  services_.stats.requests.fetch_add(1, std::memory_order_relaxed);
  slow_.push_back(
      SlowRequest{.id = frame.id, .body = ToBytes(frame.body), .size = frame.body.size()});
  slow_bytes_ += frame.body.size();
  if (slow_.size() == 1) StartSlow();
  return Done{};
}

// The task owns all that it touches: this object may be gone when it ends.
void ServerConnection::StartSlow() {
  SlowRequest& request = slow_.front();
  services_.slow.Submit([handler = &services_.handler, connection = connection_,
                         deliver = home_.deliver, id = request.id, body = std::move(request.body)] {
    deliver(HandleSlow(*handler, *connection, wire::Frame{.id = id, .body = body}));
  });
}

Status ServerConnection::FlushQueue() {
  const size_t before = stream_->queued();
  if (before == 0) return Done{};
  KC_CHECK_OK(stream_->Flush());
  if (stream_->queued() < before) last_sent_ = services_.clock.Steady();
  return Done{};
}

bool ServerConnection::Overdue(Time now) const {
  const ServerLimits& limits = services_.limits;
  if (!connection_->hello_done) return now - opened_ > limits.handshake;
  if (stream_->queued() > 0) return now - std::max(last_sent_, last_request_) > limits.stalled;
  if (!slow_.empty()) return false;
  if (!in_.empty()) return now - frame_begun_ > limits.stalled;
  return now - last_request_ > limits.idle;
}

bool ServerConnection::IsLeftOver(Time now) const {
  if (!movable_ || services_.sessions.drain().round() == 0) return false;
  const bool quiet = in_.empty() && slow_.empty() && joined_ == 0 && stream_->queued() == 0;
  return quiet && now - last_request_ > kLeftOver;
}

}  // namespace keyclave::server
