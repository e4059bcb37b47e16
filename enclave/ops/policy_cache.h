// Parsed policies by digest: parsing happens when a policy is first used or applied, never on the
// path of an operation.
#pragma once

#include "enclave/authz/policy.h"
#include "enclave/base/mutex.h"
#include "enclave/keys/object_store.h"

namespace keyclave::ops {

class PolicyCache {
 public:
  using PolicyPtr = std::shared_ptr<const authz::Policy>;
  // The parsed policy that governs an object, or a token's policy by name. kPolicyNotFound,
  // kPolicySyntax.
  Result<PolicyPtr> OfObject(const keys::ObjectStore& store, const keys::Object& object);
  Result<PolicyPtr> Named(const keys::ObjectStore& store, const wire::TokenId& token,
                          const std::string& name);
  // The longest that a policy of this store lets late collateral count, in seconds.
  uint64_t MostCollateralGrace(const keys::ObjectStore& store);

 private:
  Result<PolicyPtr> Parsed(const keys::Document& text);

  SharedMutex mutex_;
  struct Grace {
    uint64_t epoch = 0;  // of the store that it was found in
    uint64_t seconds = 0;
  };
  Grace grace_ KC_GUARDED_BY(mutex_);
  std::map<ByteArray<32>, PolicyPtr> by_digest_ KC_GUARDED_BY(mutex_);
};

}  // namespace keyclave::ops
