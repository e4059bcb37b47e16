#include "enclave/ops/limit_counter.h"

#include <limits>

#include "enclave/base/log.h"

namespace keyclave::ops {
namespace {

constexpr int64_t kQuickBucket = 60 * kSecond;  // one that fills sooner is not kept
constexpr uint64_t kBlocks = 64;
constexpr uint64_t kMaxBlock = 65536;
constexpr int64_t kSlotsFor =
    kSecond / 10;  // of a rate are set aside at once, where the burst allows
constexpr int64_t kNever = std::numeric_limits<int64_t>::min();

uint64_t BlockOf(uint64_t remaining) {
  return std::clamp<uint64_t>(remaining / kBlocks, 1, kMaxBlock);
}

// Whole seconds, rounded up at both ends.
UnixTime SecondsAhead(UnixTime wall, int64_t ahead) { return wall + ahead / kSecond + 2; }

}  // namespace

Error TooFast(const authz::LimitRule& rule) {
  return Fail(Code::kLimitReached, std::to_string(rule.rate->count) + " in " +
                                       std::to_string(rule.rate->seconds) + " s");
}

Error UsedUp(uint64_t uses) {
  return Fail(Code::kLimitReached, "all of " + std::to_string(uses) + " uses");
}

Bucket::Bucket(const authz::LimitRule& rule) {
  const auto span = static_cast<int64_t>(rule.rate->seconds) * kSecond;
  const auto count = static_cast<int64_t>(rule.rate->count);
  interval = (span + count - 1) / count;  // rounded up: never faster than was said
  const auto burst = static_cast<int64_t>(rule.burst);
  fill = burst > kForever / interval ? kForever : burst * interval;
}

bool Bucket::IsKept() const { return fill >= kQuickBucket; }

LimitCounter::LimitCounter(keys::ObjectStore& store, keys::Usage::Key key, bool is_kept,
                           int64_t full_at, bool covered)
    : store_(store),
      key_(std::move(key)),
      busy_until_(full_at),
      covered_until_(covered ? full_at : kNever),
      is_kept_(is_kept) {}

Status LimitCounter::Edit(const std::function<Status(keys::Usage&)>& edit) {
  KC_CHECK_OK(store_.EditUsages({{key_, edit}}));
  is_kept_.store(true);
  return Done{};
}

// ---- uses ----

// Afterwards something is available, unless somebody was quicker: then once more.
Status LimitCounter::Refill(uint64_t uses) {
  // What another number of uses set aside does not count under this one.
  if (limit_.load() != uses) {
    spare_ += available_.exchange(0);
    limit_.store(uses);
  }
  uint64_t granted = 0;
  const uint64_t spare = spare_;
  const Status kept = Edit([&](keys::Usage& now) -> Status {
    const uint64_t set_aside = now.uses - std::min(spare, now.uses);
    if (set_aside >= uses) return UsedUp(uses);
    // With what is left of the last block no more than one.
    const uint64_t used = set_aside - std::min(available_.load(), set_aside);
    const uint64_t target = std::max(used + BlockOf(uses - used), set_aside);
    granted = target - set_aside;
    now.uses = target;
    return Done{};
  });
  if (!kept.ok()) {
    low_.store(0);  // not before the last one is gone
    return available_.load() != 0 ? Status() : kept;
  }
  spare_ = 0;
  low_.store((available_.fetch_add(granted) + granted) / 2);
  return Done{};
}

Status LimitCounter::TakeUse(uint64_t uses) {
  for (;;) {
    uint64_t left = limit_.load() == uses ? available_.load() : 0;
    while (left != 0) {
      if (!available_.compare_exchange_weak(left, left - 1)) continue;
      if (left - 1 < low_.load()) RefillAhead(uses);
      return Done{};
    }
    const MutexLock lock(mutex_);
    if (limit_.load() == uses && available_.load() != 0) continue;
    KC_CHECK_OK(Refill(uses));
  }
}

// One does it while the others go on with what is left.
void LimitCounter::RefillAhead(uint64_t uses) {
  if (refilling_.exchange(true)) return;
  {
    const MutexLock lock(mutex_);
    const bool still = limit_.load() == uses && available_.load() < low_.load();
    const Status refilled = still ? Refill(uses) : Status();
    if (!refilled.ok() && refilled.code() != Code::kLimitReached)
      Log(LogLevel::kWarning, "no more uses can be set aside: " + refilled.error().Text());
  }
  refilling_.store(false);
}

uint64_t LimitCounter::Used() const {
  const MutexLock lock(mutex_);
  const auto kept = store_.FindUsage(key_);
  const uint64_t unused = available_.load() + spare_;
  return kept.has_value() ? kept->uses - std::min(unused, kept->uses) : 0;
}

// ---- a rate of this daemon's own ----

Status LimitCounter::TakeRate(const authz::LimitRule& rule, int64_t now, UnixTime wall) {
  const Bucket bucket(rule);
  int64_t busy = busy_until_.load();
  for (;;) {
    // A clock that was put back, or a larger burst, does not keep it empty for longer.
    if (busy > now + bucket.fill) {
      if (busy_until_.compare_exchange_weak(busy, now + bucket.fill)) busy = now + bucket.fill;
      continue;
    }
    const int64_t next = bucket.After(busy, now);
    if (next - now > bucket.fill) return TooFast(rule);
    if (bucket.IsKept() && next > covered_until_.load())
      KC_CHECK_OK(Cover(next, bucket.fill / static_cast<int64_t>(kBlocks), now, wall));
    if (busy_until_.compare_exchange_weak(busy, next)) return Done{};
  }
}

// Puts into the vault that the bucket may be busy until `next`, and some more.
Status LimitCounter::Cover(int64_t next, int64_t more, int64_t now, UnixTime wall) {
  const MutexLock lock(mutex_);
  if (next <= covered_until_.load()) return Done{};
  const int64_t until = next + more;
  KC_CHECK_OK(Edit([&](keys::Usage& usage) -> Status {
    usage.busy_until = SecondsAhead(wall, until - now);
    return Done{};
  }));
  covered_until_.store(until);
  return Done{};
}

bool LimitCounter::HasRate(const authz::LimitRule& rule, int64_t now) const {
  const Bucket bucket(rule);
  return bucket.After(busy_until_.load(), now) - now <= bucket.fill;
}

// ---- a rate that a fleet shares ----

// Each slot has its time, the last one's is `slots_until_`: one that has passed is gone.
uint64_t LimitCounter::GoodSlots(uint64_t left, const Bucket& bucket, int64_t now) const {
  const int64_t ahead = slots_until_.load() - now;
  if (ahead <= 0) return 0;
  return std::min(left, static_cast<uint64_t>((ahead + bucket.interval - 1) / bucket.interval));
}

bool LimitCounter::TakeOneSlot(const Bucket& bucket, int64_t now) {
  uint64_t left = slots_.load();
  for (;;) {
    const uint64_t good = GoodSlots(left, bucket, now);
    if (good == 0) return false;
    if (!slots_.compare_exchange_weak(left, good - 1)) continue;
    taken_.fetch_add(1);
    return true;
  }
}

Status LimitCounter::TakeSlot(const authz::LimitRule& rule, int64_t now, int64_t wall) {
  const Bucket bucket(rule);
  while (!TakeOneSlot(bucket, now)) {
    const MutexLock lock(mutex_);
    if (GoodSlots(slots_.load(), bucket, now) != 0) continue;
    KC_CHECK_OK(SetSlotsAside(rule, now, wall));
  }
  return Done{};
}

// The vault has when the bucket is full again; these slots end before that, so that together no
// more than the burst and the rate are used, whoever has how many. Slots that pass unused are lost
// for everybody: no more are set aside than twice what was used of the last ones.
Status LimitCounter::SetSlotsAside(const authz::LimitRule& rule, int64_t now, int64_t wall) {
  const Bucket bucket(rule);
  const int64_t most = std::max(kSlotsFor / bucket.interval, int64_t{1});
  const int64_t wanted = std::clamp(2 * taken_.exchange(0), int64_t{1}, most);
  int64_t count = 0;
  int64_t until = 0;
  slots_.store(0);
  KC_CHECK_OK(Edit([&](keys::Usage& usage) -> Status {
    const int64_t busy = std::clamp(usage.full_at.value_or(0), wall, wall + bucket.fill);
    const int64_t room = (wall + bucket.fill - busy) / bucket.interval;
    if (room < 1) return TooFast(rule);
    count = std::min(room, wanted);
    until = busy + count * bucket.interval;
    usage.full_at = until;
    return Done{};
  }));
  slots_until_.store(now + (until - wall));
  slots_.store(static_cast<uint64_t>(count));
  return Done{};
}

bool LimitCounter::HasSlot(const authz::LimitRule& rule, int64_t now, int64_t wall) const {
  const Bucket bucket(rule);
  if (GoodSlots(slots_.load(), bucket, now) != 0) return true;
  const auto kept = store_.FindUsage(key_);
  const int64_t busy = kept.has_value() ? kept->full_at.value_or(0) : 0;
  return bucket.After(busy, wall) - wall <= bucket.fill;
}

// First here, then in the vault: a commit that fails may be there all the same.
keys::UsageEdit LimitCounter::Close(int64_t now, UnixTime wall) {
  const MutexLock lock(mutex_);
  const uint64_t unused = available_.exchange(0) + spare_;
  spare_ = 0;
  limit_.store(0);
  covered_until_.store(kNever);
  const UnixTime full = SecondsAhead(wall, std::max<int64_t>(busy_until_.load() - now, 0));
  return {key_, [unused, full](keys::Usage& usage) -> Status {
            usage.uses -= std::min(unused, usage.uses);
            usage.busy_until = std::min(usage.busy_until, full);
            return Done{};
          }};
}

}  // namespace keyclave::ops
