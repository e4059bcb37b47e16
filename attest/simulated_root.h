// The development root: the P-256 key that signs simulated evidence. It protects nothing: every
// process that proves itself signs its own evidence with it, so everybody can read it.
#pragma once

#include "enclave/base/bytes.h"

namespace keyclave::attest {

// Makes a key pair: private key (PKCS#8 PEM, mode 0644, headed by a warning) and public key (PEM,
// mode 0644). Refuses to replace a file. kUnsupported in a build without the simulated type.
Status MakeSimulatedRoot(const std::string& key_path, const std::string& public_path);

// The root's SubjectPublicKeyInfo (DER), as Trust wants it. kKeyFileInvalid for anything but one
// P-256 public key.
Result<Bytes> ReadSimulatedRoot(const std::string& public_path);

}  // namespace keyclave::attest
