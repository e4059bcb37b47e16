// The hash functions of mechanisms: one row per function with every PKCS#11 number built on it.
#pragma once

#include <openssl/evp.h>

#include <span>

#include "enclave/base/bytes.h"
#include "enclave/wire/pkcs11_numbers.h"

namespace keyclave::mech {

struct HashAlg {
  const char* name;     // as OpenSSL fetches it
  size_t size;          // bytes of a digest
  uint64_t digest;      // CKM_SHA256
  uint64_t mgf;         // CKG_MGF1_SHA256
  uint64_t kdf;         // CKD_SHA256_KDF: ANSI X9.63
  uint64_t concat_kdf;  // CKD_SHA256_KDF_SP800: SP 800-56A
  uint64_t rsa_pkcs1;
  uint64_t rsa_pss;
  uint64_t ecdsa;
  uint64_t hmac;
  uint64_t hmac_general;
  uint64_t hmac_key_type;   // CKK_SHA256_HMAC
  uint64_t key_derivation;  // CKM_SHA256_KEY_DERIVATION

  // Fetched once; lives as long as the process.
  const EVP_MD* md() const;
  Result<Bytes> Digest(ByteSpan input) const;
};

std::span<const HashAlg> AllHashes();
// The row whose `column` is `number`, or nullptr: FindHash(&HashAlg::ecdsa, CKM_ECDSA_SHA256).
const HashAlg* FindHash(uint64_t HashAlg::*column, uint64_t number);

}  // namespace keyclave::mech
