// What tokens' sets and revocations say, parsed: made anew when the store's generation moves, never
// on the path of an operation.
#pragma once

#include "enclave/authz/token_rules.h"
#include "enclave/base/mutex.h"
#include "enclave/keys/object_store.h"

namespace keyclave::ops {

// A revocation as it is kept (docs/storage.md).
struct StoredRevocation {
  wire::RevokeRequest revocation;
  int64_t at = 0;  // Unix seconds
  std::optional<wire::AdministerRequest> authority = {};
  template <class V>
  void Visit(V&& v) {
    v(1, revocation);
    v(2, at);
    v(3, authority);
  }
};

class RulesCache {
 public:
  // What is revoked beside callers: objects.
  struct Rules {
    std::shared_ptr<const authz::TokenRules> callers;
    std::map<wire::ObjectId, std::string> objects;  // why
  };
  using RulesPtr = std::shared_ptr<const Rules>;
  // A set that cannot be read is not there; a revocation that cannot be read revokes everything:
  // the daemon parsed both before it took them, so neither happens to a store of ours.
  RulesPtr Of(const keys::ObjectStore& store, const wire::TokenId& token);

 private:
  SharedMutex mutex_;
  std::map<wire::TokenId, RulesPtr> by_token_ KC_GUARDED_BY(mutex_);
};

}  // namespace keyclave::ops
