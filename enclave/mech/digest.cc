// Digests that the modules' library lacks: SHA-512/224, SHA-512/256 (v3.2 §6.20), SM3.

#include "enclave/mech/families.h"
#include "enclave/mech/hash_alg.h"

namespace keyclave::mech {
namespace {

constexpr MechRow kRows[] = {
    {CKM_SHA512_224, 0, 0, CKF_HW | CKF_DIGEST},
    {CKM_SHA512_256, 0, 0, CKF_HW | CKF_DIGEST},
    {kCkmSm3, 0, 0, CKF_HW | CKF_DIGEST},
};

Result<Bytes> Digest(const wire::Mechanism& mechanism, ByteSpan input) {
  KC_CHECK_OK(ExpectNoParam(mechanism));
  return FindHash(&HashAlg::digest, mechanism.type)->Digest(input);
}

}  // namespace

constinit const MechFamily kDigestFamily = {
    .name = "digest",
    .rows = kRows,
    .digest = Digest,
};

}  // namespace keyclave::mech
