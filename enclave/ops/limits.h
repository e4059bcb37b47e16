// What is left of policies' limits (docs/policy.md, "Limits").
//
// Uses: over the life of a key no more operations than the permit says succeed, whatever crashes.
// They are set aside in the vault, a block at a time, before they are used: a crash loses what is
// left of a block and never gives one back; a clean end gives back what was not used. Blocks are a
// 64th of what remains, so that nothing is lost to the end but by crashes.
// Rates: a bucket of `burst` operations that fills at the rate (GCRA). One that takes a minute or
// more to fill is set aside in the vault in the same way and goes on where it was; a quicker one is
// empty when the daemon starts. So a restart gives no second burst.
// Over a fleet both hold for all members together: what a member sets aside, it has from the store
// that all share. One that is cut off from it goes on with what it has, and then refuses.
#pragma once

#include <memory>
#include <tuple>
#include <unordered_map>

#include "enclave/keys/key_cache.h"
#include "enclave/ops/limit_counter.h"
#include "enclave/session/caller_id.h"

namespace keyclave::ops {

// Which limit it is. A new version of the policy goes on with the counts of the old one: a permit
// is known by its place.
struct LimitKey {
  const wire::ObjectId& object;
  std::string_view policy;          // its name
  uint64_t permit = 0;              // its place in the policy, from 1
  const session::CallerId& caller;  // counts only where the rule is per caller
};

class Limits {
 public:
  static constexpr size_t kMaxPerObject = 65536;
  static constexpr size_t kMaxInAll = 262144;

  // The references must outlive it.
  Limits(keys::ObjectStore& store, const Clock& clock);
  ~Limits();

  // Counts one operation. kLimitReached; the store's error where the next block cannot be set
  // aside. Quick but for that: nothing is locked across the disk for those who find the block not
  // yet used up.
  Status Take(const LimitKey& key, const authz::LimitRule& rule);
  // Gives back what is set aside and not used; after the last Take. The store's error: then it
  // stays set aside.
  Status Close();

  // What Take would say now; counts nothing.
  Status Check(const LimitKey& key, const authz::LimitRule& rule);
  // How many of the rule's uses have happened, or may have before a crash.
  uint64_t Used(const LimitKey& key, const authz::LimitRule& rule) const;

 private:
  using CounterPtr = std::shared_ptr<LimitCounter>;
  struct Less {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      const std::string_view mine = a.policy;
      const std::string_view theirs = b.policy;
      return std::tie(a.permit, mine, a.caller) < std::tie(b.permit, theirs, b.caller);
    }
  };
  struct Name {  // of a counter of one object
    uint64_t permit = 0;
    std::string policy;
    session::CallerId caller{};
  };
  using Counters = std::map<Name, CounterPtr, Less>;

  int64_t SteadyNow() const;
  int64_t WallNow() const;  // nanoseconds since 1970
  CounterPtr Find(const LimitKey& key) const KC_EXCLUDES(mutex_);
  Result<CounterPtr> FindOrMake(const LimitKey& key, const authz::LimitRule& rule);
  Result<CounterPtr> Make(const LimitKey& key, const authz::LimitRule& rule) KC_EXCLUDES(mutex_);
  Status CheckRoom(const LimitKey& key) KC_REQUIRES(mutex_);
  void Forget() KC_REQUIRES(mutex_);

  keys::ObjectStore& store_;
  const Clock& clock_;
  const int64_t started_;  // steady, nanoseconds
  mutable SharedMutex mutex_;
  std::unordered_map<wire::ObjectId, Counters, keys::ObjectIdHash> objects_ KC_GUARDED_BY(mutex_);
  size_t size_ KC_GUARDED_BY(mutex_) = 0;
  int64_t forgot_at_ KC_GUARDED_BY(mutex_);
};

}  // namespace keyclave::ops
