#include "enclave/ops/limits.h"

#include <limits>

namespace keyclave::ops {
namespace {

constexpr size_t kReturnedAtOnce = 1024;  // records in one commit
constexpr int64_t kForgetEvery = 60 * kSecond;

// Whose the count is: one caller's, or everybody's.
LimitKey Counted(const LimitKey& key, const authz::LimitRule& rule) {
  static constexpr session::CallerId kEverybody{};
  const bool each = rule.per == authz::LimitRule::Per::kCaller;
  return {.object = key.object,
          .policy = key.policy,
          .permit = key.permit,
          .caller = each ? key.caller : kEverybody};
}

}  // namespace

Limits::Limits(keys::ObjectStore& store, const Clock& clock)
    : store_(store), clock_(clock), started_(SteadyNow()), forgot_at_(started_) {}
Limits::~Limits() = default;

int64_t Limits::SteadyNow() const {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(clock_.Steady().time_since_epoch())
      .count();
}

int64_t Limits::WallNow() const {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(clock_.Wall().time_since_epoch())
      .count();
}

Limits::CounterPtr Limits::Find(const LimitKey& key) const {
  const ReaderLock lock(mutex_);
  const auto object = objects_.find(key.object);
  if (object == objects_.end()) return nullptr;
  const auto found = object->second.find(key);
  return found == object->second.end() ? nullptr : found->second;
}

// A counter that was never kept, and whose bucket is full, is made anew as it was. Not while
// somebody holds it, who may be about to keep it: there must never be two of one name.
void Limits::Forget() {
  const int64_t now = SteadyNow();
  if (now - forgot_at_ < kForgetEvery) return;
  forgot_at_ = now;
  for (auto object = objects_.begin(); object != objects_.end();) {
    Counters& counters = object->second;
    const bool gone = !store_.Get(object->first).ok();
    size_ -= std::erase_if(counters, [&](const auto& entry) {
      if (gone) return true;
      if (entry.second.use_count() > 1) return false;
      std::atomic_thread_fence(std::memory_order_acquire);  // after whoever held it last
      return entry.second->IsForgettable(now);
    });
    object = counters.empty() ? objects_.erase(object) : std::next(object);
  }
}

// Nothing is ever dropped to make room for another: that would begin its count anew.
Status Limits::CheckRoom(const LimitKey& key) {
  const auto full = [&]() KC_REQUIRES(mutex_) {
    const keys::ObjectStore::UsageCount kept = store_.CountUsages(key.object);
    const auto object = objects_.find(key.object);
    const size_t here = object == objects_.end() ? 0 : object->second.size();
    return std::max(kept.of_object, here) >= kMaxPerObject ||
           std::max(kept.of_all, size_) >= kMaxInAll;
  };
  if (!full()) return Done{};
  Forget();
  if (!full()) return Done{};
  return Fail(Code::kLimitReached, "no more callers can be counted");
}

Result<Limits::CounterPtr> Limits::Make(const LimitKey& key, const authz::LimitRule& rule) {
  const WriterLock lock(mutex_);
  if (const auto object = objects_.find(key.object); object != objects_.end()) {
    const auto found = object->second.find(key);
    if (found != object->second.end()) return found->second;
  }
  keys::Usage::Key name{key.object, std::string(key.policy), key.permit, key.caller};
  const std::optional<keys::Usage> kept = store_.FindUsage(name);
  if (!kept.has_value()) KC_CHECK_OK(CheckRoom(key));
  const UnixTime busy_until = kept.has_value() ? kept->busy_until : 0;
  int64_t full_at = 0;
  if (rule.rate.has_value()) {
    const Bucket bucket(rule);
    // The wall clock, as it is the only one that goes on while nothing runs.
    const int64_t ahead = std::clamp<int64_t>(busy_until - clock_.Now(), 0, kForever / kSecond);
    full_at = bucket.IsKept() ? SteadyNow() + ahead * kSecond : started_ + bucket.fill;
  }
  auto counter = std::make_shared<LimitCounter>(store_, std::move(name), kept.has_value(), full_at,
                                                busy_until != 0);
  objects_[key.object].emplace(Name{key.permit, std::string(key.policy), key.caller}, counter);
  ++size_;
  return counter;
}

Result<Limits::CounterPtr> Limits::FindOrMake(const LimitKey& key, const authz::LimitRule& rule) {
  CounterPtr counter = Find(key);
  if (counter != nullptr) return counter;
  return Make(key, rule);
}

Status Limits::Take(const LimitKey& key, const authz::LimitRule& rule) {
  KC_ASSIGN(const CounterPtr counter, FindOrMake(Counted(key, rule), rule));
  if (rule.rate.has_value()) {
    KC_CHECK_OK(store_.is_shared() ? counter->TakeSlot(rule, SteadyNow(), WallNow())
                                   : counter->TakeRate(rule, SteadyNow(), clock_.Now()));
  }
  if (rule.uses.has_value()) return counter->TakeUse(*rule.uses);
  return Done{};
}

Status Limits::Close() {
  std::vector<CounterPtr> counters;
  {
    const ReaderLock lock(mutex_);
    for (const auto& [object, of_object] : objects_) {
      for (const auto& [name, counter] : of_object) counters.push_back(counter);
    }
  }
  Status closed;
  std::vector<keys::UsageEdit> returned;
  const auto put = [&] {
    if (const Status status = store_.EditUsages(returned); !status.ok()) closed = status.error();
    returned.clear();
  };
  for (const CounterPtr& counter : counters) {
    if (counter->IsForgettable(std::numeric_limits<int64_t>::max())) continue;
    returned.push_back(counter->Close(SteadyNow(), clock_.Now()));
    if (returned.size() == kReturnedAtOnce) put();
  }
  if (!returned.empty()) put();
  return closed;
}

Status Limits::Check(const LimitKey& key, const authz::LimitRule& rule) {
  KC_ASSIGN(const CounterPtr counter, FindOrMake(Counted(key, rule), rule));
  if (rule.rate.has_value()) {
    const bool has = store_.is_shared() ? counter->HasSlot(rule, SteadyNow(), WallNow())
                                        : counter->HasRate(rule, SteadyNow());
    if (!has) return TooFast(rule);
  }
  if (rule.uses.has_value() && counter->Used() >= *rule.uses) return UsedUp(*rule.uses);
  return Done{};
}

uint64_t Limits::Used(const LimitKey& key, const authz::LimitRule& rule) const {
  const LimitKey counted = Counted(key, rule);
  if (const CounterPtr counter = Find(counted)) return counter->Used();
  const auto usage = store_.FindUsage(
      {counted.object, std::string(counted.policy), counted.permit, counted.caller});
  return usage.has_value() ? usage->uses : 0;
}

}  // namespace keyclave::ops
