// What is left of one limit of one key, for one caller or for all.
//
// Uses, and the slots of a rate that a fleet shares, are set aside in the vault before they are
// used; what is set aside is counted down here without asking anybody.
#pragma once

#include <atomic>

#include "enclave/authz/limit_rule.h"
#include "enclave/base/clock.h"
#include "enclave/keys/object_store.h"

namespace keyclave::ops {

inline constexpr int64_t kSecond = 1'000'000'000;  // nanoseconds
inline constexpr int64_t kForever = int64_t{100} * 366 * 86400 * kSecond;

// A rate as GCRA has it: each operation moves the time at which the bucket is full again by
// `interval`, and that time may be no more than `fill` ahead.
struct Bucket {
  int64_t interval = 0;  // nanoseconds, as all of these
  int64_t fill = 0;

  explicit Bucket(const authz::LimitRule& rule);
  // Slow enough that a restart must not give a second burst.
  bool IsKept() const;
  // When a bucket that is full again at `busy` is so after one operation more.
  int64_t After(int64_t busy, int64_t now) const {
    return std::clamp(busy, now, now + fill) + interval;
  }
};

Error TooFast(const authz::LimitRule& rule);
Error UsedUp(uint64_t uses);

class LimitCounter {
 public:
  // `full_at`: steady time at which the bucket is full again, as far as the vault knows; `covered`:
  // the vault has it.
  LimitCounter(keys::ObjectStore& store, keys::Usage::Key key, bool is_kept, int64_t full_at,
               bool covered);

  Status TakeUse(uint64_t uses) KC_EXCLUDES(mutex_);
  // Of a bucket that is this daemon's alone. `wall`: seconds since 1970, `now`: steady.
  Status TakeRate(const authz::LimitRule& rule, int64_t now, UnixTime wall) KC_EXCLUDES(mutex_);
  // Of a bucket that a fleet shares: out of slots that were set aside for this member, which are
  // good until they would have passed. `wall`: nanoseconds since 1970.
  Status TakeSlot(const authz::LimitRule& rule, int64_t now, int64_t wall) KC_EXCLUDES(mutex_);

  // Uses that have happened, here or (set aside or happened) elsewhere.
  uint64_t Used() const KC_EXCLUDES(mutex_);
  // What the bucket says to one operation more.
  bool HasRate(const authz::LimitRule& rule, int64_t now) const;
  bool HasSlot(const authz::LimitRule& rule, int64_t now, int64_t wall) const;

  // Takes what is set aside and not used away, for good, and says how the vault is told.
  keys::UsageEdit Close(int64_t now, UnixTime wall) KC_EXCLUDES(mutex_);

  // Nothing of it is in the vault, and the bucket is full: made anew it would be the same.
  bool IsForgettable(int64_t now) const { return !is_kept_.load() && busy_until_.load() <= now; }

 private:
  Status Edit(const std::function<Status(keys::Usage&)>& edit);
  Status Refill(uint64_t uses) KC_REQUIRES(mutex_);
  void RefillAhead(uint64_t uses) KC_EXCLUDES(mutex_);
  Status Cover(int64_t next, int64_t more, int64_t now, UnixTime wall) KC_EXCLUDES(mutex_);
  Status SetSlotsAside(const authz::LimitRule& rule, int64_t now, int64_t wall) KC_REQUIRES(mutex_);
  // How many of `left` have not passed. / One of them.
  uint64_t GoodSlots(uint64_t left, const Bucket& bucket, int64_t now) const;
  bool TakeOneSlot(const Bucket& bucket, int64_t now);

  keys::ObjectStore& store_;
  const keys::Usage::Key key_;
  // Uses that are set aside and not used, and the number of uses under which they were.
  std::atomic<uint64_t> available_{0};
  std::atomic<uint64_t> limit_{0};
  std::atomic<uint64_t> low_{0};  // fewer available: time for the next block
  std::atomic<bool> refilling_{false};
  // Steady time: when the bucket is full again, and up to when the vault has it.
  std::atomic<int64_t> busy_until_;
  std::atomic<int64_t> covered_until_;
  // Slots that were set aside for this member, and the time of the last one.
  std::atomic<uint64_t> slots_{0};
  std::atomic<int64_t> slots_until_{0};
  std::atomic<int64_t> taken_{0};  // of them, since they were
  std::atomic<bool> is_kept_;      // whether the vault has anything of it

  mutable Mutex mutex_;  // held across the commit of a block
  // Set aside under another number of uses: to be given back with the next block.
  uint64_t spare_ KC_GUARDED_BY(mutex_) = 0;
};

}  // namespace keyclave::ops
