// The key that a TLS server proves to have, whatever its certificate says.
#pragma once

#include <string>

#include "enclave/base/bytes.h"

namespace keyclave::ctl {

// SubjectPublicKeyInfo (DER) of the certificate that the server at HOST:PORT presents, and for
// which it has signed this handshake (TLS 1.2 or 1.3). Who issued it is not looked at: evidence
// about the key stands in its place. kInvalidArgument, kUnreachable, kDeadline, kTlsFailed.
Result<Bytes> TlsServerKey(const std::string& host_port);

}  // namespace keyclave::ctl
