// Keys that are plain byte strings: Edwards curves (Ed25519, Ed448) and Montgomery curves (X25519,
// X448), CKK_EC_EDWARDS and CKK_EC_MONTGOMERY (pkcs11-curr-v3.0 §2.3.5 to §2.3.8).

#include <openssl/core_names.h>

#include "enclave/mech/ec_curve.h"
#include "enclave/mech/evp.h"
#include "enclave/mech/key_type.h"

namespace keyclave::mech {
namespace {

const EcCurve* CurveOfPkey(const EVP_PKEY* pkey, uint64_t key_type) {
  for (const EcCurve& curve : AllCurves()) {
    if (curve.key_type == key_type && EVP_PKEY_is_a(pkey, curve.group) == 1) return &curve;
  }
  return nullptr;
}

template <uint64_t key_type>
bool Is(const EVP_PKEY* pkey) {
  return CurveOfPkey(pkey, key_type) != nullptr;
}

template <uint64_t key_type>
Result<const EcCurve*> CurveOf(const wire::AttributeList& attributes) {
  KC_ASSIGN(const ByteSpan params, RequiredAttribute(attributes, CKA_EC_PARAMS, "CKA_EC_PARAMS"));
  KC_ASSIGN(const EcCurve* curve, ParseEcParams(params));
  if (curve->key_type != key_type) {
    return Fail(Code::kCurveUnsupported, "CKA_EC_PARAMS is not a curve of this CKA_KEY_TYPE");
  }
  return curve;
}

template <uint64_t key_type>
Result<EvpPkey> PublicKey(const wire::AttributeList& attributes) {
  KC_ASSIGN(const EcCurve* curve, CurveOf<key_type>(attributes));
  KC_ASSIGN(const ByteSpan value, RequiredAttribute(attributes, CKA_EC_POINT, "CKA_EC_POINT"));
  KC_ASSIGN(const Bytes point, ParseEcPoint(*curve, value));
  EvpPkey pkey(
      EVP_PKEY_new_raw_public_key_ex(Library(), curve->group, nullptr, point.data(), point.size()));
  if (pkey == nullptr) return OpensslError(Code::kAttributeValueInvalid, "CKA_EC_POINT");
  return pkey;
}

template <uint64_t key_type>
Result<EvpPkey> PrivateKey(const wire::AttributeList& attributes) {
  KC_ASSIGN(const EcCurve* curve, CurveOf<key_type>(attributes));
  KC_ASSIGN(const ByteSpan value, RequiredAttribute(attributes, CKA_VALUE, "CKA_VALUE"));
  EvpPkey pkey(EVP_PKEY_new_raw_private_key_ex(Library(), curve->group, nullptr, value.data(),
                                               value.size()));
  if (pkey == nullptr) return OpensslError(Code::kAttributeValueInvalid, "CKA_VALUE");
  return pkey;
}

Result<EvpPkey> Import(EvpPkey pkey) { return pkey; }

template <uint64_t key_type>
Result<wire::AttributeList> PublicAttributes(const EVP_PKEY* pkey) {
  const EcCurve* curve = CurveOfPkey(pkey, key_type);
  if (curve == nullptr) return Fail(Code::kCurveUnsupported);
  KC_ASSIGN(const Bytes point, PkeyOctets(pkey, OSSL_PKEY_PARAM_PUB_KEY));
  KC_ASSIGN(const Bytes encoded, EncodeEcPoint(point));
  wire::AttributeList attributes;
  attributes.Set(CKA_EC_PARAMS, curve->oid);
  attributes.Set(CKA_EC_POINT, encoded);
  return attributes;
}

Result<wire::AttributeList> SecretParts(const EVP_PKEY* pkey) {
  KC_ASSIGN(const Bytes value, PkeyOctets(pkey, OSSL_PKEY_PARAM_PRIV_KEY));
  wire::AttributeList attributes;
  attributes.Set(CKA_VALUE, value);
  return attributes;
}

template <uint64_t key_type>
constexpr KeyType kRaw = {key_type,
                          Is<key_type>,
                          PublicKey<key_type>,
                          PrivateKey<key_type>,
                          Import,
                          PublicAttributes<key_type>,
                          SecretParts};

}  // namespace

const KeyType kEdwardsKeyType = kRaw<CKK_EC_EDWARDS>;
const KeyType kMontgomeryKeyType = kRaw<CKK_EC_MONTGOMERY>;

}  // namespace keyclave::mech
