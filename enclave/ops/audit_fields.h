// What audit records say of a caller and of the policy that it met.
#pragma once

#include "enclave/ops/access.h"

namespace keyclave::ops {

// "caller" in words, and where there is evidence "claims" (those that policies mostly ask for) and
// "evidence" (its SHA-256).
void AddCaller(const Call& call, std::vector<audit::Field>& fields);
// The same of an identity: for what is written after the request.
void AddIdentity(const session::Session::Identity& identity, std::vector<audit::Field>& fields);
// "names", "subject", "usages", "validity" and "public_key" (its SHA-256) of a certificate.
void AddWanted(const WantedCertificate& wanted, std::vector<audit::Field>& fields);
// "object", "policy" and the digest of its text.
std::vector<audit::Field> ObjectFields(const keys::Object& object);

}  // namespace keyclave::ops
