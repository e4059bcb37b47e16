// What a type of key is made of: between PKCS#11 attributes, OpenSSL handles and material at rest.
// One type = one file key_<type>.cc and one line in key.cc.
#pragma once

#include "enclave/mech/key.h"
#include "enclave/wire/pkcs11_numbers.h"

namespace keyclave::mech {

// An asymmetric type.
struct KeyType {
  uint64_t type;  // CKK_…
  bool (*is)(const EVP_PKEY*);

  // The public key from its attributes, each checked. kTemplateIncomplete, kAttributeValueInvalid,
  // kCurveUnsupported, kDomainParamsInvalid.
  Result<EvpPkey> (*public_key)(const wire::AttributeList&);
  // The private key (with its public half, which must fit) from a template's secret attributes.
  Result<EvpPkey> (*private_key)(const wire::AttributeList&);
  // The private key that PKCS#8 gave, with everything a key at rest has: normal form, complete,
  // checked. kKeyFileInvalid, kKeySizeRange, kCurveUnsupported.
  Result<EvpPkey> (*import)(EvpPkey);

  // CKA_MODULUS …, CKA_EC_PARAMS and CKA_EC_POINT.
  Result<wire::AttributeList> (*public_attributes)(const EVP_PKEY*);
  // CKA_PRIVATE_EXPONENT …, CKA_VALUE.
  Result<wire::AttributeList> (*secret_attributes)(const EVP_PKEY*);
};

extern const KeyType kRsaKeyType;
extern const KeyType kEcKeyType;
extern const KeyType kEdwardsKeyType;
extern const KeyType kMontgomeryKeyType;
extern const KeyType kSm2KeyType;
extern const KeyType kMlDsaKeyType;
extern const KeyType kMlKemKeyType;
extern const KeyType kSlhDsaKeyType;

const KeyType* FindKeyType(uint64_t type);  // nullptr: not an asymmetric type known here
const KeyType* FindKeyType(const EVP_PKEY* pkey);

// Whether `type` is a secret key's, and a value of `size` bytes fits it.
bool IsSecretKeyType(uint64_t type);
bool IsSecretSize(uint64_t type, size_t size);

// The value of a required attribute; kTemplateIncomplete names it as `name`.
Result<ByteSpan> RequiredAttribute(const wire::AttributeList& attributes, uint64_t type,
                                   std::string_view name);

// A handle from OpenSSL's own parameters: `selection` is EVP_PKEY_KEYPAIR or EVP_PKEY_PUBLIC_KEY.
// `detail` says what is wrong if they do not make a key (kAttributeValueInvalid).
Result<EvpPkey> PkeyFromParams(const char* algorithm, int selection, OSSL_PARAM_BLD* builder,
                               std::string_view detail);
// CKA_KEY_TYPE, the public attributes, CKA_PUBLIC_KEY_INFO, and PKCS#8.
Result<NewKey> NewKeyFromPkey(const EVP_PKEY* pkey);
// CKA_KEY_TYPE, CKA_VALUE_LEN, CKA_CHECK_VALUE, and the value. kAttributeValueInvalid for a size
// that the type does not have.
Result<NewKey> NewSecretKey(uint64_t type, SecretBytes value);

}  // namespace keyclave::mech
