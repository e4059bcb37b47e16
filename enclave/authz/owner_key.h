// Owners' keys and what they sign: ECDSA on P-256 and RSA-PSS with SHA-256 (salt of 32 bytes), or
// Ed25519; the key decides which.
#pragma once

#include "enclave/base/bytes.h"

namespace keyclave::authz {

// kInvalidArgument for what is no SubjectPublicKeyInfo of P-256, Ed25519 or RSA of 2048 to 8192
// bits.
Status CheckOwnerKey(ByteSpan spki);
// kStatementInvalid if the signature is not the key's over the message.
Status VerifyOwnerSignature(ByteSpan spki, ByteSpan message, ByteSpan signature);

}  // namespace keyclave::authz
