// RSA-PSS (pkcs11-curr-v3.0 §2.1.10, §2.1.12): CKM_RSA_PKCS_PSS over a digest that the caller made,
// and signatures that hash first. The parameter says hash, mask function and salt length, and is
// never guessed.

#include <openssl/rsa.h>

#include "enclave/mech/families.h"
#include "enclave/mech/hash_alg.h"
#include "enclave/mech/pkey_run.h"
#include "enclave/mech/rsa.h"

namespace keyclave::mech {
namespace {

constexpr MechRow kRows[] = {
    {CKM_RSA_PKCS_PSS, kRsaMinBits, kRsaMaxBits, kFlagSign},
    {CKM_SHA1_RSA_PKCS_PSS, kRsaMinBits, kRsaMaxBits, kFlagSign, SignInput::kMessage},
    {CKM_SHA224_RSA_PKCS_PSS, kRsaMinBits, kRsaMaxBits, kFlagSign, SignInput::kMessage},
    {CKM_SHA256_RSA_PKCS_PSS, kRsaMinBits, kRsaMaxBits, kFlagSign, SignInput::kMessage},
    {CKM_SHA384_RSA_PKCS_PSS, kRsaMinBits, kRsaMaxBits, kFlagSign, SignInput::kMessage},
    {CKM_SHA512_RSA_PKCS_PSS, kRsaMinBits, kRsaMaxBits, kFlagSign, SignInput::kMessage},
    {CKM_SHA3_224_RSA_PKCS_PSS, kRsaMinBits, kRsaMaxBits, kFlagSign, SignInput::kMessage},
    {CKM_SHA3_256_RSA_PKCS_PSS, kRsaMinBits, kRsaMaxBits, kFlagSign, SignInput::kMessage},
    {CKM_SHA3_384_RSA_PKCS_PSS, kRsaMinBits, kRsaMaxBits, kFlagSign, SignInput::kMessage},
    {CKM_SHA3_512_RSA_PKCS_PSS, kRsaMinBits, kRsaMaxBits, kFlagSign, SignInput::kMessage},
};

// RFC 8017 §9.1.1: the encoded message is one bit shorter than the modulus, and holds digest, salt
// and two bytes.
bool SaltFits(const Key& key, const HashAlg& hash, uint64_t salt_length) {
  const size_t encoded = (static_cast<size_t>(EVP_PKEY_get_bits(key.pkey())) - 1 + 7) / 8;
  return encoded >= hash.size + 2 && salt_length <= encoded - hash.size - 2;
}

Result<PkeyUse> UseOf(PkeyVerb verb, const Key& key, const wire::Mechanism& mechanism) {
  KC_ASSIGN(const wire::PssParam* param, ExpectShape(mechanism, &wire::Mechanism::pss));
  const HashAlg* hash = FindHash(&HashAlg::digest, param->hash);
  const HashAlg* mgf = FindHash(&HashAlg::mgf, param->mgf);
  if (hash == nullptr) return Fail(Code::kMechanismParamInvalid, "hashAlg");
  if (mgf == nullptr) return Fail(Code::kMechanismParamInvalid, "mgf");
  // "hashAlg … the hash algorithm used in the PSS encoding; … must be the same as the one in the
  // mechanism" (§2.1.12).
  if (mechanism.type != CKM_RSA_PKCS_PSS && hash->rsa_pss != mechanism.type) {
    return Fail(Code::kMechanismParamInvalid, "hashAlg is not the mechanism's");
  }
  if (!SaltFits(key, *hash, param->salt_length)) {
    return Fail(Code::kMechanismParamInvalid, "sLen is too long for the key");
  }
  return PkeyUse{.verb = verb,
                 .rsa_padding = RSA_PKCS1_PSS_PADDING,
                 .md = hash->md(),
                 .mgf = mgf->md(),
                 .pss_salt_length = static_cast<int>(param->salt_length)};
}

// The digest that is signed: the input itself for CKM_RSA_PKCS_PSS, which must then be as long as
// the hash's.
Result<Bytes> DigestOf(const wire::Mechanism& mechanism, ByteSpan input) {
  const HashAlg* hash = FindHash(&HashAlg::digest, mechanism.pss->hash);
  if (mechanism.type != CKM_RSA_PKCS_PSS) return hash->Digest(input);
  if (input.size() != hash->size) return Fail(Code::kDataLenRange);
  return ToBytes(input);
}

Result<Bytes> Sign(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  KC_ASSIGN(const size_t size, RsaForPrivate(key));
  KC_ASSIGN(const PkeyUse use, UseOf(PkeyVerb::kSign, key, mechanism));
  KC_ASSIGN(const Bytes digest, DigestOf(mechanism, input));
  return RunSign(key, use, digest, size);
}

Result<Bytes> LaneInput(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  KC_ASSIGN(const PkeyUse use, UseOf(PkeyVerb::kSign, key, mechanism));
  KC_ASSIGN(const Bytes digest, DigestOf(mechanism, input));
  return PssLaneInput(*key.lane(), use.md, use.mgf, use.pss_salt_length, digest);
}

Status Verify(const Key& key, const wire::Mechanism& mechanism, ByteSpan input,
              ByteSpan signature) {
  KC_ASSIGN(const size_t size, RsaForPublic(key));
  KC_ASSIGN(const PkeyUse use, UseOf(PkeyVerb::kVerify, key, mechanism));
  KC_ASSIGN(const Bytes digest, DigestOf(mechanism, input));
  if (signature.size() != size) return Fail(Code::kSignatureLenRange);
  return RunVerify(key, use, digest, signature);
}

}  // namespace

constinit const MechFamily kRsaPssFamily = {
    .name = "rsa-pss",
    .rows = kRows,
    .sign = Sign,
    .lane_input = LaneInput,
    .verify = Verify,
};

}  // namespace keyclave::mech
