// One run of a key derivation function through EVP: parameters in few words, kept until it is done.
#pragma once

#include <openssl/core.h>

#include <deque>

#include "enclave/base/secret_bytes.h"
#include "enclave/mech/hash_alg.h"
#include "enclave/mech/openssl_handles.h"

namespace keyclave::mech {

// kKeySizeRange if a derivation that gives at most `available` bytes does not give `size`.
Status CheckDerivedSize(size_t size, size_t available);

class KdfRun {
 public:
  explicit KdfRun(EVP_KDF* kdf) : kdf_(kdf) {}

  // An empty value leaves the parameter out.
  KdfRun& Octets(const char* param, ByteSpan value);
  KdfRun& Secret(const char* param, const SecretBytes& value);
  KdfRun& Text(const char* param, std::string_view value);
  KdfRun& Digest(const HashAlg& hash);
  KdfRun& Number(const char* param, int value);

  // kCryptoFailed, with `what` in its text.
  Result<SecretBytes> Derive(size_t size, std::string_view what);

 private:
  EVP_KDF* kdf_;
  // Deques: what a parameter points to stays where it is.
  std::deque<Bytes> octets_;
  std::deque<SecretBytes> secrets_;
  std::deque<std::string> texts_;
  std::deque<int> numbers_;
  std::vector<OSSL_PARAM> params_;
};

}  // namespace keyclave::mech
