// The enclave's word, with evidence, for what one of its keys is and under which policy.
#pragma once

#include "enclave/ops/access.h"
#include "enclave/wire/key_attestation.h"

namespace keyclave::ops {

// kKeyTypeInconsistent for anything but a private key, kTooLarge for a nonce above 64 bytes,
// kEvidenceUnavailable.
Result<wire::KeyAttestation> AttestKeyOf(const Call& call, const keys::Object& key, ByteSpan nonce);

}  // namespace keyclave::ops
