// What Intel says about a platform and about its quoting enclave, out of the operator's collateral:
// chosen, signed by Intel's TCB signing key, and valid at the time.
#pragma once

#include "attest/dcap/enclave_identity.h"
#include "attest/dcap/tcb_info.h"
#include "attest/evidence.h"

namespace keyclave::attest::dcap {

struct Endorsements {
  TcbInfo tcb_info;
  EnclaveIdentity qe_identity;
};

// Of several that are valid, those with the highest tcbEvaluationDataNumber.
// kCollateralMissing (names what, and where Intel publishes it), kCollateralExpired,
// kCollateralInvalid.
Result<Endorsements> FindEndorsements(Tee tee, const PckPlatform& platform, const Trust& trust,
                                      UnixTime now);

// Where Intel publishes it.
std::string PckCrlUrl(const Certificate& pck_ca);
inline constexpr std::string_view kRootCrlUrl =
    "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der";

}  // namespace keyclave::attest::dcap
