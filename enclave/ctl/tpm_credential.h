// TPM2_MakeCredential without a TPM: a secret that only the TPM with this endorsement key (EK) can
// open, and only while an object of this name is loaded in it (TPM 2.0 Library, Part 1 §24,
// annexes B.10 and C.6).
#pragma once

#include "attest/public_key.h"
#include "attest/tpm/enroll.h"

namespace keyclave::ctl {

// Which template a TPM's maker gave the key that is in the certificate. kUnsupported for a key that
// no template has.
Result<attest::tpm::EkKind> EkKindOf(const attest::PublicKey& key);

// The secret has at most 32 bytes. kUnsupported, kCryptoFailed.
Result<attest::tpm::Credential> MakeCredential(const attest::PublicKey& ek, ByteSpan name,
                                               const SecretBytes& secret);

}  // namespace keyclave::ctl
