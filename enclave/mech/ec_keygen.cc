// CKM_EC_KEY_PAIR_GEN and its Edwards and Montgomery siblings (pkcs11-curr-v3.0 §2.3.9 to §2.3.11):
// CKA_EC_PARAMS of the public template names the curve.

#include "enclave/mech/ec_curve.h"
#include "enclave/mech/evp.h"
#include "enclave/mech/families.h"
#include "enclave/mech/key_type.h"

namespace keyclave::mech {
namespace {

constexpr uint64_t kFlags = CKF_HW | CKF_GENERATE_KEY_PAIR | kFlagEc;

constexpr MechRow kRows[] = {
    {CKM_EC_KEY_PAIR_GEN, 256, 521, kFlags},
    {CKM_EC_EDWARDS_KEY_PAIR_GEN, 255, 448, kFlags},
    {CKM_EC_MONTGOMERY_KEY_PAIR_GEN, 255, 448, kFlags},
};

uint64_t KeyTypeOf(uint64_t mechanism) {
  if (mechanism == CKM_EC_EDWARDS_KEY_PAIR_GEN) return CKK_EC_EDWARDS;
  if (mechanism == CKM_EC_MONTGOMERY_KEY_PAIR_GEN) return CKK_EC_MONTGOMERY;
  return CKK_EC;
}

Result<NewKey> Generate(const wire::Mechanism& mechanism, const wire::AttributeList& attributes) {
  KC_CHECK_OK(ExpectNoParam(mechanism));
  KC_ASSIGN(const ByteSpan params, RequiredAttribute(attributes, CKA_EC_PARAMS, "CKA_EC_PARAMS"));
  KC_ASSIGN(const EcCurve* curve, ParseEcParams(params));
  if (curve->key_type != KeyTypeOf(mechanism.type)) {
    return Fail(Code::kCurveUnsupported, "CKA_EC_PARAMS is not a curve of this mechanism");
  }
  const EvpPkey pkey(curve->key_type == CKK_EC
                         ? EVP_PKEY_Q_keygen(Library(), nullptr, "EC", curve->group)
                         : EVP_PKEY_Q_keygen(Library(), nullptr, curve->group));
  if (pkey == nullptr) return OpensslError("making an EC key");
  return NewKeyFromPkey(pkey.get());
}

}  // namespace

constinit const MechFamily kEcKeygenFamily = {
    .name = "ec-keygen",
    .rows = kRows,
    .generate = Generate,
};

}  // namespace keyclave::mech
