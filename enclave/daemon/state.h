// The state directory as keyclaved.yaml describes it.
#pragma once

#include "enclave/config/daemon_config.h"
#include "enclave/keys/root_sealer.h"
#include "enclave/keys/witness_choice.h"
#include "enclave/wire/recovery.h"

namespace keyclave::daemon {

keys::WitnessChoice WitnessOf(const config::DaemonConfig& config);

// keyclaved --init. kConfigMissingKey if keyclaved.yaml does not say who can recover it (a
// simulated enclave's may leave that out: none).
Status InitState(const config::DaemonConfig& config, const keys::RootSealer& sealer);

// What to tell an operator whose keyclaved.yaml names other recovery holders than there are; empty:
// it does not.
std::string RecoveryWarning(const config::DaemonConfig& config,
                            const std::optional<wire::Recovery>& recovery);

// keyclaved --check-store: looks at everything with no daemon on it, changes nothing, and prints
// what is wrong to standard output. Whether nothing is.
Result<bool> CheckStore(const config::DaemonConfig& config, const keys::RootSealer& sealer);

}  // namespace keyclave::daemon
