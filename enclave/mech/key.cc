#include "enclave/mech/key.h"

#include <openssl/core_names.h>
#include <openssl/err.h>

#include "enclave/mech/evp.h"
#include "enclave/mech/key_type.h"

namespace keyclave::mech {
namespace {

const KeyType* const kKeyTypes[] = {&kRsaKeyType,        &kEcKeyType,    &kEdwardsKeyType,
                                    &kMontgomeryKeyType, &kSm2KeyType,   &kMlDsaKeyType,
                                    &kMlKemKeyType,      &kSlhDsaKeyType};

constexpr size_t kMaxKeyFile = 64 * 1024;

Result<uint64_t> RequiredUlong(const wire::AttributeList& attributes, uint64_t type,
                               std::string_view name) {
  if (!attributes.Has(type)) return Fail(Code::kTemplateIncomplete, std::string(name));
  const std::optional<uint64_t> value = attributes.Ulong(type);
  if (!value.has_value()) return Fail(Code::kAttributeValueInvalid, std::string(name));
  return *value;
}

Result<const KeyType*> AsymmetricType(const wire::AttributeList& attributes) {
  KC_ASSIGN(const uint64_t number, RequiredUlong(attributes, CKA_KEY_TYPE, "CKA_KEY_TYPE"));
  const KeyType* type = FindKeyType(number);
  if (type == nullptr) return Fail(Code::kAttributeValueInvalid, "CKA_KEY_TYPE");
  return type;
}

Result<EvpPkey> ParsePkcs8(ByteSpan der) {
  if (der.size() > kMaxKeyFile) return Fail(Code::kKeyFileInvalid, "larger than 64 KiB");
  const uint8_t* next = der.data();
  const Pkcs8Info info(d2i_PKCS8_PRIV_KEY_INFO(nullptr, &next, static_cast<long>(der.size())));
  if (info == nullptr) {
    next = der.data();
    const X509Sig encrypted(d2i_X509_SIG(nullptr, &next, static_cast<long>(der.size())));
    ERR_clear_error();
    return Fail(Code::kKeyFileInvalid, encrypted != nullptr
                                           ? "the key is encrypted: decrypt it before the import"
                                           : "not PKCS#8, or truncated");
  }
  if (next != der.data() + der.size()) {
    return Fail(Code::kKeyFileInvalid, "bytes after the end of the key");
  }
  EvpPkey pkey(EVP_PKCS82PKEY_ex(info.get(), Library(), nullptr));
  if (pkey == nullptr) return OpensslError(Code::kKeyFileInvalid, "PKCS#8");
  return pkey;
}

Result<SecretBytes> EncodePkcs8(const EVP_PKEY* pkey) {
  const Pkcs8Info info(EVP_PKEY2PKCS8(pkey));
  const int size = info == nullptr ? -1 : i2d_PKCS8_PRIV_KEY_INFO(info.get(), nullptr);
  if (size <= 0) return OpensslError("PKCS#8");
  SecretBytes der(static_cast<size_t>(size));
  uint8_t* next = der.ExposeMutable(SecretAccess()).data();
  if (i2d_PKCS8_PRIV_KEY_INFO(info.get(), &next) != size) return OpensslError("PKCS#8");
  return der;
}

Result<Bytes> EncodeSpki(const EVP_PKEY* pkey) {
  const int size = i2d_PUBKEY(pkey, nullptr);
  if (size <= 0) return OpensslError("SubjectPublicKeyInfo");
  Bytes der(static_cast<size_t>(size));
  uint8_t* next = der.data();
  if (i2d_PUBKEY(pkey, &next) != size) return OpensslError("SubjectPublicKeyInfo");
  return der;
}

Result<wire::AttributeList> PublicAttributes(const EVP_PKEY* pkey) {
  const KeyType* type = FindKeyType(pkey);
  if (type == nullptr) return Fail(Code::kUnsupported, "the key's algorithm");
  KC_ASSIGN(wire::AttributeList attributes, type->public_attributes(pkey));
  attributes.SetUlong(CKA_KEY_TYPE, type->type);
  KC_ASSIGN(const Bytes info, EncodeSpki(pkey));
  attributes.Set(CKA_PUBLIC_KEY_INFO, info);
  return attributes;
}

}  // namespace

const KeyType* FindKeyType(uint64_t type) {
  for (const KeyType* row : kKeyTypes) {
    if (row->type == type) return row;
  }
  return nullptr;
}

const KeyType* FindKeyType(const EVP_PKEY* pkey) {
  for (const KeyType* row : kKeyTypes) {
    if (row->is(pkey)) return row;
  }
  return nullptr;
}

Result<ByteSpan> RequiredAttribute(const wire::AttributeList& attributes, uint64_t type,
                                   std::string_view name) {
  const Bytes* value = attributes.Find(type);
  if (value == nullptr) return Fail(Code::kTemplateIncomplete, std::string(name));
  return ByteSpan(*value);
}

Result<EvpPkey> PkeyFromParams(const char* algorithm, int selection, OSSL_PARAM_BLD* builder,
                               std::string_view detail) {
  const Params params(OSSL_PARAM_BLD_to_param(builder));
  const EvpPkeyCtx context(EVP_PKEY_CTX_new_from_name(Library(), algorithm, nullptr));
  EVP_PKEY* made = nullptr;
  if (!params || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &made, selection, params.get()) != 1) {
    return OpensslError(Code::kAttributeValueInvalid, detail);
  }
  return EvpPkey(made);
}

Result<NewKey> NewKeyFromPkey(const EVP_PKEY* pkey) {
  NewKey made;
  KC_ASSIGN(made.attributes, PublicAttributes(pkey));
  KC_ASSIGN(made.material, EncodePkcs8(pkey));
  return made;
}

Result<std::shared_ptr<const Key>> LoadKey(const wire::AttributeList& attributes,
                                           const SecretBytes& material) {
  const uint64_t object_class = attributes.Ulong(CKA_CLASS).value_or(CKO_VENDOR_DEFINED);
  KC_ASSIGN(const uint64_t key_type, RequiredUlong(attributes, CKA_KEY_TYPE, "CKA_KEY_TYPE"));
  if (object_class == CKO_SECRET_KEY) {
    if (!IsSecretSize(key_type, material.size())) {
      return Fail(Code::kKeyFileInvalid, "a secret key of the wrong size for its type");
    }
    return std::make_shared<const Key>(object_class, key_type, EvpPkey(), material.Clone());
  }
  KC_ASSIGN(const KeyType* type, AsymmetricType(attributes));
  if (object_class == CKO_PRIVATE_KEY) {
    KC_ASSIGN(EvpPkey pkey, ParsePkcs8(material.Expose(SecretAccess())));
    if (!type->is(pkey.get())) {
      return Fail(Code::kKeyFileInvalid, "the material is not of the object's CKA_KEY_TYPE");
    }
    return std::make_shared<const Key>(object_class, key_type, std::move(pkey), SecretBytes());
  }
  if (object_class != CKO_PUBLIC_KEY) {
    return Fail(Code::kAttributeValueInvalid, "CKA_CLASS is not that of a key");
  }
  KC_ASSIGN(EvpPkey pkey, type->public_key(attributes));
  return std::make_shared<const Key>(object_class, key_type, std::move(pkey), SecretBytes());
}

Result<NewKey> MaterialFromTemplate(const wire::AttributeList& attributes) {
  KC_ASSIGN(const uint64_t object_class, RequiredUlong(attributes, CKA_CLASS, "CKA_CLASS"));
  if (object_class == CKO_SECRET_KEY) {
    KC_ASSIGN(const uint64_t key_type, RequiredUlong(attributes, CKA_KEY_TYPE, "CKA_KEY_TYPE"));
    KC_ASSIGN(const ByteSpan value, RequiredAttribute(attributes, CKA_VALUE, "CKA_VALUE"));
    Result<NewKey> made = NewSecretKey(key_type, SecretBytes::CopyOf(value));
    if (!made.ok()) return made.error().In("CKA_VALUE");
    return made;
  }
  KC_ASSIGN(const KeyType* type, AsymmetricType(attributes));
  if (object_class == CKO_PUBLIC_KEY) {
    KC_ASSIGN(const EvpPkey pkey, type->public_key(attributes));
    NewKey made;
    KC_ASSIGN(made.attributes, PublicAttributes(pkey.get()));
    return made;
  }
  if (object_class != CKO_PRIVATE_KEY) {
    return Fail(Code::kAttributeValueInvalid, "CKA_CLASS is not that of a key");
  }
  KC_ASSIGN(const EvpPkey pkey, type->private_key(attributes));
  return NewKeyFromPkey(pkey.get());
}

Result<NewKey> MaterialFromPkcs8(ByteSpan der) {
  KC_ASSIGN(EvpPkey parsed, ParsePkcs8(der));
  const KeyType* type = FindKeyType(parsed.get());
  if (type == nullptr) {
    const char* name = EVP_PKEY_get0_type_name(parsed.get());
    return Fail(Code::kKeyFileInvalid,
                "a key of type " + std::string(name == nullptr ? "?" : name) + " is not supported");
  }
  KC_ASSIGN(const EvpPkey pkey, type->import(std::move(parsed)));
  return NewKeyFromPkey(pkey.get());
}

Result<wire::AttributeList> SecretAttributes(const Key& key) {
  if (key.object_class() == CKO_SECRET_KEY) {
    wire::AttributeList attributes;
    attributes.Set(CKA_VALUE, key.secret().Expose(SecretAccess()));
    return attributes;
  }
  if (key.object_class() != CKO_PRIVATE_KEY) return wire::AttributeList();
  return FindKeyType(key.key_type())->secret_attributes(key.pkey());
}

Result<std::shared_ptr<const Key>> PublicKeyFromInfo(ByteSpan der) {
  if (der.size() > kMaxKeyFile) return Fail(Code::kKeyFileInvalid, "larger than 64 KiB");
  const uint8_t* next = der.data();
  const EvpPkey parsed(
      d2i_PUBKEY_ex(nullptr, &next, static_cast<long>(der.size()), Library(), nullptr));
  if (parsed == nullptr) return OpensslError(Code::kKeyFileInvalid, "SubjectPublicKeyInfo");
  if (next != der.data() + der.size()) {
    return Fail(Code::kKeyFileInvalid, "bytes after the end of the key");
  }
  const KeyType* type = FindKeyType(parsed.get());
  if (type == nullptr) return Fail(Code::kKeyFileInvalid, "the key's algorithm is not supported");
  KC_ASSIGN(const wire::AttributeList attributes, type->public_attributes(parsed.get()));
  KC_ASSIGN(EvpPkey pkey, type->public_key(attributes));
  return std::make_shared<const Key>(CKO_PUBLIC_KEY, type->type, std::move(pkey), SecretBytes());
}

Result<Bytes> PublicKeyInfo(const Key& key) {
  if (key.pkey() == nullptr) return Fail(Code::kKeyTypeInconsistent, "a secret key has none");
  return EncodeSpki(key.pkey());
}

}  // namespace keyclave::mech
