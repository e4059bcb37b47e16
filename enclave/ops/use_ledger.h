// Which session has used which key for what: the first use of each is audited as a grant, all are
// counted, and the counts go into the audit log once an interval.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "enclave/authz/policy.h"
#include "enclave/base/mutex.h"
#include "enclave/wire/messages.h"

namespace keyclave::ops {

class UseLedger {
 public:
  struct Use {
    wire::ObjectId object{};
    authz::Operation operation{};
    friend auto operator<=>(const Use&, const Use&) = default;
  };
  // Counts a use; true if it is this session's first of its kind since its evidence was verified at
  // `verified_at`.
  bool Note(uint64_t session, int64_t verified_at, const Use& use);
  void Forget(uint64_t session);
  // The counts since the last call.
  std::vector<std::pair<Use, uint64_t>> TakeCounts();

 private:
  struct Seen {
    int64_t verified_at = 0;
    std::set<Use> uses;
  };
  Mutex mutex_;
  std::map<uint64_t, Seen> sessions_ KC_GUARDED_BY(mutex_);
  std::map<Use, uint64_t> counts_ KC_GUARDED_BY(mutex_);
};

}  // namespace keyclave::ops
