// Every key of one enclave, derived from its root secret by HKDF-SHA256 (RFC 5869, OpenSSL's
// EVP_KDF): one extract with a fixed salt, then one expand per key. A key's info is its label and
// its context, each length-prefixed, so that no two keys share one.
//
//   label        context                    what for
//   enclave id   -                          the enclave's public name (16 bytes, not secret)
//   row id       -                          HMAC-SHA256: names of rows
//   row header   row id                     AES-256-GCM: a row's header
//   token        token id                   the parent of a token's record keys
//   head         epoch                      AES-256-GCM: the head of that epoch
//   witness      -                          HMAC-SHA256: the witness's marks
//   purpose/...  -                          Vault::DeriveKey
// and from a token's key:
//   record       row id, version            AES-256-GCM: one version of one record
//
// So an AEAD key seals one version of one record, one epoch's head, or one row's headers. It seals
// more than once only when a commit fails and is tried again, or, for a header, once per change of
// its record: random 96-bit nonces stay far below the 2^32 messages per key of NIST SP 800-38D
// §8.3.
#pragma once

#include <initializer_list>

#include "enclave/base/secret_bytes.h"
#include "enclave/store/store.h"

namespace keyclave::keys {

inline constexpr size_t kRootSecretSize = 32;  // bytes

// Derivation cannot fail but by a broken library or a size that HKDF does not have; either aborts,
// because a key that is not the right one must never be used.
class KeySchedule {
 public:
  explicit KeySchedule(const SecretBytes& root_secret);

  ByteArray<16> EnclaveId() const;
  SecretBytes RowIdKey() const;
  SecretBytes RowHeaderKey(const store::RowId& row) const;
  SecretBytes TokenKey(const ByteArray<16>& token) const;
  SecretBytes HeadKey(uint64_t epoch) const;
  SecretBytes WitnessKey() const;
  SecretBytes PurposeKey(std::string_view label, size_t size) const;
  static SecretBytes RecordKey(const SecretBytes& token_key, const store::RowId& row,
                               uint64_t version);

 private:
  SecretBytes pseudorandom_key_;
};

}  // namespace keyclave::keys
