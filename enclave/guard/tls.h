// What the two ends of TLS sign to prove that they hold the key of their certificate.
#pragma once

#include "enclave/base/bytes.h"

namespace keyclave::guard {

enum class TlsRole : uint8_t { kServer, kClient };

// CertificateVerify of TLS 1.3 (RFC 8446 §4.4.3) for this role: 64 spaces, the role's context
// string, a zero, and a transcript hash of SHA-256 or SHA-384. kInputRefused.
Status CheckTls13(TlsRole role, ByteSpan message);
// Whether a TLS 1.3 end could have made it: it begins with the 64 spaces.
bool BeginsLikeTls13(ByteSpan message);

// The parameters that a TLS 1.2 server signs (RFC 5246 §7.4.3, RFC 8422 §5.4): both randoms, then
// ServerECDHParams of a named curve or ServerDHParams of a group of RFC 7919 or RFC 3526, and
// nothing behind them. kInputRefused.
Status CheckTls12Server(ByteSpan message);

// What a TLS 1.2 client signs (RFC 5246 §7.4.8): the messages of a handshake of that version from
// ClientHello to ClientKeyExchange, in their order, each well formed, and nothing behind them.
// kInputRefused.
Status CheckTls12Client(ByteSpan message);

}  // namespace keyclave::guard
