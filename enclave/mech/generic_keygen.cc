// CKM_GENERIC_SECRET_KEY_GEN (pkcs11-curr-v3.0 §2.6.3); its key sizes are bits.

#include "enclave/mech/aes.h"
#include "enclave/mech/families.h"
#include "enclave/mech/secret_keygen.h"

namespace keyclave::mech {
namespace {

constexpr MechRow kRows[] = {
    {CKM_GENERIC_SECRET_KEY_GEN, 8, kMaxGenericSecret * 8, CKF_HW | CKF_GENERATE},
};

Result<NewKey> Generate(const wire::Mechanism& mechanism, const wire::AttributeList& attributes) {
  return GenerateSecret(mechanism, attributes, CKK_GENERIC_SECRET);
}

}  // namespace

constinit const MechFamily kGenericKeygenFamily = {
    .name = "generic-keygen",
    .rows = kRows,
    .generate = Generate,
};

}  // namespace keyclave::mech
