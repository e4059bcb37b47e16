// The members of a fleet as one process sees them: which is its home, which are worth a try.
//
// Any member can do what any other can, but a session with its logins and objects, and the epoch
// that cached attributes are judged by, are one member's own. So a process has one home at a time
// (docs/adr/0018-a-process-has-one-home.md). Each process prefers the members in an order of its
// own, by chance: that spreads many processes evenly.
// What holds:
// - a member that failed rests, the longer the more often it failed, and is preferred to others
//   again no sooner than kLongestRest later;
// - a member that asks its callers to go is tried after all that may be good;
// - no member is ever left out.
// Time is an argument. Any number of threads may call.
#pragma once

#include <atomic>
#include <optional>
#include <vector>

#include "enclave/base/mutex.h"
#include "enclave/client/connect.h"

namespace keyclave::client {

class Fleet {
 public:
  static constexpr std::chrono::milliseconds kFirstRest{50};
  static constexpr std::chrono::milliseconds kLongestRest{5000};

  // `in_order`: the members are preferred as they are numbered.
  Fleet(size_t size, bool in_order);

  bool has_choice() const { return preferred_.size() > 1; }

  // How a new connection tries the members: the home, unless something is known against it; others
  // of which nothing is; those that have rested; those that are drained; those that rest.
  // `stay`: the home comes first whatever it said.
  std::vector<size_t> Order(Deadline now, bool stay) const;

  // It did not answer as it should.
  void Failed(size_t member, Deadline now);
  // It asks its callers to go elsewhere.
  void Drains(size_t member, Deadline now);
  // It is the home from now on. Whether it was not before.
  bool Settle(size_t member);

  // Whether a home that is preferred to this one may be there.
  bool restless() const { return restless_.load(std::memory_order_relaxed); }
  // Which member that would be, if it may be tried now; nullopt: none for the time being.
  std::optional<size_t> Goal(Deadline now) const;

 private:
  struct Member {
    unsigned failures = 0;
    bool drains = false;
    Deadline rested{};  // worth a try when there is need
    Deadline wanted{};  // worth one without need
  };
  enum class Rank { kHome, kGood, kRested, kDrains, kRests };
  Rank RankOf(size_t member, Deadline now, bool stay) const KC_REQUIRES(mutex_);
  void LookAround() KC_REQUIRES(mutex_);

  const std::vector<size_t> preferred_;  // all of them, the first most
  mutable Mutex mutex_;
  std::vector<Member> members_ KC_GUARDED_BY(mutex_);
  std::optional<size_t> home_ KC_GUARDED_BY(mutex_);
  std::atomic<bool> restless_{false};
};

}  // namespace keyclave::client
