// The hash functions of mechanisms: one row per function with every PKCS#11 number built on it.
#pragma once

#include <openssl/evp.h>

#include <span>

#include "enclave/base/bytes.h"
#include "enclave/mech/mech_numbers.h"

namespace keyclave::mech {

struct HashAlg {
  const char* name;  // as OpenSSL fetches it
  size_t size;       // bytes of a digest
  uint64_t digest;   // CKM_SHA256
  uint64_t mgf;      // CKG_MGF1_SHA256
  uint64_t kdf;      // CKD_SHA256_KDF
  uint64_t rsa_pkcs1;
  uint64_t rsa_pss;
  uint64_t ecdsa;
  uint64_t hmac;
  uint64_t hmac_general;
  uint64_t hmac_key_type;  // CKK_SHA256_HMAC

  // Fetched once; lives as long as the process.
  const EVP_MD* md() const;
  Result<Bytes> Digest(ByteSpan input) const;
};

std::span<const HashAlg> AllHashes();
// The row whose `column` is `number`, or nullptr: FindHash(&HashAlg::ecdsa, CKM_ECDSA_SHA256).
const HashAlg* FindHash(uint64_t HashAlg::*column, uint64_t number);

}  // namespace keyclave::mech
