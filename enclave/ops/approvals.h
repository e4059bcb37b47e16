// Owners' approvals, as they are kept (docs/storage.md) and counted.
#pragma once

#include <set>

#include "enclave/authz/quorum.h"
#include "enclave/keys/object_store.h"

namespace keyclave::ops {

struct StoredApproval {
  wire::ApproveRequest approval;
  int64_t at = 0;                     // Unix seconds
  wire::AdministerRequest authority;  // whose signatures are the approvals
  template <class V>
  void Visit(V&& v) {
    v(1, approval);
    v(2, at);
    v(3, authority);
  }
};

struct ApprovedUse {
  wire::ObjectId object{};
  std::string_view operation;
  std::string_view tee;
  std::string_view measurement;
};
// The owners whose approval of this use is in force. Whoever is no owner any more, or has another
// key now, does not count.
std::set<std::string, std::less<>> ApprovedBy(const keys::ObjectStore& store,
                                              const keys::Token& token, const ApprovedUse& use,
                                              UnixTime now);
std::vector<std::string> SignersOf(const wire::AdministerRequest& authority);

}  // namespace keyclave::ops
