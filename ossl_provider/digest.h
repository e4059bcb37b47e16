// The digests that signatures and OAEP may use: one row each, with its names in OpenSSL and its
// numbers in PKCS#11.
#pragma once

#include "enclave/base/hash.h"

namespace keyclave::ossl {

struct Digest {
  HashAlgorithm algorithm;
  const char* name;                    // as OpenSSL's default provider says it
  std::array<const char*, 4> aliases;  // other names, OID included; unused ones are null
  uint64_t mechanism;                  // CKM_SHA256 …
  uint64_t mgf;                        // CKG_MGF1_SHA256 …
  int nid;
  // Signatures for which the enclave hashes: CKM_SHA256_RSA_PKCS, CKM_SHA256_RSA_PKCS_PSS,
  // CKM_ECDSA_SHA256 …
  uint64_t rsa_pkcs1;
  uint64_t rsa_pss;
  uint64_t ecdsa;
  uint64_t ecdh_kdf;  // CKD_SHA256_KDF …: the key derivation of ANSI X9.63
};

std::span<const Digest> AllDigests();
// nullptr if the name is not a row's (any case of letters).
const Digest* FindDigest(std::string_view name);
// kUnsupported naming the digest.
Result<const Digest*> RequireDigest(std::string_view name);

// DigestInfo of PKCS #1 (RFC 8017 §9.2), DER.
Result<Bytes> DigestInfo(const Digest& digest, ByteSpan value);

}  // namespace keyclave::ossl
