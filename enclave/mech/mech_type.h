// What a mechanism family is: its CKM rows and its functions. One family = one file in
// enclave/mech/ and one line in mech_list.inc. A function that is null is not offered; the registry
// checks each row's flags against the functions.
#pragma once

#include "enclave/mech/key.h"
#include "enclave/wire/mech_param.h"

namespace keyclave::mech {

// What a signature is made over.
enum class SignInput : uint8_t {
  kDigest,  // something that the caller made of the message, which the enclave never sees
  kMessage  // the message itself, which the enclave hashes
};

struct MechRow {
  uint64_t type;          // CKM_…
  uint64_t min_key_size;  // bits or bytes, as PKCS#11 says for this mechanism
  uint64_t max_key_size;
  uint64_t flags;  // CKF_SIGN …
  SignInput input = SignInput::kDigest;
};

struct Encapsulated {
  Bytes ciphertext;
  SecretBytes secret;
};

struct MechFamily {
  std::string_view name;  // as policies say it: ecdsa, rsa-pss, aes-gcm
  std::span<const MechRow> rows;
  // Whether the linked OpenSSL has what the row needs; null: every OpenSSL 3 has it.
  bool (*available)(const MechRow&) = nullptr;

  // Each checks key type and size, the parameter's shape and the input's length, with the code
  // PKCS#11 wants: kKeyTypeInconsistent, kKeySizeRange, kMechanismParamInvalid, kDataLenRange,
  // kEncryptedDataInvalid, kSignatureInvalid …
  Result<Bytes> (*sign)(const Key&, const wire::Mechanism&, ByteSpan input) = nullptr;
  // What of such a signature a multi-buffer library makes, for a key that has a lane: the lane's
  // input. Its signature is then what `sign` returns. An error: `sign` it alone, which says why.
  Result<Bytes> (*lane_input)(const Key&, const wire::Mechanism&, ByteSpan input) = nullptr;
  Status (*verify)(const Key&, const wire::Mechanism&, ByteSpan input,
                   ByteSpan signature) = nullptr;
  Result<Bytes> (*encrypt)(const Key&, const wire::Mechanism&, ByteSpan input) = nullptr;
  Result<Bytes> (*decrypt)(const Key&, const wire::Mechanism&, ByteSpan input) = nullptr;
  // Wrapping is encryption of the key's encoding; null: encrypt and decrypt are used.
  Result<Bytes> (*wrap)(const Key&, const wire::Mechanism&, ByteSpan encoded_key) = nullptr;
  Result<Bytes> (*unwrap)(const Key&, const wire::Mechanism&, ByteSpan wrapped) = nullptr;
  // New keys: the template's size and curve attributes decide (CKA_MODULUS_BITS, CKA_EC_PARAMS,
  // CKA_VALUE_LEN).
  Result<NewKey> (*generate)(const wire::Mechanism&,
                             const wire::AttributeList& attributes) = nullptr;
  // `size` 0: what the mechanism gives by itself. More than it can give is kKeySizeRange.
  Result<SecretBytes> (*derive)(const Key&, const wire::Mechanism&, size_t size) = nullptr;
  // A derivation that takes another key, which wire::Mechanism::second_key names.
  Result<SecretBytes> (*derive_with)(const Key&, const Key& second, const wire::Mechanism&,
                                     size_t size) = nullptr;
  // What is derived holds the base key's own bytes, and must stay as hidden as they are.
  bool derives_base_bytes = false;
  // A fresh secret for the holder of the private key, and its way there (PKCS#11 3.2 §5.18.8,
  // §5.18.9). `size` as for derive; a mechanism that needs to be told it says kTemplateIncomplete.
  Result<Encapsulated> (*encapsulate)(const Key&, const wire::Mechanism&, size_t size) = nullptr;
  Result<SecretBytes> (*decapsulate)(const Key&, const wire::Mechanism&, ByteSpan ciphertext,
                                     size_t size) = nullptr;
  // What a signature was made over, out of the signature.
  Result<Bytes> (*verify_recover)(const Key&, const wire::Mechanism&, ByteSpan signature) = nullptr;
  // Of a row without keys.
  Result<Bytes> (*digest)(const wire::Mechanism&, ByteSpan input) = nullptr;
};

struct MechEntry {
  const MechFamily* family;
  const MechRow* row;
};

// kMechanismInvalid if it is not in the table, or this OpenSSL lacks the algorithm.
Result<MechEntry> FindMechanism(uint64_t type);
std::vector<MechEntry> AllMechanisms();
// Those that the linked OpenSSL lacks, too: what the documents list.
std::vector<MechEntry> EveryMechanism();
bool IsFamilyName(std::string_view name);

// Key encodings for wrapping (PKCS#11 §6.7 of the mechanisms): PKCS#8 for private keys, the value
// for secret keys. kKeyNotWrappable for public keys.
Result<SecretBytes> EncodeForWrap(const Key& key);

// C_WrapKey, C_UnwrapKey, C_DeriveKey and C_EncapsulateKey through a row, with PKCS#11's codes for
// keys in place of those for data: kKeySizeRange, kWrappedKeyInvalid, kWrappedKeyLenRange,
// kTemplateIncomplete, kTemplateInconsistent. `attributes` is the new key's template: CKA_CLASS,
// CKA_KEY_TYPE (a derived key's default: a generic secret) and CKA_VALUE_LEN count. Usage
// attributes are the caller's business.
Result<Bytes> WrapKey(const MechEntry& entry, const Key& wrapping_key,
                      const wire::Mechanism& mechanism, const Key& key);
Result<NewKey> UnwrapKey(const MechEntry& entry, const Key& unwrapping_key,
                         const wire::Mechanism& mechanism, ByteSpan wrapped,
                         const wire::AttributeList& attributes);
// `second` is the key that wire::Mechanism::second_key names; nullptr for none.
Result<NewKey> DeriveKey(const MechEntry& entry, const Key& base_key, const Key* second,
                         const wire::Mechanism& mechanism, const wire::AttributeList& attributes);

struct EncapsulatedKey {
  Bytes ciphertext;
  NewKey key;
};
Result<EncapsulatedKey> EncapsulateKey(const MechEntry& entry, const Key& public_key,
                                       const wire::Mechanism& mechanism,
                                       const wire::AttributeList& attributes);
Result<NewKey> DecapsulateKey(const MechEntry& entry, const Key& private_key,
                              const wire::Mechanism& mechanism, ByteSpan ciphertext,
                              const wire::AttributeList& attributes);

}  // namespace keyclave::mech
