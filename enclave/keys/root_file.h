// The root secret's file: what RootSealer gave, and which one.
//
//   keyclave-root-secret 2
//   enclave <32 hexadecimal digits: the enclave's id, made from the secret>
//   sealing <RootSealer::Name>
//   sealed <hexadecimal, at most 8192 bytes>
//
// The id is not secret; that it fits shows that the secret is whole. Where there is more than one
// secret (several generations, a member's own key) the first line ends with 3, what is sealed is a
// key of this file's own, and a fifth line has everything under it:
//
//   keyring <hexadecimal: nonce | AES-256-GCM of CBOR | tag, at most 8192 bytes>
#pragma once

#include "enclave/keys/root_keyring.h"
#include "enclave/keys/root_sealer.h"

namespace keyclave::keys {

// A fresh secret, sealed into a new file of mode 0600.
Result<SecretBytes> CreateRootSecret(const std::string& path, const RootSealer& sealer);
// The same for secrets that there are.
Status WriteRootSecret(const std::string& path, const RootSealer& sealer,
                       const RootKeyring& keyring);
// In the place of a file that there is, in one step.
Status ReplaceRootSecret(const std::string& path, const RootSealer& sealer,
                         const RootKeyring& keyring);
// kStoreMissing; kRootSecretInvalid for a file that was cut, changed, is none, or was sealed in
// another way; kPermissionDenied also if others than its owner may read or write it; what the
// sealer says.
Result<RootKeyring> ReadRootSecret(const std::string& path, const RootSealer& sealer);
Result<RootKeyring> OpenRootFile(ByteSpan text, const RootSealer& sealer);

}  // namespace keyclave::keys
