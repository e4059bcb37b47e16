// The attestation key that enrolment makes, as its public area (TPMT_PUBLIC) says it: ECC P-256,
// restricted to signing with ECDSA and SHA-256, made in its TPM and fixed to it.
#pragma once

#include "attest/public_key.h"

namespace keyclave::attest::tpm {

struct EnrolledKey {
  PublicKey key;
  Bytes name;  // of the object: what a credential is made for
};

// TPMA_OBJECT: fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, noDA, restricted, sign.
inline constexpr uint32_t kEnrolledAttributes = 0x0005'0472;
inline constexpr size_t kMaxPublicArea = 512;  // bytes

// The public area of a key with these coordinates.
Bytes EnrolledArea(ByteSpan x, ByteSpan y);
// kMalformed for anything else, with the attributes that a key lacks or should not have.
Result<EnrolledKey> ParseEnrolledArea(ByteSpan area);

}  // namespace keyclave::attest::tpm
