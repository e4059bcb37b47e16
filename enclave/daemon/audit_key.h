// The key that signs audit checkpoints: P-256, derived from the root secret, so that it is the same
// after every start and lies nowhere.
#pragma once

#include "enclave/audit/audit_log.h"
#include "enclave/keys/object_store.h"

namespace keyclave::daemon {

struct AuditKey {
  Bytes public_key;  // SubjectPublicKeyInfo, DER
  audit::AuditLog::Sign sign;
};

Result<AuditKey> DeriveAuditKey(const keys::ObjectStore& store);

}  // namespace keyclave::daemon
