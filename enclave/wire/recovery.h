// Who can bring the root secret back where no platform opens it any more: the holders of recovery
// keys, who were named when the enclave was made (docs/recovery.md, enclave/mech/recovery.h).
#pragma once

#include "enclave/wire/message_parts.h"

namespace keyclave::wire {

struct RecoveryHolder {
  std::string name;
  Bytes public_key;  // SubjectPublicKeyInfo: RSA, P-256 or X25519
  std::string form;  // of `sealed`, as policies name it (docs/policy.md, `wrap`)
  Bytes sealed;      // this holder's parts of the secret, one behind the other
  KC_FIELDS_4(name, public_key, form, sealed)
};

// The root secret in parts, of which any `threshold` holders have all and fewer do not.
struct Recovery {
  std::string enclave_id;  // 32 hexadecimal digits
  uint64_t threshold = 0;
  std::vector<RecoveryHolder> holders;
  std::vector<ByteArray<32>> commitments;  // to each part, in the order of mech::PartMasks
  KC_FIELDS_4(enclave_id, threshold, holders, commitments)
};

}  // namespace keyclave::wire
