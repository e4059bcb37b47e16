// What Intel says about a platform and about its quoting enclave, out of the operator's collateral:
// chosen, signed by Intel's TCB signing key, and valid at the time.
#pragma once

#include "attest/dcap/enclave_identity.h"
#include "attest/dcap/tcb_info.h"
#include "attest/evidence.h"

namespace keyclave::attest::dcap {

// They are the collateral's, and live as long as it does.
struct Endorsements {
  const TcbInfo* tcb_info;
  const EnclaveIdentity* qe_identity;
};

// Of several that are valid, those with the highest tcbEvaluationDataNumber; where none is, of
// those that are late. kCollateralMissing (names what, and where Intel publishes it),
// kCollateralExpired, kCollateralInvalid.
Result<Endorsements> FindEndorsements(Tee tee, const PckPlatform& platform, const Trust& trust,
                                      const CollateralTime& time);

// The steps of FindEndorsements. The best that the collateral has, its signature not verified:
Result<const TcbInfo*> ChooseTcbInfo(Tee tee, const PckPlatform& platform, const Trust& trust,
                                     const CollateralTime& time);
Result<const EnclaveIdentity*> ChooseQeIdentity(Tee tee, const Trust& trust,
                                                const CollateralTime& time);
// Valid at the time, and signed by Intel's TCB signing key, whose certificate is in the collateral
// and good itself. kCollateral….
Status CheckStatement(const Statement& statement, Tee tee, const Trust& trust,
                      const CollateralTime& time, ListRule rule = ListRule::kRequired);

// What they are, and where Intel publishes them.
std::string TcbInfoText(Tee tee, ByteSpan fmspc, ByteSpan pceid);
std::string TcbInfoUrl(Tee tee, ByteSpan fmspc);
std::string QeIdentityText(Tee tee);
std::string QeIdentityUrl(Tee tee);
// Of a PCK authority, or of the root.
std::string RevocationListUrl(std::string_view issuer_common_name);

}  // namespace keyclave::attest::dcap
