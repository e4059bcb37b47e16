// What other protocols sign. TLS 1.2's signed parameters begin with 64 bytes that their two sides
// choose and have no label, so a caller could shape them into a message of another protocol. A form
// without a label refuses whatever one of these protocols could mean.
#pragma once

#include <optional>

#include "enclave/base/bytes.h"

namespace keyclave::guard {

// The protocol that could have made this message: X.509, CMS or OCSP; SSH; DNSSEC; OpenPGP; TLS
// 1.3. nullopt: none of them. (JWS is printable, and so is Git; no TLS 1.2 message is.)
std::optional<std::string_view> ForeignProtocol(ByteSpan message);

}  // namespace keyclave::guard
