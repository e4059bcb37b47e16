// One stream of secrets to one caller: what it is subscribed to, what it has acknowledged, and when
// each secret is to be made anew. Both protocols of xDS (Dialect); nothing of gRPC.
#pragma once

#include "enclave/sds/hub.h"
#include "enclave/sds/messages.h"

namespace keyclave::sds {

enum class EndReason : uint8_t {
  kRefused,  // the caller may not have what it asks for
  kInvalid,  // it does not speak the protocol
  kClosing,  // this program ends
};

// Where the stream's responses go. Called with the stream's lock held.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void Send(SecretBytes response) = 0;
  virtual void End(EndReason reason, const std::string& text) = 0;
};

class Stream : public std::enable_shared_from_this<Stream> {
 public:
  Stream(Hub& hub, Dialect dialect, const Peer& peer, Sink& sink)
      : hub_(hub), dialect_(dialect), peer_(peer), id_(hub.NextStreamId()), sink_(&sink) {}

  void Receive(ByteSpan message);
  // The configuration is another one.
  void Recheck();
  void End();
  // The sink is about to go.
  void Detach();

 private:
  struct Subscription {
    uint64_t turn = 0;  // of the order that counts; older ones are void
    SecretConfig config;
    unsigned failures = 0;
    std::string version = {};  // sent last; empty: nothing yet
    UnixTime not_after = 0;    // of what was sent last
  };

  void Handle(const Ask& ask);
  void HandleAnswer(const Ask& ask);
  void HandleWorld(const Ask& ask);
  bool Subscribe(const std::string& name);
  void Unsubscribe(const std::string& name);
  void Finish(EndReason reason, const std::string& text);

  // Has the secret made, after so many milliseconds.
  void Order(const std::string& name, std::chrono::milliseconds after);
  void Make(const std::string& name, uint64_t turn);
  Subscription* Ordered(const std::string& name, uint64_t turn);
  void Deliver(const std::string& name, Subscription& subscription, const MadeSecret& made);
  void Failed(const std::string& name, Subscription& subscription, const std::string& why);
  void Report(const std::string& name, const std::string& what);
  std::string Caller() const;

  Hub& hub_;
  const Dialect dialect_;
  const Peer peer_;
  const uint64_t id_;
  std::mutex mutex_;
  Sink* sink_;  // null: ended
  std::map<std::string, Subscription, std::less<>> subscriptions_;
  std::map<std::string, std::string, std::less<>> unanswered_;  // nonce -> secret
  uint64_t last_nonce_ = 0;                                     // 0: nothing was sent
  uint64_t last_turn_ = 0;
};

// What others sent, as a part of a line for people: short, and without control characters.
std::string Printable(std::string_view text);
// When a secret that was made now and ends then is to be made anew: about two thirds of its life,
// `random` (0 to 1) spreads it; never for what has no end.
std::chrono::milliseconds RotateAfter(UnixTime now, UnixTime not_after, double random);
// How long to wait after so many failures in a row.
std::chrono::milliseconds RetryAfter(unsigned failures, double random);

}  // namespace keyclave::sds
