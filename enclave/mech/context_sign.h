// Signatures with a context (FIPS 204 §5, FIPS 205 §10): what ML-DSA and SLH-DSA share. OpenSSL has
// the pure schemes; of the pre-hashed ones it takes the message in the form that the standard gives
// it (FIPS 204 algorithm 4, FIPS 205 algorithm 23).
#pragma once

#include "enclave/mech/mech_type.h"

namespace keyclave::mech {

// The hash of a pre-hashed signature.
struct PreHashAlg {
  const char* name;  // as OpenSSL fetches it
  size_t size;       // bytes of a digest
  uint8_t last_arc;  // of its object identifier, 2.16.840.1.101.3.4.2.…
  uint64_t digest;   // CKM_SHA256: what CK_HASH_SIGN_ADDITIONAL_CONTEXT names it by
  uint64_t ml_dsa;   // CKM_HASH_ML_DSA_SHA256
  uint64_t slh_dsa;  // CKM_HASH_SLH_DSA_SHA256
};
std::span<const PreHashAlg> AllPreHashes();

Result<Bytes> SignInContext(uint64_t key_type, const Key& key, const wire::Mechanism& mechanism,
                            ByteSpan input);
Status VerifyInContext(uint64_t key_type, const Key& key, const wire::Mechanism& mechanism,
                       ByteSpan input, ByteSpan signature);

}  // namespace keyclave::mech
