// CKM_RSA_AES_KEY_WRAP (pkcs11-curr-v3.0 §2.1.23): a fresh AES key in RSA-OAEP, and behind it the
// wrapped key in AES key wrap with padding (RFC 5649) under that AES key. OAEP's two hash functions
// are one and the same of SHA-2: the default of old tools, SHA-1, is refused.

#include "enclave/base/hash.h"
#include "enclave/mech/aes.h"
#include "enclave/mech/families.h"
#include "enclave/mech/hash_alg.h"
#include "enclave/mech/rsa.h"

namespace keyclave::mech {
namespace {

constexpr MechRow kRows[] = {
    {CKM_RSA_AES_KEY_WRAP, kRsaMinBits, kRsaMaxBits, CKF_HW | kFlagWrap},
};

constexpr size_t kShortestWrap = 16;  // RFC 5649 §3: one semiblock of key and the initial value
constexpr size_t kSemiblock = 8;

struct Param {
  wire::Mechanism oaep;
  size_t aes_size = 0;
};

Result<Param> ParamOf(const wire::Mechanism& mechanism) {
  KC_ASSIGN(const wire::RsaAesParam* param, ExpectShape(mechanism, &wire::Mechanism::rsa_aes));
  if (param->aes_bits % 8 != 0 || !IsAesKeySize(param->aes_bits / 8)) {
    return Fail(Code::kMechanismParamInvalid, "ulAESKeyBits");
  }
  const uint64_t digest = param->oaep.hash;
  if (digest != CKM_SHA256 && digest != CKM_SHA384 && digest != CKM_SHA512) {
    return Fail(Code::kMechanismParamInvalid, "hashAlg: SHA-256, SHA-384 or SHA-512");
  }
  if (FindHash(&HashAlg::digest, digest)->mgf != param->oaep.mgf) {
    return Fail(Code::kMechanismParamInvalid, "mgf: that of hashAlg");
  }
  Param out;
  out.oaep.type = CKM_RSA_PKCS_OAEP;
  out.oaep.oaep = param->oaep;
  out.aes_size = param->aes_bits / 8;
  return out;
}

Result<Bytes> Wrap(const Key& key, const wire::Mechanism& mechanism, ByteSpan encoded_key) {
  KC_CHECK_OK(RsaForPublic(key));
  KC_ASSIGN(const Param param, ParamOf(mechanism));
  if (encoded_key.empty()) return Fail(Code::kDataLenRange);
  SecretBytes aes(param.aes_size);
  RandomFill(aes.ExposeMutable(SecretAccess()));
  const ByteSpan secret = aes.Expose(SecretAccess());
  KC_ASSIGN(Bytes wrapped, kRsaOaepFamily.encrypt(key, param.oaep, secret));
  KC_ASSIGN(const Bytes inner,
            AesTransform(AesMode::kWrapPad, true, secret, ByteSpan(), encoded_key));
  wrapped.insert(wrapped.end(), inner.begin(), inner.end());
  return wrapped;
}

Result<Bytes> Unwrap(const Key& key, const wire::Mechanism& mechanism, ByteSpan wrapped) {
  KC_ASSIGN(const size_t size, RsaForPrivate(key));
  KC_ASSIGN(const Param param, ParamOf(mechanism));
  if (wrapped.size() < size + kShortestWrap || (wrapped.size() - size) % kSemiblock != 0) {
    return Fail(Code::kEncryptedDataLenRange);
  }
  KC_ASSIGN(Bytes opened, kRsaOaepFamily.decrypt(key, param.oaep, wrapped.first(size)));
  const SecretBytes aes = SecretBytes::Take(opened);
  // One answer for every way in which it does not open: the difference would be an oracle.
  if (aes.size() != param.aes_size) return Fail(Code::kEncryptedDataInvalid);
  Result<Bytes> plain = AesTransform(AesMode::kWrapPad, false, aes.Expose(SecretAccess()),
                                     ByteSpan(), wrapped.subspan(size));
  if (!plain.ok()) return Fail(Code::kEncryptedDataInvalid);
  return plain;
}

}  // namespace

constinit const MechFamily kRsaAesKeyWrapFamily = {
    .name = "rsa-aes-key-wrap",
    .rows = kRows,
    .wrap = Wrap,
    .unwrap = Unwrap,
};

}  // namespace keyclave::mech
