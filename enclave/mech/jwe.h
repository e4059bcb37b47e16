// JSON Web Encryption (RFC 7516) of one message for one public key: RSA-OAEP-256 or ECDH-ES+A256KW
// (RFC 7518 §4.3, §4.6) with A256GCM, in the compact serialization. Composed of the mechanisms of
// OpenSSL that PKCS#11 callers have as well: OAEP, ECDH with the Concat KDF, AES key wrap, AES-GCM.
#pragma once

#include "enclave/mech/key.h"

namespace keyclave::mech {

enum class JweAlgorithm : uint8_t { kRsaOaep256, kEcdhEsA256Kw };

// Whether the key is RSA, or of P-256, P-384 or P-521.
bool JweFits(JweAlgorithm algorithm, const Key& key);

// kKeyTypeInconsistent if the recipient's key does not fit.
Result<Bytes> JweSeal(JweAlgorithm algorithm, const Key& recipient, ByteSpan plaintext);
// The header must name this algorithm and A256GCM, and nothing that JweSeal does not write (no zip,
// no crit). kKeyTypeInconsistent; kEncryptedDataInvalid for whatever does not open.
Result<SecretBytes> JweOpen(JweAlgorithm algorithm, const Key& own, ByteSpan jwe);

}  // namespace keyclave::mech
