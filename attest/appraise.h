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
// first failing term, wanted and got.
Result<Appraised> Appraise(const Verified& verified, const Expression& expect,
                           const ClaimSet& transport, UnixTime now);

}  // namespace keyclave::attest
