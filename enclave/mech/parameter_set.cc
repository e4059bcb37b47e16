#include "enclave/mech/parameter_set.h"

#include "enclave/mech/checks.h"
#include "enclave/mech/evp.h"
#include "enclave/mech/key_type.h"

namespace keyclave::mech {
namespace {

// clang-format off
constexpr ParameterSet kSets[] = {
    {CKK_ML_DSA, CKP_ML_DSA_44, "ML-DSA-44", 1312, 2560, 32, 2420},
    {CKK_ML_DSA, CKP_ML_DSA_65, "ML-DSA-65", 1952, 4032, 32, 3309},
    {CKK_ML_DSA, CKP_ML_DSA_87, "ML-DSA-87", 2592, 4896, 32, 4627},
    {CKK_ML_KEM, CKP_ML_KEM_512, "ML-KEM-512", 800, 1632, 64, 768},
    {CKK_ML_KEM, CKP_ML_KEM_768, "ML-KEM-768", 1184, 2400, 64, 1088},
    {CKK_ML_KEM, CKP_ML_KEM_1024, "ML-KEM-1024", 1568, 3168, 64, 1568},
    {CKK_SLH_DSA, CKP_SLH_DSA_SHA2_128S, "SLH-DSA-SHA2-128s", 32, 64, 0, 7856},
    {CKK_SLH_DSA, CKP_SLH_DSA_SHAKE_128S, "SLH-DSA-SHAKE-128s", 32, 64, 0, 7856},
    {CKK_SLH_DSA, CKP_SLH_DSA_SHA2_128F, "SLH-DSA-SHA2-128f", 32, 64, 0, 17088},
    {CKK_SLH_DSA, CKP_SLH_DSA_SHAKE_128F, "SLH-DSA-SHAKE-128f", 32, 64, 0, 17088},
    {CKK_SLH_DSA, CKP_SLH_DSA_SHA2_192S, "SLH-DSA-SHA2-192s", 48, 96, 0, 16224},
    {CKK_SLH_DSA, CKP_SLH_DSA_SHAKE_192S, "SLH-DSA-SHAKE-192s", 48, 96, 0, 16224},
    {CKK_SLH_DSA, CKP_SLH_DSA_SHA2_192F, "SLH-DSA-SHA2-192f", 48, 96, 0, 35664},
    {CKK_SLH_DSA, CKP_SLH_DSA_SHAKE_192F, "SLH-DSA-SHAKE-192f", 48, 96, 0, 35664},
    {CKK_SLH_DSA, CKP_SLH_DSA_SHA2_256S, "SLH-DSA-SHA2-256s", 64, 128, 0, 29792},
    {CKK_SLH_DSA, CKP_SLH_DSA_SHAKE_256S, "SLH-DSA-SHAKE-256s", 64, 128, 0, 29792},
    {CKK_SLH_DSA, CKP_SLH_DSA_SHA2_256F, "SLH-DSA-SHA2-256f", 64, 128, 0, 49856},
    {CKK_SLH_DSA, CKP_SLH_DSA_SHAKE_256F, "SLH-DSA-SHAKE-256f", 64, 128, 0, 49856},
};
// clang-format on

}  // namespace

Result<const ParameterSet*> ParameterSetOf(uint64_t key_type,
                                           const wire::AttributeList& attributes) {
  KC_CHECK_OK(RequiredAttribute(attributes, CKA_PARAMETER_SET, "CKA_PARAMETER_SET"));
  const std::optional<uint64_t> number = attributes.Ulong(CKA_PARAMETER_SET);
  if (!number.has_value()) return Fail(Code::kAttributeValueInvalid, "CKA_PARAMETER_SET");
  const auto* found = std::find_if(
      std::begin(kSets), std::end(kSets),
      [&](const ParameterSet& set) { return set.key_type == key_type && set.number == *number; });
  if (found == std::end(kSets)) return Fail(Code::kParameterSetUnsupported, "CKA_PARAMETER_SET");
  if (!HasParameterSets(key_type)) {
    return Fail(Code::kParameterSetUnsupported, std::string(found->name) + " needs OpenSSL 3.5");
  }
  return found;
}

const ParameterSet* ParameterSetOf(uint64_t key_type, const EVP_PKEY* pkey) {
  for (const ParameterSet& set : kSets) {
    if (set.key_type == key_type && EVP_PKEY_is_a(pkey, set.name) == 1) return &set;
  }
  return nullptr;
}

bool HasParameterSets(uint64_t key_type) {
  static const bool ml_dsa = HasKeyAlgorithm("ML-DSA-44");
  static const bool ml_kem = HasKeyAlgorithm("ML-KEM-512");
  static const bool slh_dsa = HasKeyAlgorithm("SLH-DSA-SHA2-128s");
  return key_type == CKK_ML_DSA ? ml_dsa : key_type == CKK_ML_KEM ? ml_kem : slh_dsa;
}

Result<NewKey> GenerateFromSet(uint64_t key_type, const wire::Mechanism& mechanism,
                               const wire::AttributeList& attributes) {
  KC_CHECK_OK(ExpectNoParam(mechanism));
  KC_ASSIGN(const ParameterSet* set, ParameterSetOf(key_type, attributes));
  const EvpPkey pkey(EVP_PKEY_Q_keygen(Library(), nullptr, set->name));
  if (pkey == nullptr) return OpensslError(std::string("making a key of ") + set->name);
  return NewKeyFromPkey(pkey.get());
}

}  // namespace keyclave::mech
