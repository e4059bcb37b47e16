// SLH-DSA (FIPS 205): CKM_SLH_DSA over a message, CKM_HASH_SLH_DSA over a digest
// that the caller made, and signatures that hash first (v3.2 §6.68). Key sizes are the public
// keys' lengths, in bytes.

#include "enclave/mech/context_sign.h"
#include "enclave/mech/families.h"
#include "enclave/mech/parameter_set.h"

namespace keyclave::mech {
namespace {

constexpr MechRow kKeygenRows[] = {
    {CKM_SLH_DSA_KEY_PAIR_GEN, 32, 64, CKF_HW | CKF_GENERATE_KEY_PAIR},
};
constexpr MechRow kSignRows[] = {
    {CKM_SLH_DSA, 32, 64, kFlagSign, SignInput::kMessage},
    {CKM_HASH_SLH_DSA, 32, 64, kFlagSign},
    {CKM_HASH_SLH_DSA_SHA224, 32, 64, kFlagSign, SignInput::kMessage},
    {CKM_HASH_SLH_DSA_SHA256, 32, 64, kFlagSign, SignInput::kMessage},
    {CKM_HASH_SLH_DSA_SHA384, 32, 64, kFlagSign, SignInput::kMessage},
    {CKM_HASH_SLH_DSA_SHA512, 32, 64, kFlagSign, SignInput::kMessage},
    {CKM_HASH_SLH_DSA_SHA3_224, 32, 64, kFlagSign, SignInput::kMessage},
    {CKM_HASH_SLH_DSA_SHA3_256, 32, 64, kFlagSign, SignInput::kMessage},
    {CKM_HASH_SLH_DSA_SHA3_384, 32, 64, kFlagSign, SignInput::kMessage},
    {CKM_HASH_SLH_DSA_SHA3_512, 32, 64, kFlagSign, SignInput::kMessage},
    {CKM_HASH_SLH_DSA_SHAKE128, 32, 64, kFlagSign, SignInput::kMessage},
    {CKM_HASH_SLH_DSA_SHAKE256, 32, 64, kFlagSign, SignInput::kMessage},
};

bool Available(const MechRow& /*row*/) { return HasParameterSets(CKK_SLH_DSA); }

Result<NewKey> Generate(const wire::Mechanism& mechanism, const wire::AttributeList& attributes) {
  return GenerateFromSet(CKK_SLH_DSA, mechanism, attributes);
}

Result<Bytes> Sign(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  return SignInContext(CKK_SLH_DSA, key, mechanism, input);
}

Status Verify(const Key& key, const wire::Mechanism& mechanism, ByteSpan input,
              ByteSpan signature) {
  return VerifyInContext(CKK_SLH_DSA, key, mechanism, input, signature);
}

}  // namespace

constinit const MechFamily kSlhDsaKeygenFamily = {
    .name = "slh-dsa-keygen",
    .rows = kKeygenRows,
    .available = Available,
    .generate = Generate,
};

constinit const MechFamily kSlhDsaFamily = {
    .name = "slh-dsa",
    .rows = kSignRows,
    .available = Available,
    .sign = Sign,
    .verify = Verify,
};

}  // namespace keyclave::mech
