// The form `digest`: whatever was hashed, by the caller or here.
#pragma once

#include "enclave/guard/check.h"

namespace keyclave::guard {

// A message for a mechanism that hashes; a digest of a hash that mechanisms use; for PKCS #1 v1.5 a
// DigestInfo of one. Bare blocks are refused: with them a key would sign what nobody hashed, and
// decrypt. kInputRefused.
Status CheckDigest(ByteSpan message, const Context& context);

}  // namespace keyclave::guard
