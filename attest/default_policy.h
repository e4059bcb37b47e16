// What nobody should accept who has no policy that says otherwise: genuine evidence of a workload
// that its host can look into, or that proves nothing about now.
#pragma once

#include <optional>

#include "attest/claims.h"
#include "attest/expression.h"

namespace keyclave::attest {

// The first term that fails; nullopt if there is none.
//   debug            must not be true: a debugger reads the keys. (A token need not say it.)
//   tee              must not be simulated
//   tpm.pcr_bank     must not be sha1: collisions are for sale
//   token.expired    must not be true
std::optional<FailedTerm> FailedDefaultPolicy(const ClaimSet& claims);

}  // namespace keyclave::attest
