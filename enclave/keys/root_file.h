// The root secret's file: what RootSealer gave, and which one.
//
//   keyclave-root-secret 2
//   enclave <32 hexadecimal digits: the enclave's id, made from the secret>
//   sealing <RootSealer::Name>
//   sealed <hexadecimal, at most 8192 bytes>
//
// The id is not secret; that it fits shows that the secret is whole.
#pragma once

#include "enclave/keys/root_sealer.h"

namespace keyclave::keys {

// A fresh secret, sealed into a new file of mode 0600.
Result<SecretBytes> CreateRootSecret(const std::string& path, const RootSealer& sealer);
// The same for a secret that there is.
Status WriteRootSecret(const std::string& path, const RootSealer& sealer,
                       const SecretBytes& secret);
// kStoreMissing; kRootSecretInvalid for a file that was cut, changed, is none, or was sealed in
// another way; kPermissionDenied also if others than its owner may read or write it; what the
// sealer says.
Result<SecretBytes> ReadRootSecret(const std::string& path, const RootSealer& sealer);
Result<SecretBytes> OpenRootFile(ByteSpan text, const RootSealer& sealer);

}  // namespace keyclave::keys
