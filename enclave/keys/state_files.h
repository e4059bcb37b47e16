// The root secret's file, of a simulated enclave.
//
//   keyclave-root-secret 1
//   enclave <32 hexadecimal digits: the enclave's id, made from the secret>
//   secret <64 hexadecimal digits>
//
// The id is not secret; that it fits shows that the secret is whole.
#pragma once

#include "enclave/base/secret_bytes.h"

namespace keyclave::keys {

// A fresh secret, in a new file of mode 0600.
Result<SecretBytes> CreateRootSecret(const std::string& path);
// kStoreMissing, kRootSecretInvalid for a file that was cut, changed or is none; kPermissionDenied
// also if others than its owner may read or write it.
Result<SecretBytes> ReadRootSecret(const std::string& path);
Result<SecretBytes> ParseRootSecret(ByteSpan text);

}  // namespace keyclave::keys
