// An expression over claims: `all any not at-least` over terms `claim: {comparator: operand}`
// (docs/policy.md has the grammar).
//
// - A term over a claim that is absent, of another type, or only the channel's word where a TEE's
//   is wanted, is neither true nor false but unknown; so is its negation. Therefore nothing ever
//   becomes satisfied by leaving a claim out.
// - Evaluation is linear in the expression's size.
#pragma once

#include <memory>
#include <set>

#include "attest/claims.h"
#include "attest/reference_set.h"
#include "enclave/base/yaml.h"

namespace keyclave::attest {

inline constexpr size_t kMaxExpressionDepth = 8;     // combinators within each other, and a term
inline constexpr size_t kMaxExpressionTerms = 1024;  // every element of `in` counts as a term

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
  // Whether `in-set` may be used: only where somebody keeps sets.
  enum class Sets { kNone, kAllowed };
  // kConfig… with the place. `exists: false` is refused.
  static Result<Expression> Parse(const YamlValue& yaml, Sets sets = Sets::kNone);

  // nullopt if the claims satisfy it. A set that is not in `sets` makes its terms unknown.
  std::optional<FailedTerm> FirstFailure(const ClaimSet& claims, UnixTime now,
                                         const ReferenceSets& sets = {}) const;
  bool Satisfied(const ClaimSet& claims, UnixTime now, const ReferenceSets& sets = {}) const;
  // Its terms, with every element of `in` counted.
  size_t size() const;
  // The names of the sets that it uses.
  std::set<std::string, std::less<>> SetNames() const;

  // Whether every way to satisfy it includes an exact value (is, in) of an attested claim that
  // names the workload: what a permit must have unless it says allow_unattested.
  bool RequiresAttested() const;
  // The same for one claim.
  bool Requires(std::string_view claim) const;
  // Whether it can be satisfied with tee simulated / tee co-resident / debug true / token.bound
  // false named in as many words.
  bool MentionsSimulated() const;
  bool MentionsCoResident() const;
  bool MentionsDebug() const;
  bool MentionsUnbound() const;
  // Whether every caller that satisfies this satisfies `other`, too. Found by rules over the two
  // structures: true is proved, false may mean that it was not seen.
  bool Implies(const Expression& other) const;
  // The parts of an `all` at the top; itself if there is none.
  std::vector<Expression> Conjuncts() const;
  // The claim of a term, or of a term's negation; empty for every other expression.
  std::string SubjectClaim() const;
  // Canonical text; Parse(Print(x)) is equal to x.
  std::string Print() const;

 private:
  explicit Expression(std::shared_ptr<const struct ExpressionNode> root) : root_(std::move(root)) {}
  std::shared_ptr<const ExpressionNode> root_;
};

}  // namespace keyclave::attest
