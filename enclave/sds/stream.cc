#include "enclave/sds/stream.h"

#include <algorithm>
#include <random>

#include "enclave/base/log.h"

namespace keyclave::sds {
namespace {

using std::chrono::milliseconds;

constexpr size_t kMaxUnanswered = 64;
constexpr size_t kMaxText = 200;
constexpr milliseconds kNow{0};
// Certificates to verify with are looked at again so often: they change without us.
constexpr milliseconds kTrustInterval{300'000};
constexpr milliseconds kFirstRetry{500};
constexpr milliseconds kLastRetry{60'000};

double Random() {
  thread_local std::minstd_rand generator(std::random_device{}());
  return std::uniform_real_distribution<double>(0, 1)(generator);
}

milliseconds Scaled(milliseconds time, double factor) {
  return milliseconds(static_cast<int64_t>(static_cast<double>(time.count()) * factor));
}

}  // namespace

std::string Printable(std::string_view text) {
  std::string out(text.substr(0, kMaxText));
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return out;
}

milliseconds RotateAfter(UnixTime now, UnixTime not_after, double random) {
  if (not_after == 0) return kTrustInterval;
  const milliseconds life{std::max<int64_t>(not_after - now, 1) * 1000};
  return Scaled(life, 0.6 + random * 0.1);
}

milliseconds RetryAfter(unsigned failures, double random) {
  const milliseconds wait = kFirstRetry * (1U << std::min(failures, 10U));
  return Scaled(std::min(wait, kLastRetry), 0.5 + random / 2);
}

void Stream::Receive(ByteSpan message) {
  const auto ask = ReadAsk(dialect_, message);
  const std::lock_guard lock(mutex_);
  if (sink_ == nullptr) return;
  if (!ask.ok()) return Finish(EndReason::kInvalid, ask.error().detail());
  if (!ask->type.empty() && ask->type != kSecretType)
    return Finish(EndReason::kInvalid, "only secrets are served here");
  Handle(*ask);
}

void Stream::Handle(const Ask& ask) {
  if (!ask.nonce.empty()) HandleAnswer(ask);
  if (dialect_ == Dialect::kWorld) return HandleWorld(ask);
  for (const std::string& name : ask.unsubscribe) Unsubscribe(name);
  // Who subscribes again wants it again, too.
  for (const std::string& name : ask.subscribe) {
    if (!Subscribe(name)) return;
  }
}

void Stream::HandleAnswer(const Ask& ask) {
  const auto found = unanswered_.find(ask.nonce);
  if (found == unanswered_.end()) return;
  const std::string name = found->second;
  unanswered_.erase(found);
  const auto subscribed = subscriptions_.find(name);
  if (!ask.rejected || subscribed == subscriptions_.end()) return;
  // It goes on with what it had. The next one will have another key and certificate.
  subscribed->second.version.clear();
  Failed(name, subscribed->second, "the caller rejected it: " + Printable(*ask.rejected));
}

void Stream::HandleWorld(const Ask& ask) {
  // What it says of names was said before it saw the latest response: it will say it again.
  const bool stale =
      last_nonce_ != 0 && !ask.nonce.empty() && ask.nonce != std::to_string(last_nonce_);
  if (stale) return;
  const std::vector<std::string>& wanted = *ask.world;
  std::vector<std::string> dropped;
  for (const auto& [name, subscription] : subscriptions_) {
    if (std::find(wanted.begin(), wanted.end(), name) == wanted.end()) dropped.push_back(name);
  }
  for (const std::string& name : dropped) Unsubscribe(name);
  for (const std::string& name : wanted) {
    if (!subscriptions_.contains(name) && !Subscribe(name)) return;
  }
}

bool Stream::Subscribe(const std::string& name) {
  const Hub::ConfigPtr config = hub_.config();
  const auto caller = Authorize(*config, peer_, name);
  if (!caller.ok()) {
    Finish(EndReason::kRefused, caller.error().detail());
    return false;
  }
  Subscription& subscription = subscriptions_[name];
  subscription = {.config = config->secrets.find(name)->second};
  Log(LogLevel::kInfo, *caller + " subscribes to " + name);
  Order(name, kNow);
  return true;
}

void Stream::Unsubscribe(const std::string& name) {
  if (subscriptions_.erase(name) != 0) hub_.Report(id_, name, {});
}

void Stream::Recheck() {
  const Hub::ConfigPtr config = hub_.config();
  const std::lock_guard lock(mutex_);
  if (sink_ == nullptr) return;
  for (auto& [name, subscription] : subscriptions_) {
    const auto caller = Authorize(*config, peer_, name);
    if (!caller.ok()) return Finish(EndReason::kRefused, caller.error().detail());
  }
  for (auto& [name, subscription] : subscriptions_) {
    const SecretConfig& now = config->secrets.find(name)->second;
    const bool looks_again = std::holds_alternative<TrustedCaSecret>(now);
    if (now == subscription.config && !looks_again) continue;
    subscription.config = now;
    Order(name, kNow);
  }
}

void Stream::End() {
  const std::lock_guard lock(mutex_);
  if (sink_ != nullptr) Finish(EndReason::kClosing, "keyclave-sds ends");
}

void Stream::Detach() {
  const std::lock_guard lock(mutex_);
  sink_ = nullptr;
  for (const auto& [name, subscription] : subscriptions_) hub_.Report(id_, name, {});
  subscriptions_.clear();
}

void Stream::Finish(EndReason reason, const std::string& text) {
  if (reason != EndReason::kClosing) Log(LogLevel::kWarning, "refused: " + text);
  for (const auto& [name, subscription] : subscriptions_) hub_.Report(id_, name, {});
  subscriptions_.clear();
  Sink* const sink = std::exchange(sink_, nullptr);
  sink->End(reason, text);
}

void Stream::Order(const std::string& name, milliseconds after) {
  const uint64_t turn = ++last_turn_;
  subscriptions_[name].turn = turn;
  hub_.worker.At(std::chrono::steady_clock::now() + after, [weak = weak_from_this(), name, turn] {
    if (const auto self = weak.lock()) self->Make(name, turn);
  });
}

Stream::Subscription* Stream::Ordered(const std::string& name, uint64_t turn) {
  const auto found = subscriptions_.find(name);
  if (sink_ == nullptr || found == subscriptions_.end() || found->second.turn != turn)
    return nullptr;
  return &found->second;
}

// In a thread of the worker. The enclave is asked without the lock: requests go on meanwhile.
void Stream::Make(const std::string& name, uint64_t turn) {
  SecretConfig config;
  {
    const std::lock_guard lock(mutex_);
    const Subscription* const subscription = Ordered(name, turn);
    if (subscription == nullptr) return;
    config = subscription->config;
  }
  const auto made = hub_.maker.Make(name, config);
  const std::lock_guard lock(mutex_);
  Subscription* const subscription = Ordered(name, turn);
  if (subscription == nullptr) return;
  if (!made.ok()) return Failed(name, *subscription, made.error().Text());
  Deliver(name, *subscription, *made);
}

void Stream::Deliver(const std::string& name, Subscription& subscription, const MadeSecret& made) {
  subscription.failures = 0;
  if (made.version != subscription.version) {
    const std::string nonce = std::to_string(++last_nonce_);
    if (unanswered_.size() >= kMaxUnanswered)
      return Finish(EndReason::kInvalid, Caller() + " does not answer");
    unanswered_[nonce] = name;
    subscription.version = made.version;
    subscription.not_after = made.not_after;
    sink_->Send(EncodeAnswer(
        dialect_,
        {.version = made.version, .nonce = nonce, .name = name, .secret = &made.encoded}));
    Log(LogLevel::kInfo, Caller() + " has " + name + ": " + made.text);
  }
  Report(name, made.text);
  Order(name, RotateAfter(hub_.clock.Now(), made.not_after, Random()));
}

void Stream::Failed(const std::string& name, Subscription& subscription, const std::string& why) {
  const milliseconds wait = RetryAfter(subscription.failures++, Random());
  std::string text = "FAILING (" + std::to_string(subscription.failures) + "): " + why;
  if (!subscription.version.empty()) {
    text += "; in use until " +
            (subscription.not_after == 0 ? std::string("further notice")
                                         : FormatTime(subscription.not_after)) +
            ": " + subscription.version;
  }
  Log(LogLevel::kError, Caller() + ", " + name + ": " + text);
  Report(name, text);
  Order(name, wait);
}

void Stream::Report(const std::string& name, const std::string& what) {
  hub_.Report(id_, name, Caller() + " " + name + ": " + what);
}

std::string Stream::Caller() const {
  const Hub::ConfigPtr config = hub_.config();
  const CallerConfig* const caller = config->FindCaller(peer_.uid, peer_.executable);
  return caller == nullptr ? "uid " + std::to_string(peer_.uid) : caller->name;
}

}  // namespace keyclave::sds
