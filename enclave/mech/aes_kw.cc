// AES key wrap (RFC 3394: CKM_AES_KEY_WRAP) and key wrap with padding (RFC 5649:
// CKM_AES_KEY_WRAP_PAD, as SoftHSM and most HSMs understand that number, and CKM_AES_KEY_WRAP_KWP,
// which PKCS#11 3.0 made for it). The parameter is absent or another initial value.

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

bool Pads(const wire::Mechanism& mechanism) { return mechanism.type != CKM_AES_KEY_WRAP; }

Result<ByteSpan> InitialValue(const wire::Mechanism& mechanism) {
  if (ExpectNoParam(mechanism).ok()) return ByteSpan();
  return ExpectBytes(mechanism, Pads(mechanism) ? kSemiblock / 2 : kSemiblock);
}

Result<Bytes> Encrypt(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  KC_ASSIGN(const ByteSpan secret, AesKey(key));
  KC_ASSIGN(const ByteSpan iv, InitialValue(mechanism));
  const bool pads = Pads(mechanism);
  if (pads ? input.empty() : input.size() < 2 * kSemiblock || input.size() % kSemiblock != 0) {
    return Fail(Code::kDataLenRange);
  }
  return AesTransform(pads ? AesMode::kWrapPad : AesMode::kWrap, true, secret, iv, input);
}

Result<Bytes> Decrypt(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  KC_ASSIGN(const ByteSpan secret, AesKey(key));
  KC_ASSIGN(const ByteSpan iv, InitialValue(mechanism));
  const bool pads = Pads(mechanism);
  const size_t shortest = pads ? 2 * kSemiblock : 3 * kSemiblock;
  if (input.size() < shortest || input.size() % kSemiblock != 0) {
    return Fail(Code::kEncryptedDataLenRange);
  }
  Result<Bytes> plain =
      AesTransform(pads ? AesMode::kWrapPad : AesMode::kWrap, false, secret, iv, input);
  // With a fitting length, only the integrity check fails.
  if (!plain.ok()) return Fail(Code::kEncryptedDataInvalid);
  return plain;
}

}  // namespace

constinit const MechFamily kAesKwFamily = {
    .name = "aes-kw",
    .rows = kRows,
    .encrypt = Encrypt,
    .decrypt = Decrypt,
};

}  // namespace keyclave::mech
