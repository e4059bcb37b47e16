// AES key wrap (pkcs11-curr-v3.0 §2.16, NIST SP 800-38F), each with its default initial value or
// that of the parameter:
//
// - CKM_AES_KEY_WRAP: KW (RFC 3394); keys are filled up with zeros to whole semiblocks.
// - CKM_AES_KEY_WRAP_KWP: KWP (RFC 5649).
// - CKM_AES_KEY_WRAP_PAD: "deprecated" (v3.2 §6.16.3), with one number for two algorithms; here it
//   is RFC 5649, as SoftHSM and most HSMs understand it.
//
// CKM_AES_KEY_WRAP_PKCS7 is left out: PyKCS11 lists no mechanisms of a token that has it.

#include "enclave/mech/aes.h"
#include "enclave/mech/families.h"

namespace keyclave::mech {
namespace {

constexpr MechRow kRows[] = {
    {CKM_AES_KEY_WRAP, 16, 32, kFlagCipher | kFlagWrap},
    {CKM_AES_KEY_WRAP_PAD, 16, 32, kFlagCipher | kFlagWrap},
    {CKM_AES_KEY_WRAP_KWP, 16, 32, kFlagCipher | kFlagWrap},
};

constexpr size_t kSemiblock = 8;

bool IsKwp(const wire::Mechanism& mechanism) {
  return mechanism.type == CKM_AES_KEY_WRAP_PAD || mechanism.type == CKM_AES_KEY_WRAP_KWP;
}

Result<ByteSpan> InitialValue(const wire::Mechanism& mechanism) {
  if (ExpectNoParam(mechanism).ok()) return ByteSpan();
  return ExpectBytes(mechanism, IsKwp(mechanism) ? kSemiblock / 2 : kSemiblock);
}

Result<Bytes> Encrypt(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  KC_ASSIGN(const ByteSpan secret, AesKey(key));
  KC_ASSIGN(const ByteSpan iv, InitialValue(mechanism));
  if (IsKwp(mechanism)) {
    if (input.empty()) return Fail(Code::kDataLenRange);
    return AesTransform(AesMode::kWrapPad, true, secret, iv, input);
  }
  if (input.size() < 2 * kSemiblock || input.size() % kSemiblock != 0) {
    return Fail(Code::kDataLenRange);
  }
  return AesTransform(AesMode::kWrap, true, secret, iv, input);
}

Result<Bytes> Decrypt(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  KC_ASSIGN(const ByteSpan secret, AesKey(key));
  KC_ASSIGN(const ByteSpan iv, InitialValue(mechanism));
  const bool kwp = IsKwp(mechanism);
  const size_t shortest = kwp ? 2 * kSemiblock : 3 * kSemiblock;
  if (input.size() < shortest || input.size() % kSemiblock != 0) {
    return Fail(Code::kEncryptedDataLenRange);
  }
  Result<Bytes> plain =
      AesTransform(kwp ? AesMode::kWrapPad : AesMode::kWrap, false, secret, iv, input);
  // With a fitting length, only the integrity check fails.
  if (!plain.ok()) return Fail(Code::kEncryptedDataInvalid);
  return plain;
}

// "A secret key whose length is not a multiple of the AES Key Wrap semiblock size (8 bytes) will be
// zero padded to fit … a private key will be encoded …; the encoded private key will be zero padded
// to fit if necessary" (v3.2 §6.16.3).
Result<Bytes> Wrap(const Key& key, const wire::Mechanism& mechanism, ByteSpan encoded_key) {
  if (mechanism.type != CKM_AES_KEY_WRAP) return Encrypt(key, mechanism, encoded_key);
  Bytes filled = ToBytes(encoded_key);
  filled.resize((encoded_key.size() + kSemiblock - 1) / kSemiblock * kSemiblock);
  return Encrypt(key, mechanism, filled);
}

}  // namespace

constinit const MechFamily kAesKwFamily = {
    .name = "aes-kw",
    .rows = kRows,
    .encrypt = Encrypt,
    .decrypt = Decrypt,
    .wrap = Wrap,
};

}  // namespace keyclave::mech
