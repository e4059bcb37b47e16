// How messages are signed and verified: what C_Sign…, C_SignMessage…, C_Verify…, C_VerifyMessage…
// and C_VerifySignature… share.
#pragma once

#include "pkcs11/key_operation.h"

namespace keyclave::pkcs11 {

// After BeginKeyOperation: a message that the mechanism hashes is gathered up to 64 KiB, so that
// the enclave sees what it signs; a longer one is hashed here.
Status PrepareMessage(KeyOperation& operation);

// The message, and the end of the operation.
Result<Delivery> SignWhole(const SessionCall& call, KeyOperation& operation, ByteSpan message,
                           const OutBuffer& out);
// The end of what SignPart added.
Result<Delivery> SignParts(const SessionCall& call, KeyOperation& operation, const OutBuffer& out);

// kSignatureLenRange, where the length follows from key and mechanism.
Status CheckSignatureLength(const KeyOperation& operation, CK_ULONG signature_size);
// What was added, against the signature. kSignatureInvalid, kSignatureLenRange.
Status VerifyWith(const SessionCall& call, KeyOperation& operation, const CK_BYTE* signature,
                  CK_ULONG signature_size);

}  // namespace keyclave::pkcs11
