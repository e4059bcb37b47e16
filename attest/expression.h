// An expression over claims: `all any not at-least(n)` over terms `claim: {comparator: operand}`
// (DESIGN §5). Evaluation is linear in the expression's size; a claim that is absent makes every
// comparator false but `exists: false`.
#pragma once

#include <functional>
#include <memory>

#include "attest/claims.h"
#include "enclave/base/clock.h"
#include "enclave/base/yaml.h"

namespace keyclave::attest {

inline constexpr size_t kMaxExpressionDepth = 16;
inline constexpr size_t kMaxExpressionTerms = 1024;

// The first term that failed, and what stood against it.
struct FailedTerm {
  std::string term;    // tee: {in: [sev-snp, tdx]}
  std::string wanted;  // in [sev-snp, tdx]
  std::string got;     // simulated; "absent" if the claim is not there; "not attested" is added for
                       // transport claims
  int line = 0;
};

class Expression {
 public:
  // `sets` names are checked by the caller's policy; in issue A in-set is refused with a clear
  // error.
  static Result<Expression> Parse(const YamlValue& yaml);

  // nullopt if the claims satisfy it.
  std::optional<FailedTerm> FirstFailure(const ClaimSet& claims, UnixTime now) const;
  bool Satisfied(const ClaimSet& claims, UnixTime now) const {
    return !FirstFailure(claims, now).has_value();
  }

  // Whether every way to satisfy it includes at least one term over an attested claim that
  // identifies the workload or its platform (what a permit must have unless it says
  // allow_unattested).
  bool RequiresAttested() const;
  // Whether it can be satisfied with tee simulated / debug true named in as many words.
  bool MentionsSimulated() const;
  bool MentionsDebug() const;
  // Canonical text; Parse(Print(x)) is equal to x.
  std::string Print() const;

 private:
  struct Node;
  explicit Expression(std::shared_ptr<const Node> root) : root_(std::move(root)) {}
  std::shared_ptr<const Node> root_;
};

}  // namespace keyclave::attest
