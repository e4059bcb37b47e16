// Which session has used which key for what: the first use of each is audited as a grant, all are
// counted, and the totals per key, operation and caller go into the audit log once an interval.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "enclave/authz/policy.h"
#include "enclave/base/mutex.h"
#include "enclave/session/session.h"

namespace keyclave::ops {

class UseLedger {
 public:
  using IdentityPtr = std::shared_ptr<const session::Session::Identity>;
  struct Use {
    wire::ObjectId object{};
    authz::Operation operation{};
    friend auto operator<=>(const Use&, const Use&) = default;
  };
  struct Total {
    Use use;               // an object of zeros: of several, beyond kMaxTotals
    IdentityPtr identity;  // who; null: several
    uint64_t count = 0;
  };
  // How many different ones an interval tells apart.
  static constexpr size_t kMaxTotals = 16384;

  // Counts a use; true if it is this session's first of its kind since its evidence was verified.
  bool Note(uint64_t session, const IdentityPtr& identity, const Use& use);
  void Forget(uint64_t session);
  // The totals since the last call. Restore: they could not be written, and are of the next
  // interval.
  std::vector<Total> TakeTotals();
  void Restore(const std::vector<Total>& totals);

 private:
  struct Key {
    Use use;
    session::CallerId caller{};
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  struct Seen {
    int64_t verified_at = 0;
    std::set<Use> uses;
  };
  void Add(const Total& total) KC_REQUIRES(mutex_);

  Mutex mutex_;
  std::map<uint64_t, Seen> sessions_ KC_GUARDED_BY(mutex_);
  std::map<Key, Total> totals_ KC_GUARDED_BY(mutex_);
};

}  // namespace keyclave::ops
