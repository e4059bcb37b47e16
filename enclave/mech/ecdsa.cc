// ECDSA (pkcs11-curr-v3.0 §2.3.1): signatures are r and s, each as long as the curve's order,
// concatenated. CKM_ECDSA signs a digest that the caller made; the others hash first.

#include "enclave/mech/ec_signature.h"
#include "enclave/mech/evp.h"
#include "enclave/mech/families.h"
#include "enclave/mech/hash_alg.h"
#include "enclave/mech/pkey_run.h"

namespace keyclave::mech {
namespace {

constexpr size_t kMinBits = 256;
constexpr size_t kMaxBits = 521;
constexpr uint64_t kFlags = kFlagSign | kFlagEc;

constexpr MechRow kRows[] = {
    {CKM_ECDSA, kMinBits, kMaxBits, kFlags},
    {CKM_ECDSA_SHA1, kMinBits, kMaxBits, kFlags, SignInput::kMessage},
    {CKM_ECDSA_SHA224, kMinBits, kMaxBits, kFlags, SignInput::kMessage},
    {CKM_ECDSA_SHA256, kMinBits, kMaxBits, kFlags, SignInput::kMessage},
    {CKM_ECDSA_SHA384, kMinBits, kMaxBits, kFlags, SignInput::kMessage},
    {CKM_ECDSA_SHA512, kMinBits, kMaxBits, kFlags, SignInput::kMessage},
    {CKM_ECDSA_SHA3_224, kMinBits, kMaxBits, kFlags, SignInput::kMessage},
    {CKM_ECDSA_SHA3_256, kMinBits, kMaxBits, kFlags, SignInput::kMessage},
    {CKM_ECDSA_SHA3_384, kMinBits, kMaxBits, kFlags, SignInput::kMessage},
    {CKM_ECDSA_SHA3_512, kMinBits, kMaxBits, kFlags, SignInput::kMessage},
};

// The order of a curve of Keyclave has as many bits as its field.
size_t HalfSize(const Key& key) {
  return (static_cast<size_t>(EVP_PKEY_get_bits(key.pkey())) + 7) / 8;
}

// What is signed. "CKM_ECDSA … input: any length; if the digest is longer than the order's bits, it
// is truncated" (§2.3.6): OpenSSL truncates as FIPS 186-4 §6.4 says.
Result<Bytes> DigestOf(const wire::Mechanism& mechanism, ByteSpan input) {
  KC_CHECK_OK(ExpectNoParam(mechanism));
  if (mechanism.type == CKM_ECDSA) {
    if (input.empty()) return Fail(Code::kDataLenRange);
    return ToBytes(input);
  }
  const HashAlg* hash = FindHash(&HashAlg::ecdsa, mechanism.type);
  if (hash == nullptr) return Fail(Code::kMechanismInvalid);
  return hash->Digest(input);
}

Result<Bytes> Sign(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  KC_CHECK_OK(CheckPrivate(key, CKK_EC));
  KC_ASSIGN(const Bytes digest, DigestOf(mechanism, input));
  const auto max_der = static_cast<size_t>(EVP_PKEY_get_size(key.pkey()));
  KC_ASSIGN(const Bytes der, RunSign(key, {.verb = PkeyVerb::kSign}, digest, max_der));
  return ToHalves(der, HalfSize(key));
}

Result<Bytes> LaneInput(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  KC_ASSIGN(const Bytes digest, DigestOf(mechanism, input));
  return EcdsaLaneInput(key.lane()->kind, digest);
}

Status Verify(const Key& key, const wire::Mechanism& mechanism, ByteSpan input,
              ByteSpan signature) {
  KC_CHECK_OK(CheckPublic(key, CKK_EC));
  KC_ASSIGN(const Bytes digest, DigestOf(mechanism, input));
  // "For signatures passed to a token for verification, the signature may have a shorter length but
  // must be composed as specified before" (v3.2 §6.3.1): Java's have no zeros in front.
  const size_t size = signature.size();
  if (size == 0 || size % 2 != 0 || size > 2 * HalfSize(key)) return Fail(Code::kSignatureLenRange);
  KC_ASSIGN(const Bytes der, FromHalves(signature));
  return RunVerify(key, {.verb = PkeyVerb::kVerify}, digest, der);
}

}  // namespace

constinit const MechFamily kEcdsaFamily = {
    .name = "ecdsa",
    .rows = kRows,
    .sign = Sign,
    .lane_input = LaneInput,
    .verify = Verify,
};

}  // namespace keyclave::mech
