// Keys on Weierstrass curves, CKK_EC (pkcs11-curr-v3.0 §2.3): always a named curve, the public
// point always known and uncompressed. SM2's keys are made of the same attributes, under a type of
// their own: OpenSSL does not sign with them as ECDSA does.

#include <openssl/core_names.h>

#include "enclave/mech/ec_curve.h"
#include "enclave/mech/evp.h"
#include "enclave/mech/key_type.h"

namespace keyclave::mech {
namespace {

const char* AlgorithmOf(const EcCurve& curve) { return curve.key_type == CKK_EC ? "EC" : "SM2"; }

bool IsEc(const EVP_PKEY* pkey) { return EVP_PKEY_is_a(pkey, "EC") == 1; }
bool IsSm2(const EVP_PKEY* pkey) { return EVP_PKEY_is_a(pkey, "SM2") == 1; }

template <uint64_t key_type>
Result<const EcCurve*> CurveOf(const wire::AttributeList& attributes) {
  KC_ASSIGN(const ByteSpan params, RequiredAttribute(attributes, CKA_EC_PARAMS, "CKA_EC_PARAMS"));
  KC_ASSIGN(const EcCurve* curve, ParseEcParams(params));
  if (curve->key_type != key_type) {
    return Fail(Code::kCurveUnsupported, "CKA_EC_PARAMS is not a curve of this CKA_KEY_TYPE");
  }
  return curve;
}

Result<EcGroup> GroupOf(const EcCurve& curve) {
  EcGroup group(EC_GROUP_new_by_curve_name_ex(Library(), nullptr, OBJ_sn2nid(curve.group)));
  if (group == nullptr) return OpensslError(Code::kCurveUnsupported, curve.group);
  return group;
}

Result<Bytes> Uncompressed(const EC_GROUP* group, const EC_POINT* point) {
  const BnCtx scratch(BN_CTX_new_ex(Library()));
  Bytes octets(
      EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, nullptr, 0, scratch.get()));
  if (octets.empty() ||
      EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, octets.data(), octets.size(),
                         scratch.get()) != octets.size()) {
    return OpensslError("EC point");
  }
  return octets;
}

// `value` is null for a public key.
Result<EvpPkey> Build(const EcCurve& curve, const BIGNUM* value, const Bytes& point) {
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  if (!builder ||
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, curve.group, 0) !=
          1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                       point.size()) != 1) {
    return OpensslError("EC key");
  }
  if (value == nullptr) {
    return PkeyFromParams(AlgorithmOf(curve), EVP_PKEY_PUBLIC_KEY, builder.get(), "CKA_EC_POINT");
  }
  if (OSSL_PARAM_BLD_push_BN_pad(builder.get(), OSSL_PKEY_PARAM_PRIV_KEY, value,
                                 curve.order_bytes) != 1) {
    return OpensslError("EC key");
  }
  return PkeyFromParams(AlgorithmOf(curve), EVP_PKEY_KEYPAIR, builder.get(), "CKA_VALUE");
}

template <uint64_t key_type>
Result<EvpPkey> PublicKey(const wire::AttributeList& attributes) {
  KC_ASSIGN(const EcCurve* curve, CurveOf<key_type>(attributes));
  KC_ASSIGN(const ByteSpan value, RequiredAttribute(attributes, CKA_EC_POINT, "CKA_EC_POINT"));
  KC_ASSIGN(const Bytes octets, ParseEcPoint(*curve, value));
  KC_ASSIGN(const EcGroup group, GroupOf(*curve));
  const EcPoint point(EC_POINT_new(group.get()));
  // Checks that the point is on its curve.
  if (!point ||
      EC_POINT_oct2point(group.get(), point.get(), octets.data(), octets.size(), nullptr) != 1) {
    return OpensslError(Code::kAttributeValueInvalid, "CKA_EC_POINT");
  }
  KC_ASSIGN(const Bytes uncompressed, Uncompressed(group.get(), point.get()));
  return Build(*curve, nullptr, uncompressed);
}

// The key of private value `value`, its point computed.
Result<EvpPkey> FromValue(const EcCurve& curve, const BIGNUM* value, Code code) {
  KC_ASSIGN(const EcGroup group, GroupOf(curve));
  if (BN_is_zero(value) || BN_cmp(value, EC_GROUP_get0_order(group.get())) >= 0) {
    return Fail(code, "the EC private value is not below the curve's order");
  }
  const EcPoint point(EC_POINT_new(group.get()));
  const BnCtx scratch(BN_CTX_secure_new_ex(Library()));
  if (!point || !scratch ||
      EC_POINT_mul(group.get(), point.get(), value, nullptr, nullptr, scratch.get()) != 1) {
    return OpensslError("EC public point");
  }
  KC_ASSIGN(const Bytes octets, Uncompressed(group.get(), point.get()));
  return Build(curve, value, octets);
}

template <uint64_t key_type>
Result<EvpPkey> PrivateKey(const wire::AttributeList& attributes) {
  KC_ASSIGN(const EcCurve* curve, CurveOf<key_type>(attributes));
  KC_ASSIGN(const ByteSpan bytes, RequiredAttribute(attributes, CKA_VALUE, "CKA_VALUE"));
  if (bytes.empty() || bytes.size() > curve->order_bytes + 1) {
    return Fail(Code::kAttributeValueInvalid, "CKA_VALUE has the wrong length for its curve");
  }
  KC_ASSIGN(const BigNum value, ToBigNum(bytes));
  return FromValue(*curve, value.get(), Code::kAttributeValueInvalid);
}

Result<const EcCurve*> CurveOf(const EVP_PKEY* pkey) {
  Result<std::string> group = PkeyText(pkey, OSSL_PKEY_PARAM_GROUP_NAME);
  const EcCurve* curve = group.ok() ? FindCurve(*group) : nullptr;
  if (curve == nullptr) return Fail(Code::kCurveUnsupported, group.ok() ? *group : "explicit");
  return curve;
}

Result<EvpPkey> Import(EvpPkey pkey) {
  int from_explicit = 0;
  const int known = EVP_PKEY_get_int_param(
      pkey.get(), OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &from_explicit);
  if (known == 1 && from_explicit != 0) {
    return Fail(Code::kCurveUnsupported, "an EC key with explicit curve parameters");
  }
  KC_ASSIGN(const EcCurve* curve, CurveOf(pkey.get()));
  KC_ASSIGN(const BigNum value, PkeyBigNum(pkey.get(), OSSL_PKEY_PARAM_PRIV_KEY));
  // Built anew from the private value, so that the point fits whatever the file said.
  KC_ASSIGN(EvpPkey built, FromValue(*curve, value.get(), Code::kKeyFileInvalid));
  const bool has_point = EVP_PKEY_get_octet_string_param(pkey.get(), OSSL_PKEY_PARAM_PUB_KEY,
                                                         nullptr, 0, nullptr) == 1;
  if (has_point && EVP_PKEY_eq(pkey.get(), built.get()) != 1) {
    return OpensslError(Code::kKeyFileInvalid,
                        "the EC public point does not fit the private value");
  }
  return built;
}

Result<wire::AttributeList> PublicAttributes(const EVP_PKEY* pkey) {
  KC_ASSIGN(const EcCurve* curve, CurveOf(pkey));
  KC_ASSIGN(Bytes point, PkeyOctets(pkey, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY));
  KC_ASSIGN(Bytes encoded, EncodeEcPoint(point));
  wire::AttributeList attributes;
  attributes.Set(CKA_EC_PARAMS, curve->oid);
  attributes.Set(CKA_EC_POINT, encoded);
  return attributes;
}

Result<wire::AttributeList> SecretParts(const EVP_PKEY* pkey) {
  KC_ASSIGN(const EcCurve* curve, CurveOf(pkey));
  KC_ASSIGN(const BigNum value, PkeyBigNum(pkey, OSSL_PKEY_PARAM_PRIV_KEY));
  wire::AttributeList attributes;
  attributes.Set(CKA_VALUE, BigNumBytes(value.get(), curve->order_bytes));
  return attributes;
}

}  // namespace

const KeyType kEcKeyType = {
    CKK_EC, IsEc, PublicKey<CKK_EC>, PrivateKey<CKK_EC>, Import, PublicAttributes, SecretParts};
const KeyType kSm2KeyType = {
    kCkkSm2, IsSm2, PublicKey<kCkkSm2>, PrivateKey<kCkkSm2>, Import, PublicAttributes, SecretParts};

}  // namespace keyclave::mech
