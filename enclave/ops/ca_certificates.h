// The certificates that a token stores of its CAs.
#pragma once

#include "enclave/mech/issue.h"
#include "enclave/ops/service.h"

namespace keyclave::ops {

// DER of the certificates beside a key: with its CKA_ID, whatever key they are for. Certificates of
// sessions do not count: any caller may make those.
std::vector<Bytes> CertificatesOf(Call& call, const keys::Object& key);
// The CA that the key is, and those above it whose certificates the token stores. kIssuerUnfit.
Result<mech::Issuer> IssuerOf(Call& call, const keys::Object& key);

}  // namespace keyclave::ops
