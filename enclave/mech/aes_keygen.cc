// CKM_AES_KEY_GEN (pkcs11-curr-v3.0 §2.8.3).

#include "enclave/mech/aes.h"
#include "enclave/mech/families.h"
#include "enclave/mech/secret_keygen.h"

namespace keyclave::mech {
namespace {

constexpr MechRow kRows[] = {
    {CKM_AES_KEY_GEN, 16, 32, CKF_HW | CKF_GENERATE},
};

Result<NewKey> Generate(const wire::Mechanism& mechanism, const wire::AttributeList& attributes) {
  return GenerateSecret(mechanism, attributes, CKK_AES);
}

}  // namespace

constinit const MechFamily kAesKeygenFamily = {
    .name = "aes-keygen",
    .rows = kRows,
    .generate = Generate,
};

}  // namespace keyclave::mech
