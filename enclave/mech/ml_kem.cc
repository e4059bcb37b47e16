// ML-KEM (FIPS 203): CKM_ML_KEM_KEY_PAIR_GEN and CKM_ML_KEM (v3.2 §6.69). Key sizes are the public
// keys' lengths, in bytes; the secret has 32.

#include "enclave/mech/families.h"
#include "enclave/mech/kem_run.h"
#include "enclave/mech/parameter_set.h"

namespace keyclave::mech {
namespace {

constexpr MechRow kKeygenRows[] = {
    {CKM_ML_KEM_KEY_PAIR_GEN, 800, 1568, CKF_HW | CKF_GENERATE_KEY_PAIR},
};
constexpr MechRow kRows[] = {
    {CKM_ML_KEM, 800, 1568, CKF_HW | kFlagEncapsulate},
};

bool Available(const MechRow& /*row*/) { return HasParameterSets(CKK_ML_KEM); }

Result<NewKey> Generate(const wire::Mechanism& mechanism, const wire::AttributeList& attributes) {
  return GenerateFromSet(CKK_ML_KEM, mechanism, attributes);
}

Result<Encapsulated> Encapsulate(const Key& key, const wire::Mechanism& mechanism, size_t size) {
  KC_CHECK_OK(CheckPublic(key, CKK_ML_KEM));
  KC_CHECK_OK(ExpectNoParam(mechanism));
  return RunEncapsulate(key, nullptr, size);
}

// A ciphertext of the right length that nobody made gives a secret that nobody knows (FIPS 203
// §6.3): there is no error to learn from.
Result<SecretBytes> Decapsulate(const Key& key, const wire::Mechanism& mechanism,
                                ByteSpan ciphertext, size_t size) {
  KC_CHECK_OK(CheckPrivate(key, CKK_ML_KEM));
  KC_CHECK_OK(ExpectNoParam(mechanism));
  if (ciphertext.size() != ParameterSetOf(CKK_ML_KEM, key.pkey())->output_size) {
    return Fail(Code::kEncryptedDataLenRange);
  }
  return RunDecapsulate(key, nullptr, ciphertext, size);
}

}  // namespace

constinit const MechFamily kMlKemKeygenFamily = {
    .name = "ml-kem-keygen",
    .rows = kKeygenRows,
    .available = Available,
    .generate = Generate,
};

constinit const MechFamily kMlKemFamily = {
    .name = "ml-kem",
    .rows = kRows,
    .available = Available,
    .encapsulate = Encapsulate,
    .decapsulate = Decapsulate,
};

}  // namespace keyclave::mech
