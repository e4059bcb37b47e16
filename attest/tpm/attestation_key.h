// Why a quote's key (AK) is believed to be a TPM's, restricted to signing what the TPM itself says.
#pragma once

#include "attest/evidence.h"
#include "attest/tpm/evidence.h"

namespace keyclave::attest::tpm {

struct AttestationKey {
  PublicKey key;
  ClaimSet claims;  // of whatever vouches for it
};

// By its certificate, or because it is enrolled (Trust::keys["tpm"]). Where there is a certificate
// it must hold, enrolled or not: evidence that says two things is not believed for the better one.
// kEvidenceChain, kEvidenceTime, kEvidenceIdentity, kEvidenceRevoked, kCollateral….
Result<AttestationKey> TrustKey(const ParsedEvidence& evidence, const VerifyContext& context);

// By the hardware report of an Azure confidential virtual machine. The report's errors, and
// kEvidenceSignature where the key's data are not what it signs.
Result<AttestationKey> TrustHclKey(const ParsedEvidence& evidence, const VerifyContext& context);

}  // namespace keyclave::attest::tpm
