// The verdict: a policy against the claims of one attested session gives a Grant, which is cached
// and asked per operation.
#pragma once

#include "attest/claims.h"
#include "enclave/authz/policy.h"

namespace keyclave::authz {

// What a session may do under one policy. Immutable; a check costs a few comparisons whatever the
// policy's size.
class Grant {
 public:
  struct Entry {
    OperationSet operations;
    std::optional<std::set<std::string, std::less<>>> mechanisms;
    UnixTime from = 0;
    UnixTime until = 0;      // exclusive
    bool until_age = false;  // `until` comes from max_age: newer evidence would extend it
  };
  explicit Grant(std::vector<Entry> entries) : entries_(std::move(entries)) {}

  // kDenied; kMechanismDenied if only the mechanism stands in the way; kEvidenceExpired if newer
  // evidence would do. An empty family asks for the operation with any mechanism.
  Status Check(Operation operation, std::string_view family, UnixTime now) const;
  bool AllowsAnything(UnixTime now) const;

 private:
  std::vector<Entry> entries_;
};

// Evaluates every permit once. `attested_at`: when the evidence was verified.
Grant Evaluate(const Policy& policy, const attest::ClaimSet& claims, UnixTime attested_at,
               UnixTime now);

struct PermitVerdict {
  size_t permit = 0;  // from 1
  int line = 0;
  OperationSet operations;
  std::string term;  // empty: this permit applies
  std::string wanted;
  std::string got;
};
// For each permit: whether it permits the operation to these claims, or its first failing term
// (operation, mechanism, valid and max_age count as terms too).
std::vector<PermitVerdict> Explain(const Policy& policy, const attest::ClaimSet& claims,
                                   UnixTime attested_at, UnixTime now, Operation operation,
                                   std::string_view family);

}  // namespace keyclave::authz
