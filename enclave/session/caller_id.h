// Who a caller is to counts that outlive its connection: the same after it reconnects, restarts or
// renews its evidence, and not for it to choose.
//
//   evidence     tee, measurement and platform_id; of a TPM the platform_id alone, as its
//                measurement changes with registers that whoever runs there may extend; of a
//                co-resident process its user
//   none, unix   the user id
//   none, tcp    all of them are one caller: a TLS key is theirs to make anew
#pragma once

#include "attest/claims.h"

namespace keyclave::session {

using CallerId = ByteArray<32>;

CallerId CallerIdOf(const attest::ClaimSet& claims, bool attested);

}  // namespace keyclave::session
