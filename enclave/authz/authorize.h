// The verdict: a policy against the claims of one attested session gives a Grant, which is cached
// and asked per operation.
#pragma once

#include <array>

#include "attest/claims.h"
#include "enclave/authz/policy.h"
#include "enclave/authz/token_rules.h"

namespace keyclave::authz {

// What a permit asks that only the request itself can tell. Each answers Done or why not.
class Conditions {
 public:
  virtual ~Conditions() = default;
  virtual Status CheckBinding() = 0;                        // kDenied
  virtual Status CheckInput(const InputRule& rule) = 0;     // kInputRefused
  virtual Status CheckWrap(const WrapForms& forms) = 0;     // kWrapRefused
  virtual Status CheckIssue(const IssueRule& rule) = 0;     // kIssueRefused, kProofInvalid
  virtual Status CheckApprovals(const Quorum& quorum) = 0;  // kApprovalMissing
  // The last to be asked: it counts the use. `permit` from 1.
  virtual Status TakeLimit(size_t permit, const LimitRule& limit) = 0;  // kLimitReached
};

// What a session may do under one policy. Immutable; a check costs a few comparisons whatever the
// policy's size.
class Grant {
 public:
  struct Entry {
    Permit permit;
    size_t number = 0;        // of the permit, from 1
    uint64_t mechanisms = 0;  // FamilyBit of each
    UnixTime from = 0;
    UnixTime until = 0;      // exclusive
    bool until_age = false;  // `until` comes from max_age: newer evidence would extend it
  };
  // Refuses everything.
  Grant() = default;
  // `stale_at`: when the rules that it was made from say something else.
  Grant(std::vector<Entry> entries, UnixTime stale_at);
  static Grant OfRevoked(UnixTime stale_at);

  // The permit (from 1) that allows all of it. kDenied, kRevoked; kMechanismDenied if only the
  // mechanism stands in the way; a condition's own code; kEvidenceExpired if newer evidence would
  // do. An empty family asks for the operation with any mechanism.
  Result<size_t> Check(Operation operation, std::string_view family, UnixTime now,
                       Conditions& conditions) const;
  // The same as far as it does not depend on the request.
  Status Check(Operation operation, std::string_view family, UnixTime now) const;
  // `maker`: whether permits with `bind: self` count.
  bool AllowsAnything(UnixTime now, bool maker = true) const;
  bool HasBindings() const { return has_bindings_; }
  bool IsStale(UnixTime now) const { return now >= stale_at_; }

 private:
  // What decides of an entry, beside each other in memory: most of a large policy is passed over.
  struct Slot {
    uint64_t mechanisms = 0;
    UnixTime from = 0;
    UnixTime until = 0;
    uint32_t index = 0;  // into entries_
    bool until_age = false;
  };

  std::vector<Entry> entries_;
  std::array<std::vector<Slot>, kOperationCount> by_operation_;
  UnixTime stale_at_ = 0;
  bool revoked_ = false;
  bool has_bindings_ = false;
};

// Evaluates every permit once. `attested_at`: when the evidence was verified.
Grant Evaluate(const Policy& policy, const attest::ClaimSet& claims, UnixTime attested_at,
               UnixTime now, const TokenRules& rules = {});

struct PermitVerdict {
  size_t permit = 0;  // from 1
  int line = 0;
  OperationSet operations;
  std::string term;  // empty: this permit applies
  std::string wanted;
  std::string got;
};
// For each permit: whether it permits the operation to these claims, or its first failing term
// (operation, mechanism, revocations, valid, max_age count as terms too, and so do the conditions
// if they are given; then it must be as with Grant::Check, but nothing is counted).
std::vector<PermitVerdict> Explain(const Policy& policy, const attest::ClaimSet& claims,
                                   UnixTime attested_at, UnixTime now, Operation operation,
                                   std::string_view family, const TokenRules& rules = {},
                                   Conditions* conditions = nullptr);

}  // namespace keyclave::authz
