// Wrapping, unwrapping and deriving through a mechanism's row: encodings, and the codes that
// PKCS#11 has for them.

#include <openssl/asn1.h>
#include <openssl/err.h>

#include "enclave/mech/key_type.h"
#include "enclave/mech/mech_type.h"

namespace keyclave::mech {
namespace {

// What encryption says of its input, as C_WrapKey and C_UnwrapKey say it of a key
// (pkcs11-base-v3.0 §5.14.3, §5.14.4).
Error ForWrap(const Error& error) {
  if (error.code() == Code::kDataLenRange || error.code() == Code::kDataInvalid) {
    return Fail(Code::kKeySizeRange, "the key does not fit the wrapping mechanism");
  }
  return error;
}

Error ForUnwrap(const Error& error) {
  if (error.code() == Code::kEncryptedDataLenRange) return Fail(Code::kWrappedKeyLenRange);
  if (error.code() == Code::kEncryptedDataInvalid) return Fail(Code::kWrappedKeyInvalid);
  return error;
}

Result<uint64_t> Required(const wire::AttributeList& attributes, uint64_t type,
                          std::string_view name) {
  KC_CHECK_OK(RequiredAttribute(attributes, type, name));
  const std::optional<uint64_t> value = attributes.Ulong(type);
  if (!value.has_value()) return Fail(Code::kAttributeValueInvalid, std::string(name));
  return *value;
}

// CKA_VALUE_LEN, if the template has it.
Result<std::optional<size_t>> ValueLength(const wire::AttributeList& attributes) {
  if (!attributes.Has(CKA_VALUE_LEN)) return std::optional<size_t>();
  KC_ASSIGN(const uint64_t length, Required(attributes, CKA_VALUE_LEN, "CKA_VALUE_LEN"));
  return std::optional<size_t>(length);
}

// "the plaintext … if CKA_VALUE_LEN is in the template, is truncated to that length": only what a
// mechanism without padding added may go, and it must be the zeros that wrapping adds. "If any
// length conflict occurs … CKR_WRAPPED_KEY_LEN_RANGE" (v3.2 §5.18.4).
Status TruncateTo(SecretBytes& value, size_t length) {
  if (length > value.size()) return Fail(Code::kWrappedKeyLenRange);
  const ByteSpan tail = value.Expose(SecretAccess()).subspan(length);
  if (std::any_of(tail.begin(), tail.end(), [](uint8_t byte) { return byte != 0; })) {
    return Fail(Code::kWrappedKeyLenRange);
  }
  value.Truncate(length);
  return Done{};
}

// "The template for the new key SHALL specify CKA_VALUE_LEN when neither the key type … nor the
// unwrapping mechanism unambiguously determine the length" (v3.2 §5.18.4): whole blocks may end in
// zeros that were filled in. Of AES keys only those of 24 bytes are filled up to another key's
// size.
Status CheckLengthKnown(const SecretBytes& value, uint64_t key_type, uint64_t mechanism) {
  const bool fills = mechanism == CKM_AES_ECB || mechanism == CKM_AES_CBC;
  if (!fills || key_type == kCkkSm4 || key_type == CKK_AES_XTS) return Done{};
  if (key_type == CKK_AES) {
    constexpr size_t kFilled = 32;
    constexpr size_t kFilling = 8;
    const ByteSpan tail = value.Expose(SecretAccess()).last(std::min(kFilling, value.size()));
    const bool zeros = std::all_of(tail.begin(), tail.end(), [](uint8_t b) { return b == 0; });
    if (value.size() != kFilled || !zeros) return Done{};
  }
  return Fail(Code::kTemplateIncomplete, "CKA_VALUE_LEN");
}

Result<NewKey> SecretFromWrapped(SecretBytes value, uint64_t key_type, uint64_t mechanism,
                                 const wire::AttributeList& attributes) {
  if (!IsSecretKeyType(key_type)) return Fail(Code::kTemplateInconsistent, "CKA_KEY_TYPE");
  KC_ASSIGN(const std::optional<size_t> length, ValueLength(attributes));
  if (length.has_value()) {
    KC_CHECK_OK(TruncateTo(value, *length));
  } else {
    KC_CHECK_OK(CheckLengthKnown(value, key_type, mechanism));
  }
  if (!IsSecretSize(key_type, value.size())) return Fail(Code::kWrappedKeyLenRange);
  return NewSecretKey(key_type, std::move(value));
}

// A private key's encoding without the zeros with which key wrap fills up to whole semiblocks: it
// "parses the encoding … and ignores trailing zero bytes" (v3.2 §6.16.3).
ByteSpan WithoutFilling(ByteSpan encoded) {
  const uint8_t* next = encoded.data();
  long length = 0;
  int tag = 0;
  int tag_class = 0;
  const int form =
      ASN1_get_object(&next, &length, &tag, &tag_class, static_cast<long>(encoded.size()));
  ERR_clear_error();
  if ((form & 0x80) != 0) return encoded;
  const size_t size = static_cast<size_t>(next - encoded.data()) + static_cast<size_t>(length);
  const ByteSpan tail = encoded.subspan(size);
  const bool zeros = std::all_of(tail.begin(), tail.end(), [](uint8_t byte) { return byte == 0; });
  return zeros && tail.size() < 8 ? encoded.first(size) : encoded;
}

// How a derivation is run: with the mechanism's second key, where it names one.
Result<SecretBytes> RunDerive(const MechFamily& family, const Key& base_key, const Key* second,
                              const wire::Mechanism& mechanism, size_t size) {
  if (second != nullptr) {
    if (family.derive_with != nullptr)
      return family.derive_with(base_key, *second, mechanism, size);
    return Fail(Code::kMechanismParamInvalid, "the mechanism takes no second key");
  }
  if (family.derive != nullptr) return family.derive(base_key, mechanism, size);
  return Fail(Code::kMechanismParamInvalid, "the mechanism takes the handle of a second key");
}

// What the template of a secret key that a mechanism makes says of it.
struct SecretTemplate {
  uint64_t key_type = 0;
  size_t size = 0;  // 0: not said
};

Result<SecretTemplate> ReadSecretTemplate(const wire::AttributeList& attributes) {
  SecretTemplate read;
  const uint64_t object_class = attributes.Ulong(CKA_CLASS).value_or(CKO_SECRET_KEY);
  read.key_type = attributes.Ulong(CKA_KEY_TYPE).value_or(CKK_GENERIC_SECRET);
  if (object_class != CKO_SECRET_KEY) return Fail(Code::kTemplateInconsistent, "CKA_CLASS");
  if (!IsSecretKeyType(read.key_type)) return Fail(Code::kTemplateInconsistent, "CKA_KEY_TYPE");
  KC_ASSIGN(const std::optional<size_t> length, ValueLength(attributes));
  if (length.has_value() && !IsSecretSize(read.key_type, *length)) {
    return Fail(Code::kAttributeValueInvalid, "CKA_VALUE_LEN");
  }
  read.size = length.value_or(0);
  return read;
}

}  // namespace

Result<SecretBytes> EncodeForWrap(const Key& key) {
  if (key.object_class() == CKO_SECRET_KEY) return key.secret().Clone();
  if (key.object_class() != CKO_PRIVATE_KEY) {
    return Fail(Code::kKeyNotWrappable, "only private and secret keys are wrapped");
  }
  KC_ASSIGN(NewKey encoded, NewKeyFromPkey(key.pkey()));
  return std::move(encoded.material);
}

Result<Bytes> WrapKey(const MechEntry& entry, const Key& wrapping_key,
                      const wire::Mechanism& mechanism, const Key& key) {
  if ((entry.row->flags & CKF_WRAP) == 0) return Fail(Code::kMechanismInvalid);
  KC_ASSIGN(const SecretBytes encoded, EncodeForWrap(key));
  const auto run = entry.family->wrap != nullptr ? entry.family->wrap : entry.family->encrypt;
  Result<Bytes> wrapped = run(wrapping_key, mechanism, encoded.Expose(SecretAccess()));
  if (!wrapped.ok()) return ForWrap(wrapped.error());
  return wrapped;
}

Result<NewKey> UnwrapKey(const MechEntry& entry, const Key& unwrapping_key,
                         const wire::Mechanism& mechanism, ByteSpan wrapped,
                         const wire::AttributeList& attributes) {
  if ((entry.row->flags & CKF_UNWRAP) == 0) return Fail(Code::kMechanismInvalid);
  KC_ASSIGN(const uint64_t object_class, Required(attributes, CKA_CLASS, "CKA_CLASS"));
  // A private key's encoding says its type; a template that says one, too, must say the same.
  const bool says_type = object_class != CKO_PRIVATE_KEY || attributes.Has(CKA_KEY_TYPE);
  uint64_t key_type = 0;
  if (says_type) {
    KC_ASSIGN(key_type, Required(attributes, CKA_KEY_TYPE, "CKA_KEY_TYPE"));
  }
  const auto run = entry.family->unwrap != nullptr ? entry.family->unwrap : entry.family->decrypt;
  Result<Bytes> opened = run(unwrapping_key, mechanism, wrapped);
  if (!opened.ok()) return ForUnwrap(opened.error());
  SecretBytes encoded = SecretBytes::Take(*opened);
  if (object_class == CKO_SECRET_KEY) {
    return SecretFromWrapped(std::move(encoded), key_type, mechanism.type, attributes);
  }
  if (object_class != CKO_PRIVATE_KEY) return Fail(Code::kTemplateInconsistent, "CKA_CLASS");
  Result<NewKey> made = MaterialFromPkcs8(WithoutFilling(encoded.Expose(SecretAccess())));
  if (!made.ok()) return Fail(Code::kWrappedKeyInvalid);
  if (says_type && made->attributes.Ulong(CKA_KEY_TYPE) != key_type) {
    return Fail(Code::kTemplateInconsistent, "CKA_KEY_TYPE is not that of the wrapped key");
  }
  return made;
}

Result<NewKey> DeriveKey(const MechEntry& entry, const Key& base_key, const Key* second,
                         const wire::Mechanism& mechanism, const wire::AttributeList& attributes) {
  if ((entry.row->flags & CKF_DERIVE) == 0) return Fail(Code::kMechanismInvalid);
  KC_ASSIGN(const SecretTemplate wanted, ReadSecretTemplate(attributes));
  KC_ASSIGN(SecretBytes value, RunDerive(*entry.family, base_key, second, mechanism, wanted.size));
  if (!IsSecretSize(wanted.key_type, value.size()))
    return Fail(Code::kTemplateIncomplete, "CKA_VALUE_LEN");
  return NewSecretKey(wanted.key_type, std::move(value));
}

Result<EncapsulatedKey> EncapsulateKey(const MechEntry& entry, const Key& public_key,
                                       const wire::Mechanism& mechanism,
                                       const wire::AttributeList& attributes) {
  if ((entry.row->flags & CKF_ENCAPSULATE) == 0) return Fail(Code::kMechanismInvalid);
  KC_ASSIGN(const SecretTemplate wanted, ReadSecretTemplate(attributes));
  Result<Encapsulated> made = entry.family->encapsulate(public_key, mechanism, wanted.size);
  if (!made.ok()) return ForWrap(made.error());
  if (!IsSecretSize(wanted.key_type, made->secret.size()))
    return Fail(Code::kTemplateInconsistent, "CKA_KEY_TYPE: the secret does not fit it");
  EncapsulatedKey key;
  key.ciphertext = std::move(made->ciphertext);
  KC_ASSIGN(key.key, NewSecretKey(wanted.key_type, std::move(made->secret)));
  return key;
}

Result<NewKey> DecapsulateKey(const MechEntry& entry, const Key& private_key,
                              const wire::Mechanism& mechanism, ByteSpan ciphertext,
                              const wire::AttributeList& attributes) {
  if ((entry.row->flags & CKF_DECAPSULATE) == 0) return Fail(Code::kMechanismInvalid);
  KC_ASSIGN(const SecretTemplate wanted, ReadSecretTemplate(attributes));
  Result<SecretBytes> secret =
      entry.family->decapsulate(private_key, mechanism, ciphertext, wanted.size);
  if (!secret.ok()) return ForUnwrap(secret.error());
  // Where a ciphertext decides the secret's length, a wrong one is a wrong ciphertext.
  const bool unwraps = (entry.row->flags & CKF_DECRYPT) != 0;
  if (!IsSecretSize(wanted.key_type, secret->size()))
    return unwraps ? Fail(Code::kWrappedKeyInvalid)
                   : Fail(Code::kTemplateInconsistent, "CKA_KEY_TYPE: the secret does not fit it");
  return NewSecretKey(wanted.key_type, std::move(*secret));
}

}  // namespace keyclave::mech
