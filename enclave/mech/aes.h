// What the AES mechanisms share: sizes, ciphers fetched once, one whole transformation.
#pragma once

#include "enclave/mech/key.h"
#include "enclave/wire/mech_param.h"
#include "enclave/wire/pkcs11_numbers.h"

namespace keyclave::mech {

inline constexpr size_t kAesBlock = 16;
inline constexpr size_t kMaxGenericSecret = 1024;  // bytes

inline bool IsAesKeySize(size_t bytes) { return bytes == 16 || bytes == 24 || bytes == 32; }

inline constexpr size_t kXtsKeySizes[] = {32, 64};  // bytes of both halves
inline bool IsXtsKeySize(size_t bytes) {
  return bytes == kXtsKeySizes[0] || bytes == kXtsKeySizes[1];
}

enum class AesMode : uint8_t { kEcb, kCbc, kCtr, kGcm, kCcm, kWrap, kWrapPad };

// `key_size` must be an AES key's. Lives as long as the process.
const EVP_CIPHER* AesCipher(AesMode mode, size_t key_size);

// The key's bytes; kKeyTypeInconsistent for another key.
Result<ByteSpan> AesKey(const Key& key);

// CK_GCM_PARAMS, checked: kMechanismParamInvalid.
Result<const wire::GcmParam*> ExpectGcm(const wire::Mechanism& mechanism);

// CK_AES_CTR_PARAMS, checked, with room in the counter for `size` bytes: kMechanismParamInvalid,
// kDataLenRange, kEncryptedDataLenRange.
Result<const wire::CtrParam*> ExpectCounter(const wire::Mechanism& mechanism, size_t size,
                                            bool encrypt);

// The value of a secret key as the modes without padding wrap it: "if necessary, padded on the
// trailing end with up to block size minus one null bytes" (pkcs11-curr-v3.0 §2.8.4).
Bytes FillBlocks(ByteSpan value);

// The whole input through a cipher without authentication tag; an empty `iv` means the mode's
// default. kCryptoFailed where the cipher refuses.
Result<Bytes> CipherTransform(const EVP_CIPHER* cipher, bool encrypt, ByteSpan key, ByteSpan iv,
                              ByteSpan input, bool padding = false);
Result<Bytes> AesTransform(AesMode mode, bool encrypt, ByteSpan key, ByteSpan iv, ByteSpan input,
                           bool padding = false);

}  // namespace keyclave::mech
