// Keys of a TPM, out of tpm2-tss's structures.
#pragma once

#include "attest/public_key.h"
#include "attest/tpm/tss2.h"

namespace keyclave::attest::tpm {

// kUnsupported for other keys than RSA and the NIST curves.
Result<PublicKey> KeyOf(const TPMT_PUBLIC& area);
// Whether the TPM signs with this key nothing but what it says itself, and the key never leaves it.
bool IsAttestationKey(const TPMT_PUBLIC& area);

}  // namespace keyclave::attest::tpm
