// Whether an enclave is new enough to have the keys: what the owners of the fleet's token require
// of its security version number (docs/operations.md).
#pragma once

#include "attest/claims.h"
#include "enclave/keys/object_store.h"

namespace keyclave::ops {

// kVersionTooLow, with both numbers; evidence that names none is too low for any.
Status CheckVersion(const keys::ObjectStore& store, const attest::ClaimSet& claims);

}  // namespace keyclave::ops
