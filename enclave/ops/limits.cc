#include "enclave/ops/limits.h"

#include <limits>

#include "enclave/base/log.h"

namespace keyclave::ops {
namespace {

constexpr int64_t kSecond = 1'000'000'000;  // nanoseconds
constexpr int64_t kForever = int64_t{100} * 366 * 86400 * kSecond;
constexpr int64_t kQuickBucket = 60 * kSecond;  // one that fills sooner is not kept
constexpr uint64_t kBlocks = 64;
constexpr uint64_t kMaxBlock = 65536;
constexpr size_t kReturnedAtOnce = 1024;  // records in one commit
constexpr int64_t kForgetEvery = 60 * kSecond;

uint64_t BlockOf(uint64_t remaining) {
  return std::clamp<uint64_t>(remaining / kBlocks, 1, kMaxBlock);
}

// A rate as GCRA has it: each operation moves the time at which the bucket is full again by
// `interval`, and that time may be no more than `fill` ahead.
struct Bucket {
  int64_t interval = 0;
  int64_t fill = 0;

  explicit Bucket(const authz::LimitRule& rule) {
    const auto span = static_cast<int64_t>(rule.rate->seconds) * kSecond;
    const auto count = static_cast<int64_t>(rule.rate->count);
    interval = (span + count - 1) / count;  // rounded up: never faster than was said
    const auto burst = static_cast<int64_t>(rule.burst);
    fill = burst > kForever / interval ? kForever : burst * interval;
  }
  bool IsKept() const { return fill >= kQuickBucket; }
  // When a bucket that is full again at `busy` is so after one operation more.
  int64_t After(int64_t busy, int64_t now) const {
    return std::clamp(busy, now, now + fill) + interval;
  }
};

// Whose the count is: one caller's, or everybody's.
LimitKey Counted(const LimitKey& key, const authz::LimitRule& rule) {
  static constexpr session::CallerId kEverybody{};
  const bool each = rule.per == authz::LimitRule::Per::kCaller;
  return {.object = key.object,
          .policy = key.policy,
          .permit = key.permit,
          .caller = each ? key.caller : kEverybody};
}

Error TooFast(const authz::LimitRule& rule) {
  return Fail(Code::kLimitReached, std::to_string(rule.rate->count) + " in " +
                                       std::to_string(rule.rate->seconds) + " s");
}

Error UsedUp(uint64_t uses) {
  return Fail(Code::kLimitReached, "all of " + std::to_string(uses) + " uses");
}

}  // namespace

struct Limits::Counter {
  Counter(keys::Usage stored, int64_t full_at)
      : busy_until(full_at),
        covered_until(stored.busy_until != 0 ? full_at : std::numeric_limits<int64_t>::min()),
        is_kept(stored.uses != 0 || stored.busy_until != 0),
        kept(std::move(stored)),
        released(kept.uses) {}

  // Uses that are set aside and not used, and the number of uses under which they were.
  std::atomic<uint64_t> available{0};
  std::atomic<uint64_t> limit{0};
  std::atomic<uint64_t> low{0};  // fewer available: time for the next block
  std::atomic<bool> refilling{false};
  // Steady time, nanoseconds: when the bucket is full again, and up to when the vault has it.
  std::atomic<int64_t> busy_until;
  std::atomic<int64_t> covered_until;
  std::atomic<bool> is_kept;  // whether the vault has anything of it

  Mutex mutex;                                 // held across the commit of a block
  keys::Usage kept KC_GUARDED_BY(mutex);       // as it is in the vault
  uint64_t released KC_GUARDED_BY(mutex) = 0;  // used, or available: at most kept.uses

  // Into the vault, and then into `kept`.
  Status Keep(keys::ObjectStore& store, keys::Usage next) KC_REQUIRES(mutex) {
    KC_CHECK_OK(store.PutUsages({next}));
    kept = std::move(next);
    is_kept.store(true);
    return Done{};
  }
  Status Refill(keys::ObjectStore& store, uint64_t uses) KC_REQUIRES(mutex);
  // Takes back what is available; what is released is then what was used.
  void Recall(uint64_t next_limit) KC_REQUIRES(mutex) {
    released -= available.exchange(0);
    limit.store(next_limit);
  }
  uint64_t Used() {
    const MutexLock lock(mutex);
    return released - available.load();
  }
};

// Afterwards something is available, unless somebody was quicker: then once more.
Status Limits::Counter::Refill(keys::ObjectStore& store, uint64_t uses) {
  // What another number of uses set aside does not count under this one.
  if (limit.load() != uses) Recall(uses);
  const uint64_t used = released - available.load();
  if (used >= uses) return UsedUp(uses);
  uint64_t target = used + BlockOf(uses - used);
  low.store((target - used) / 2);
  if (kept.uses < target) {
    keys::Usage next = kept;
    next.uses = target;
    const Status put = Keep(store, std::move(next));
    if (!put.ok()) {
      low.store(0);  // not before the last one is gone
      target = std::min(kept.uses, uses);
      if (target <= released) return available.load() != 0 ? Status() : put;
    }
  }
  if (target > released) {
    available.fetch_add(target - released);
    released = target;
  }
  return Done{};
}

Limits::Limits(keys::ObjectStore& store, const Clock& clock)
    : store_(store), clock_(clock), started_(SteadyNow()), forgot_at_(started_) {}
Limits::~Limits() = default;

int64_t Limits::SteadyNow() const {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(clock_.Steady().time_since_epoch())
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
      const Counter& counter = *entry.second;
      if (gone) return true;
      if (entry.second.use_count() > 1) return false;
      std::atomic_thread_fence(std::memory_order_acquire);  // after whoever held it last
      return !counter.is_kept.load() && counter.busy_until.load() <= now;
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
  std::optional<keys::Usage> kept = store_.FindUsage(name);
  if (!kept.has_value()) {
    KC_CHECK_OK(CheckRoom(key));
    kept = keys::Usage{.key = std::move(name), .uses = 0, .busy_until = 0};
  }
  int64_t full_at = 0;
  if (rule.rate.has_value()) {
    const Bucket bucket(rule);
    // The wall clock, as it is the only one that goes on while nothing runs.
    const int64_t ahead =
        std::clamp<int64_t>(kept->busy_until - clock_.Now(), 0, kForever / kSecond);
    full_at = bucket.IsKept() ? SteadyNow() + ahead * kSecond : started_ + bucket.fill;
  }
  auto counter = std::make_shared<Counter>(*std::move(kept), full_at);
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
  if (rule.rate.has_value()) KC_CHECK_OK(TakeRate(*counter, rule));
  if (rule.uses.has_value()) return TakeUse(*counter, *rule.uses);
  return Done{};
}

Status Limits::TakeRate(Counter& counter, const authz::LimitRule& rule) {
  const Bucket bucket(rule);
  const int64_t now = SteadyNow();
  int64_t busy = counter.busy_until.load();
  for (;;) {
    // A clock that was put back, or a larger burst, does not keep it empty for longer.
    if (busy > now + bucket.fill) {
      if (counter.busy_until.compare_exchange_weak(busy, now + bucket.fill))
        busy = now + bucket.fill;
      continue;
    }
    const int64_t next = bucket.After(busy, now);
    if (next - now > bucket.fill) return TooFast(rule);
    if (bucket.IsKept() && next > counter.covered_until.load())
      KC_CHECK_OK(Cover(counter, next, bucket.fill / static_cast<int64_t>(kBlocks)));
    if (counter.busy_until.compare_exchange_weak(busy, next)) return Done{};
  }
}

// Puts into the vault that the bucket may be busy until `next`, and some more.
Status Limits::Cover(Counter& counter, int64_t next, int64_t more) {
  const MutexLock lock(counter.mutex);
  if (next <= counter.covered_until.load()) return Done{};
  const int64_t until = next + more;
  keys::Usage usage = counter.kept;
  // Whole seconds, rounded up at both ends.
  usage.busy_until = clock_.Now() + (until - SteadyNow()) / kSecond + 2;
  KC_CHECK_OK(counter.Keep(store_, std::move(usage)));
  counter.covered_until.store(until);
  return Done{};
}

Status Limits::TakeUse(Counter& counter, uint64_t uses) {
  for (;;) {
    uint64_t left = counter.limit.load() == uses ? counter.available.load() : 0;
    while (left != 0) {
      if (!counter.available.compare_exchange_weak(left, left - 1)) continue;
      if (left - 1 < counter.low.load()) RefillAhead(counter, uses);
      return Done{};
    }
    const MutexLock lock(counter.mutex);
    if (counter.limit.load() == uses && counter.available.load() != 0) continue;
    KC_CHECK_OK(counter.Refill(store_, uses));
  }
}

// One does it while the others go on with what is left.
void Limits::RefillAhead(Counter& counter, uint64_t uses) {
  if (counter.refilling.exchange(true)) return;
  {
    const MutexLock lock(counter.mutex);
    const bool still = counter.limit.load() == uses && counter.available.load() < counter.low;
    const Status refilled = still ? counter.Refill(store_, uses) : Status();
    if (!refilled.ok() && refilled.code() != Code::kLimitReached)
      Log(LogLevel::kWarning, "no more uses can be set aside: " + refilled.error().Text());
  }
  counter.refilling.store(false);
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
  std::vector<keys::Usage> returned;
  const auto put = [&] {
    if (const Status status = store_.PutUsages(returned); !status.ok()) closed = status.error();
    returned.clear();
  };
  for (const CounterPtr& counter : counters) {
    const MutexLock lock(counter->mutex);
    // First here, then in the vault: a commit that fails may be there all the same.
    counter->Recall(0);
    const keys::Usage before = counter->kept;
    counter->kept.uses = counter->released;
    const int64_t ahead = std::max<int64_t>(counter->busy_until.load() - SteadyNow(), 0);
    counter->covered_until.store(std::numeric_limits<int64_t>::min());
    counter->kept.busy_until = std::min(before.busy_until, clock_.Now() + ahead / kSecond + 2);
    if (counter->kept.uses != before.uses || counter->kept.busy_until != before.busy_until)
      returned.push_back(counter->kept);
    if (returned.size() == kReturnedAtOnce) put();
  }
  if (!returned.empty()) put();
  return closed;
}

Status Limits::Check(const LimitKey& key, const authz::LimitRule& rule) {
  KC_ASSIGN(const CounterPtr counter, FindOrMake(Counted(key, rule), rule));
  if (rule.rate.has_value()) {
    const Bucket bucket(rule);
    const int64_t now = SteadyNow();
    if (bucket.After(counter->busy_until.load(), now) - now > bucket.fill) return TooFast(rule);
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
