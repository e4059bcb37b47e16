// Release keys: the public keys that a process names in its evidence, so that the enclave may
// release keys to them and to nobody else.
#pragma once

#include "enclave/wire/runtime_claims.h"

namespace keyclave::client {

// The public key in a file (PEM or DER), as it stands there: its SHA-256 names it. kConfigBadValue
// for a name that is none and for a file that holds something else, such as a private key.
Result<wire::ReleaseKey> ReadReleaseKey(const std::string& name, const std::string& path);

}  // namespace keyclave::client
