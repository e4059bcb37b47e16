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
// satisfies only an expression that names it (`tee: {is: simulated}`, `debug: {is: true}`).
Result<Appraised> Appraise(const Verified& verified, const Expression& expect,
                           const ClaimSet& transport, UnixTime now);

// What evidence is worth by itself: nullopt if it comes from a TEE that keeps its host out. Else
// the term that fails: `tee` is absent or simulated, or `debug` is absent or true. `simulated` and
// `debug` say that these are wanted all the same.
std::optional<FailedTerm> FailedProtection(const ClaimSet& claims, bool simulated, bool debug);

}  // namespace keyclave::attest
