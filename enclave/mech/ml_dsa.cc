// ML-DSA (FIPS 204): CKM_ML_DSA over a message, CKM_HASH_ML_DSA over a digest
// that the caller made, and signatures that hash first (v3.2 §6.67). Key sizes are the public
// keys' lengths, in bytes.

#include "enclave/mech/context_sign.h"
#include "enclave/mech/families.h"
#include "enclave/mech/parameter_set.h"

namespace keyclave::mech {
namespace {

constexpr MechRow kKeygenRows[] = {
    {CKM_ML_DSA_KEY_PAIR_GEN, 1312, 2592, CKF_HW | CKF_GENERATE_KEY_PAIR},
};
constexpr MechRow kSignRows[] = {
    {CKM_ML_DSA, 1312, 2592, kFlagSign, SignInput::kMessage},
    {CKM_HASH_ML_DSA, 1312, 2592, kFlagSign},
    {CKM_HASH_ML_DSA_SHA224, 1312, 2592, kFlagSign, SignInput::kMessage},
    {CKM_HASH_ML_DSA_SHA256, 1312, 2592, kFlagSign, SignInput::kMessage},
    {CKM_HASH_ML_DSA_SHA384, 1312, 2592, kFlagSign, SignInput::kMessage},
    {CKM_HASH_ML_DSA_SHA512, 1312, 2592, kFlagSign, SignInput::kMessage},
    {CKM_HASH_ML_DSA_SHA3_224, 1312, 2592, kFlagSign, SignInput::kMessage},
    {CKM_HASH_ML_DSA_SHA3_256, 1312, 2592, kFlagSign, SignInput::kMessage},
    {CKM_HASH_ML_DSA_SHA3_384, 1312, 2592, kFlagSign, SignInput::kMessage},
    {CKM_HASH_ML_DSA_SHA3_512, 1312, 2592, kFlagSign, SignInput::kMessage},
    {CKM_HASH_ML_DSA_SHAKE128, 1312, 2592, kFlagSign, SignInput::kMessage},
    {CKM_HASH_ML_DSA_SHAKE256, 1312, 2592, kFlagSign, SignInput::kMessage},
};

bool Available(const MechRow& /*row*/) { return HasParameterSets(CKK_ML_DSA); }

Result<NewKey> Generate(const wire::Mechanism& mechanism, const wire::AttributeList& attributes) {
  return GenerateFromSet(CKK_ML_DSA, mechanism, attributes);
}

Result<Bytes> Sign(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  return SignInContext(CKK_ML_DSA, key, mechanism, input);
}

Status Verify(const Key& key, const wire::Mechanism& mechanism, ByteSpan input,
              ByteSpan signature) {
  return VerifyInContext(CKK_ML_DSA, key, mechanism, input, signature);
}

}  // namespace

constinit const MechFamily kMlDsaKeygenFamily = {
    .name = "ml-dsa-keygen",
    .rows = kKeygenRows,
    .available = Available,
    .generate = Generate,
};

constinit const MechFamily kMlDsaFamily = {
    .name = "ml-dsa",
    .rows = kSignRows,
    .available = Available,
    .sign = Sign,
    .verify = Verify,
};

}  // namespace keyclave::mech
