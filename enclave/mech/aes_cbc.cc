// CKM_AES_CBC and CKM_AES_CBC_PAD (pkcs11-curr-v3.0 §2.8.5, §2.8.6): the parameter is the IV.
// CKM_AES_CBC takes whole blocks and wraps secret keys filled with zeros; CKM_AES_CBC_PAD pads as
// PKCS#7 does and wraps private keys too.

#include "enclave/mech/aes.h"
#include "enclave/mech/families.h"

namespace keyclave::mech {
namespace {

constexpr MechRow kRows[] = {
    {CKM_AES_CBC, 16, 32, kFlagCipher | kFlagWrap},
    {CKM_AES_CBC_PAD, 16, 32, kFlagCipher | kFlagWrap},
};

Result<Bytes> Encrypt(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  KC_ASSIGN(const ByteSpan secret, AesKey(key));
  KC_ASSIGN(const ByteSpan iv, ExpectBytes(mechanism, kAesBlock));
  const bool padding = mechanism.type == CKM_AES_CBC_PAD;
  if (!padding && input.size() % kAesBlock != 0) return Fail(Code::kDataLenRange);
  return AesTransform(AesMode::kCbc, true, secret, iv, input, padding);
}

Result<Bytes> Decrypt(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  KC_ASSIGN(const ByteSpan secret, AesKey(key));
  KC_ASSIGN(const ByteSpan iv, ExpectBytes(mechanism, kAesBlock));
  const bool padding = mechanism.type == CKM_AES_CBC_PAD;
  if (input.size() % kAesBlock != 0 || (padding && input.empty())) {
    return Fail(Code::kEncryptedDataLenRange);
  }
  Result<Bytes> plain = AesTransform(AesMode::kCbc, false, secret, iv, input, padding);
  // Only the padding can be wrong with whole blocks.
  if (!plain.ok()) return Fail(Code::kEncryptedDataInvalid);
  return plain;
}

Result<Bytes> Wrap(const Key& key, const wire::Mechanism& mechanism, ByteSpan encoded_key) {
  if (mechanism.type == CKM_AES_CBC_PAD) return Encrypt(key, mechanism, encoded_key);
  return Encrypt(key, mechanism, FillBlocks(encoded_key));
}

}  // namespace

constinit const MechFamily kAesCbcFamily = {
    .name = "aes-cbc",
    .rows = kRows,
    .encrypt = Encrypt,
    .decrypt = Decrypt,
    .wrap = Wrap,
};

}  // namespace keyclave::mech
