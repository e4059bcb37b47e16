// The `trust:` block of keyclaved.yaml and client.yaml: what evidence of real hardware is verified
// with, beside the vendors' built-in roots.
//
//   trust:
//     collateral: /etc/keyclave/collateral   # folder: TCB info, CRLs, VCEKs …
//     roots:
//       sgx: [/etc/keyclave/roots/lab.pem]   # certificates that chains may end in as well
//     keys:
//       tpm: [/etc/keyclave/aks/node1.pem]   # enrolled attestation keys: public keys (PEM)
//     tokens:
//       - issuer: https://example.attest.azure.net
//         audience: keyclave
//         keys: /etc/keyclave/maa-jwks.json
//         roots: [/etc/keyclave/issuer-ca.pem]
//         skew: 60s
//         unbound: false   # true: also tokens with nothing of the session in them
#pragma once

#include "attest/evidence.h"
#include "enclave/base/yaml.h"

namespace keyclave::attest {

// Takes `trust` from the mapping, if it is there, and reads the files that it names. Every error
// names the place and the file.
Status ReadTrust(YamlMap& map, Trust& trust);

// The folder that `trust: collateral` of the mapping names, without a look into it; empty if there
// is none.
Result<std::string> CollateralFolder(YamlMap& map);

}  // namespace keyclave::attest
