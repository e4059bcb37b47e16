// An etcd in memory, with the faults of a real one: it is away, it carries out what it does not
// answer, it forgets old revisions, it is put back.
#pragma once

#include <functional>
#include <map>

#include "enclave/base/mutex.h"
#include "enclave/fleet/etcd.h"

namespace keyclave::fakes {

class MemoryEtcd final : public fleet::Etcd {
 public:
  static constexpr size_t kMaxOperations = 128;  // as etcd has it

  Result<fleet::Range> Read(const fleet::RangeQuery& query) override KC_EXCLUDES(mutex_);
  Result<fleet::Outcome> Commit(const fleet::Transaction& transaction) override KC_EXCLUDES(mutex_);
  Result<bool> Watch(const Bytes& key, int64_t revision, std::chrono::milliseconds timeout) override
      KC_EXCLUDES(mutex_);

  // Before a commit: asked with how many there were; what it answers happens to this one.
  enum class Fault { kNone, kAway, kLostRequest, kLostReply };
  using Decide = std::function<Fault(uint64_t number)>;
  void set_faults(Decide decide) KC_EXCLUDES(mutex_);
  void set_away(bool away) KC_EXCLUDES(mutex_);
  uint64_t commits() const KC_EXCLUDES(mutex_);
  size_t keys() const KC_EXCLUDES(mutex_);

  // The whole of it, as somebody who owns the machine takes and puts it back.
  struct Value {
    Bytes bytes;
    int64_t modified = 0;
  };
  struct Snapshot {
    std::map<Bytes, Value> values;
    int64_t revision = 1;
    uint64_t cluster = 7;
  };
  Snapshot Take() const KC_EXCLUDES(mutex_);
  void Put(Snapshot snapshot) KC_EXCLUDES(mutex_);

 private:
  bool Holds(const fleet::Compare& compare) const KC_REQUIRES(mutex_);
  void Apply(const fleet::Transaction& transaction) KC_REQUIRES(mutex_);

  mutable Mutex mutex_;
  Snapshot now_ KC_GUARDED_BY(mutex_);
  Decide decide_ KC_GUARDED_BY(mutex_);
  bool away_ KC_GUARDED_BY(mutex_) = false;
  uint64_t commits_ KC_GUARDED_BY(mutex_) = 0;
};

}  // namespace keyclave::fakes
