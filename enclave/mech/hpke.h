// HPKE (RFC 9180) in base mode, one message per context: DHKEM(P-256, HKDF-SHA256) or
// DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. Composed of OpenSSL's ECDH, HKDF and
// AES-GCM: its own HPKE came with 3.2, and one way for every OpenSSL 3 is one way that is tested.
//
// A sealed message is the encapsulated key (65 or 32 bytes) and behind it the ciphertext with its
// tag.
#pragma once

#include "enclave/mech/key.h"

namespace keyclave::mech {

enum class HpkeKem : uint16_t { kP256 = 0x0010, kX25519 = 0x0020 };  // RFC 9180 §7.1

// Whether the key is of the KEM's curve.
bool HpkeFits(HpkeKem kem, const Key& key);

// kKeyTypeInconsistent if the recipient's key is not of the KEM's curve.
Result<Bytes> HpkeSeal(HpkeKem kem, const Key& recipient, ByteSpan info, ByteSpan aad,
                       ByteSpan plaintext);
// kKeyTypeInconsistent, kEncryptedDataLenRange; kEncryptedDataInvalid for whatever does not open.
Result<SecretBytes> HpkeOpen(HpkeKem kem, const Key& own, ByteSpan info, ByteSpan aad,
                             ByteSpan sealed);

// HpkeSeal with a given ephemeral key: for known answers. An ephemeral key that is used twice gives
// away both messages.
Result<Bytes> HpkeSealWith(HpkeKem kem, EVP_PKEY* ephemeral, const Key& recipient, ByteSpan info,
                           ByteSpan aad, ByteSpan plaintext);

}  // namespace keyclave::mech
