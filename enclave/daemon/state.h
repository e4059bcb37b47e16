// The state directory as keyclaved.yaml describes it.
#pragma once

#include "enclave/config/daemon_config.h"
#include "enclave/keys/root_sealer.h"
#include "enclave/keys/witness_choice.h"

namespace keyclave::daemon {

keys::WitnessChoice WitnessOf(const config::DaemonConfig& config);

// keyclaved --check-store: looks at everything with no daemon on it, changes nothing, and prints
// what is wrong to standard output. Whether nothing is.
Result<bool> CheckStore(const config::DaemonConfig& config, const keys::RootSealer& sealer);

}  // namespace keyclave::daemon
