// CKM_AES_ECB (pkcs11-curr-v3.0 §2.8.4): whole blocks, no parameter. Wrapping fills a secret key's
// value with zeros up to the block, as the specification says.

#include "enclave/mech/aes.h"
#include "enclave/mech/families.h"

namespace keyclave::mech {
namespace {

constexpr MechRow kRows[] = {
    {CKM_AES_ECB, 16, 32, kFlagCipher | kFlagWrap},
};

Result<Bytes> Encrypt(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  KC_ASSIGN(const ByteSpan secret, AesKey(key));
  KC_CHECK_OK(ExpectNoParam(mechanism));
  if (input.size() % kAesBlock != 0) return Fail(Code::kDataLenRange);
  return AesTransform(AesMode::kEcb, true, secret, {}, input);
}

Result<Bytes> Decrypt(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  KC_ASSIGN(const ByteSpan secret, AesKey(key));
  KC_CHECK_OK(ExpectNoParam(mechanism));
  if (input.size() % kAesBlock != 0) return Fail(Code::kEncryptedDataLenRange);
  return AesTransform(AesMode::kEcb, false, secret, {}, input);
}

Result<Bytes> Wrap(const Key& key, const wire::Mechanism& mechanism, ByteSpan encoded_key) {
  return Encrypt(key, mechanism, FillBlocks(encoded_key));
}

}  // namespace

constinit const MechFamily kAesEcbFamily = {
    .name = "aes-ecb",
    .rows = kRows,
    .encrypt = Encrypt,
    .decrypt = Decrypt,
    .wrap = Wrap,
};

}  // namespace keyclave::mech
