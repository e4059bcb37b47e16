// The receipt of a release for those who have a JOSE library and no CBOR.
#pragma once

#include "enclave/ops/service.h"
#include "enclave/wire/receipt.h"

namespace keyclave::ops {

// Compact serialisation (RFC 7515 §3.1), ES256 by the key that signs audit checkpoints; `kid` is
// the SHA-256 of that key's SubjectPublicKeyInfo, hexadecimal. The claims are the receipt's fields.
// What is signed begins with a letter, as no digest's input of the audit log or of a receipt does.
Result<std::string> ReceiptJws(Service& service, const wire::ReleaseReceipt& receipt);

}  // namespace keyclave::ops
