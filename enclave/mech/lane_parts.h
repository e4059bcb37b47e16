// How a key's parts are taken out of OpenSSL: one function for each family of kinds.
#pragma once

#include "enclave/base/result.h"
#include "enclave/mech/lane.h"

namespace keyclave::mech {

// A private number, in the secure heap.
Result<BigNum> SecretNumber(const EVP_PKEY* pkey, const char* param);

// Each fills what its kind (set already) needs. kUnsupported: this key signs alone.
Status FillRsaLane(const EVP_PKEY* pkey, LaneKey& key);
Status FillEcLane(const EVP_PKEY* pkey, LaneKey& key);
Status FillEd25519Lane(const EVP_PKEY* pkey, LaneKey& key);

}  // namespace keyclave::mech
