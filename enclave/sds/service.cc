#include "enclave/sds/service.h"

#include <deque>

#include "enclave/base/log.h"

namespace keyclave::sds {
namespace {

constexpr size_t kMaxFetched = 64;  // secrets in one FetchSecrets

Result<Bytes> ToMessage(const grpc::ByteBuffer& buffer) {
  grpc::Slice slice;
  if (!buffer.DumpToSingleSlice(&slice).ok())
    return Fail(Code::kMalformed, "an unreadable message");
  return Bytes(slice.begin(), slice.end());
}

// gRPC reads the secret where it is, and gives it back when it is sent.
grpc::ByteBuffer ToBuffer(SecretBytes secret) {
  auto held = std::make_unique<SecretBytes>(std::move(secret));
  const auto bytes = held->ExposeMutable(SecretAccess());
  const grpc::Slice slice(
      bytes.data(), bytes.size(),
      [](void* kept) { const std::unique_ptr<SecretBytes> owned(static_cast<SecretBytes*>(kept)); },
      held.release());
  return {&slice, 1};
}

grpc::Status ToStatus(EndReason reason, const std::string& text) {
  switch (reason) {
    case EndReason::kRefused: return {grpc::StatusCode::PERMISSION_DENIED, text};
    case EndReason::kInvalid: return {grpc::StatusCode::INVALID_ARGUMENT, text};
    case EndReason::kClosing: return {grpc::StatusCode::UNAVAILABLE, text};
  }
  return {grpc::StatusCode::INTERNAL, text};
}

class RefusedStream final : public Service::Bidi {
 public:
  explicit RefusedStream(const std::string& text) { Finish(ToStatus(EndReason::kRefused, text)); }
  void OnDone() override { delete this; }
};

// A stream's reads go to Stream, one after the other; its writes come from there, in its order.
class GrpcStream final : public Service::Bidi, public Sink {
 public:
  GrpcStream(Hub& hub, Dialect dialect, const Peer& peer)
      : stream_(std::make_shared<Stream>(hub, dialect, peer, *this)) {
    hub.Add(stream_);
    StartRead(&read_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) return FinishOnce(grpc::Status::OK);
    const auto message = ToMessage(read_);
    if (!message.ok()) return FinishOnce(ToStatus(EndReason::kInvalid, message.error().detail()));
    stream_->Receive(*message);
    const std::lock_guard lock(mutex_);
    if (!finished_) StartRead(&read_);
  }
  void OnWriteDone(bool ok) override {
    const std::lock_guard lock(mutex_);
    waiting_.pop_front();
    if (ok && !finished_ && !waiting_.empty()) StartWrite(&waiting_.front());
  }
  void OnCancel() override { FinishOnce(grpc::Status::CANCELLED); }
  void OnDone() override {
    stream_->Detach();
    delete this;
  }

  void Send(SecretBytes response) override {
    const std::lock_guard lock(mutex_);
    if (finished_) return;
    waiting_.push_back(ToBuffer(std::move(response)));
    if (waiting_.size() == 1) StartWrite(&waiting_.front());
  }
  void End(EndReason reason, const std::string& text) override {
    FinishOnce(ToStatus(reason, text));
  }

 private:
  void FinishOnce(const grpc::Status& status) {
    const std::lock_guard lock(mutex_);
    if (std::exchange(finished_, true)) return;
    Finish(status);
  }

  std::mutex mutex_;
  std::deque<grpc::ByteBuffer> waiting_;  // the first is being written
  bool finished_ = false;
  grpc::ByteBuffer read_;
  const std::shared_ptr<Stream> stream_;
};

// Makes all that was asked for; the first that cannot be made is the answer.
class Fetch final : public grpc::ServerUnaryReactor {
 public:
  Fetch(Hub& hub, const Peer& peer, const grpc::ByteBuffer& request, grpc::ByteBuffer& response) {
    auto message = ToMessage(request);
    hub.worker.At(std::chrono::steady_clock::now(),
                  [this, &hub, peer, &response, message = std::move(message)] {
                    Finish(message.ok() ? Run(hub, peer, *message, response)
                                        : ToStatus(EndReason::kInvalid, message.error().detail()));
                  });
  }
  void OnDone() override { delete this; }

 private:
  static grpc::Status Refuse(EndReason reason, const std::string& text) {
    Log(LogLevel::kWarning, "refused: " + text);
    return ToStatus(reason, text);
  }

  static grpc::Status Run(Hub& hub, const Peer& peer, const Bytes& message,
                          grpc::ByteBuffer& response) {
    const auto ask = ReadAsk(Dialect::kWorld, message);
    if (!ask.ok()) return Refuse(EndReason::kInvalid, ask.error().detail());
    if (!ask->type.empty() && ask->type != kSecretType)
      return Refuse(EndReason::kInvalid, "only secrets are served here");
    if (ask->world->empty() || ask->world->size() > kMaxFetched)
      return Refuse(EndReason::kInvalid, "1 to 64 names of secrets");
    const Hub::ConfigPtr config = hub.config();
    std::vector<SecretBytes> secrets;
    std::string version;
    for (const std::string& name : *ask->world) {
      const auto caller = Authorize(*config, peer, name);
      if (!caller.ok()) return Refuse(EndReason::kRefused, caller.error().detail());
      auto made = hub.maker.Make(name, config->secrets.find(name)->second);
      if (!made.ok()) {
        Log(LogLevel::kError, *caller + ", " + name + ": " + made.error().Text());
        return ToStatus(EndReason::kClosing, "the secret cannot be made now");
      }
      Log(LogLevel::kInfo, *caller + " has " + name + ": " + made->text);
      version.append(version.empty() ? "" : "+").append(made->version);
      secrets.push_back(std::move(made->encoded));
    }
    response = ToBuffer(EncodeAnswers(version, secrets));
    return grpc::Status::OK;
  }
};

class RefusedFetch final : public grpc::ServerUnaryReactor {
 public:
  explicit RefusedFetch(const std::string& text) { Finish(ToStatus(EndReason::kRefused, text)); }
  void OnDone() override { delete this; }
};

constexpr const char* kStranger = "nobody knows this connection";

}  // namespace

void Peers::Set(const std::string& name, const Peer& peer) {
  const std::lock_guard lock(mutex_);
  peers_[name] = peer;
}

std::optional<Peer> Peers::Find(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = peers_.find(name);
  if (found == peers_.end()) return std::nullopt;
  return found->second;
}

Service::Bidi* Service::Open(const grpc::CallbackServerContext& context, Dialect dialect) {
  const auto peer = peers_.Find(context.peer());
  if (!peer) return new RefusedStream(kStranger);
  return new GrpcStream(hub_, dialect, *peer);
}

Service::Bidi* Service::StreamSecrets(grpc::CallbackServerContext* context) {
  return Open(*context, Dialect::kWorld);
}

Service::Bidi* Service::DeltaSecrets(grpc::CallbackServerContext* context) {
  return Open(*context, Dialect::kDelta);
}

grpc::ServerUnaryReactor* Service::FetchSecrets(grpc::CallbackServerContext* context,
                                                const grpc::ByteBuffer* request,
                                                grpc::ByteBuffer* response) {
  const auto peer = peers_.Find(context->peer());
  if (!peer) return new RefusedFetch(kStranger);
  return new Fetch(hub_, *peer, *request, *response);
}

}  // namespace keyclave::sds
