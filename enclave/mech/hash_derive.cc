// CKM_…_KEY_DERIVATION (pkcs11-curr-v3.0 §2.42): the digest of a key's value, or as much of its
// beginning as is asked for, is the new key.

#include "enclave/mech/aes.h"
#include "enclave/mech/families.h"
#include "enclave/mech/kdf_run.h"

namespace keyclave::mech {
namespace {

constexpr MechRow kRows[] = {
    {CKM_SHA1_KEY_DERIVATION, 1, kMaxGenericSecret, CKF_HW | CKF_DERIVE},
    {CKM_SHA224_KEY_DERIVATION, 1, kMaxGenericSecret, CKF_HW | CKF_DERIVE},
    {CKM_SHA256_KEY_DERIVATION, 1, kMaxGenericSecret, CKF_HW | CKF_DERIVE},
    {CKM_SHA384_KEY_DERIVATION, 1, kMaxGenericSecret, CKF_HW | CKF_DERIVE},
    {CKM_SHA512_KEY_DERIVATION, 1, kMaxGenericSecret, CKF_HW | CKF_DERIVE},
    {CKM_SHA512_224_KEY_DERIVATION, 1, kMaxGenericSecret, CKF_HW | CKF_DERIVE},
    {CKM_SHA512_256_KEY_DERIVATION, 1, kMaxGenericSecret, CKF_HW | CKF_DERIVE},
    {CKM_SHA3_224_KEY_DERIVATION, 1, kMaxGenericSecret, CKF_HW | CKF_DERIVE},
    {CKM_SHA3_256_KEY_DERIVATION, 1, kMaxGenericSecret, CKF_HW | CKF_DERIVE},
    {CKM_SHA3_384_KEY_DERIVATION, 1, kMaxGenericSecret, CKF_HW | CKF_DERIVE},
    {CKM_SHA3_512_KEY_DERIVATION, 1, kMaxGenericSecret, CKF_HW | CKF_DERIVE},
};

Result<SecretBytes> Derive(const Key& key, const wire::Mechanism& mechanism, size_t asked) {
  KC_CHECK_OK(CheckAnySecret(key));
  KC_CHECK_OK(ExpectNoParam(mechanism));
  const HashAlg* hash = FindHash(&HashAlg::key_derivation, mechanism.type);
  if (hash == nullptr) return Fail(Code::kMechanismInvalid);
  const size_t size = asked == 0 ? hash->size : asked;
  KC_CHECK_OK(CheckDerivedSize(size, hash->size));
  KC_ASSIGN(Bytes digest, hash->Digest(key.secret().Expose(SecretAccess())));
  SecretBytes derived = SecretBytes::Take(digest);
  derived.Truncate(size);
  return derived;
}

}  // namespace

constinit const MechFamily kHashDeriveFamily = {
    .name = "hash-derive",
    .rows = kRows,
    .derive = Derive,
};

}  // namespace keyclave::mech
