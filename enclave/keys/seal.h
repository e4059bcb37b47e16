// Authenticated encryption and message authentication for what leaves the enclave: AES-256-GCM and
// HMAC-SHA256 by OpenSSL's EVP. Which key seals what is key_schedule.h's business.
#pragma once

#include "enclave/base/secret_bytes.h"

namespace keyclave::keys {

inline constexpr size_t kNonceSize = 12;
inline constexpr size_t kTagSize = 16;
inline constexpr size_t kSealOverhead = kNonceSize + kTagSize;

// nonce (random) | ciphertext | tag. The key is of 32 bytes. kCryptoFailed.
Result<Bytes> Seal(const SecretBytes& key, ByteSpan associated_data, ByteSpan plaintext);
// kSealFailed if anything differs from what Seal was given; nothing of the plaintext comes out
// then.
Result<Bytes> Unseal(const SecretBytes& key, ByteSpan associated_data, ByteSpan sealed);

// HMAC-SHA256.
ByteArray<32> Authenticate(const SecretBytes& key, ByteSpan message);

}  // namespace keyclave::keys
