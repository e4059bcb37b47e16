// Appraisal: verified evidence against an expression. Only Appraise makes an Appraised.
#pragma once

#include "attest/evidence.h"
#include "attest/expression.h"

namespace keyclave::attest {

// Verified, and what the expression wants.
class Appraised {
 public:
  const ClaimSet& claims() const { return claims_; }

 private:
  friend Result<Appraised> Appraise(const Verified&, const Expression&, const ClaimSet&, UnixTime);
  explicit Appraised(ClaimSet claims) : claims_(std::move(claims)) {}
  ClaimSet claims_;
};

// `transport` claims join the verified ones but never replace them. kAppraisalFailed names the
// first failing term, wanted and got. Simulated evidence, and that of a TEE in debug mode,
// satisfies only an expression that names it (`tee: {is: simulated}`, `debug: {is: true}`);
// the same holds for `co-resident`, and for tokens that are bound to no session.
// Evidence that was verified with late collateral satisfies none.
Result<Appraised> Appraise(const Verified& verified, const Expression& expect,
                           const ClaimSet& transport, UnixTime now);

// The same of claims that were verified before: nullopt, or the first term that fails.
std::optional<FailedTerm> FailedAppraisal(const ClaimSet& claims, const Expression& expect,
                                          UnixTime now);

// What weak evidence is wanted all the same.
struct Accepted {
  bool simulated = false;
  bool debug = false;
  bool co_resident = false;
};
// What an expression names in as many words.
Accepted AcceptedBy(const Expression& expression);

// What evidence is worth by itself: nullopt if it comes from a TEE that keeps its host out. Else
// the term that fails: `tee` is absent, simulated or co-resident, or `debug` is absent or true.
std::optional<FailedTerm> FailedProtection(const ClaimSet& claims, const Accepted& accepted);

// Whether evidence is of this session, or the expression wants in as many words what is not
// (`token.bound: {is: false}`): nullopt; else the term that fails.
std::optional<FailedTerm> FailedBinding(const ClaimSet& claims, const Expression& expression);

// Whether collateral that the evidence was verified with counts: nullopt if all of it was current,
// or was late (kCollateralExpiredAt) and counts for `grace` seconds after that, which `now` is
// still in.
std::optional<FailedTerm> FailedCollateral(const ClaimSet& claims, uint64_t grace, UnixTime now);
// The first second at which FailedCollateral would fail; nullopt: never.
std::optional<UnixTime> CollateralDeadline(const ClaimSet& claims, uint64_t grace);

}  // namespace keyclave::attest
