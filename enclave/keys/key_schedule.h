// Every key of one enclave, derived from its root secret by HKDF-SHA256 (RFC 5869, OpenSSL's
// EVP_KDF): one extract with a fixed salt, then one expand per key. A key's info is its label and
// its context, each length-prefixed, so that no two keys share one. Each generation of the root
// secret has a schedule of its own: of generation 1 come the keys that name (enclave id, row id,
// purpose), of the one that a row, head or mark names the keys that seal.
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

#include <atomic>
#include <initializer_list>
#include <memory>

#include "enclave/base/mutex.h"
#include "enclave/keys/root_keyring.h"
#include "enclave/store/store.h"

namespace keyclave::keys {

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

// The schedules of all generations that this machine has. Any thread may ask while another one
// adds.
class KeyGenerations {
 public:
  struct Generation {
    uint64_t serial;  // no two have the same, whatever their numbers
    KeySchedule keys;
  };
  explicit KeyGenerations(const RootKeyring& keyring);

  const KeySchedule& names() const { return first_->keys; }
  std::shared_ptr<const Generation> Find(uint32_t number) const KC_EXCLUDES(mutex_);  // nullptr
  void Add(uint32_t number, const SecretBytes& secret) KC_EXCLUDES(mutex_);
  void Remove(uint32_t number) KC_EXCLUDES(mutex_);
  // RootKeyring::oldest.
  uint32_t oldest() const { return oldest_.load(std::memory_order_relaxed); }
  void SetOldest(uint32_t number) { oldest_.store(number, std::memory_order_relaxed); }

 private:
  const std::shared_ptr<const Generation> first_;
  std::atomic<uint32_t> oldest_;
  mutable SharedMutex mutex_;
  std::map<uint32_t, std::shared_ptr<const Generation>> later_ KC_GUARDED_BY(mutex_);
  uint64_t last_serial_ KC_GUARDED_BY(mutex_) = 0;
};

}  // namespace keyclave::keys
