// How a machine becomes a member of a fleet (keyclaved --join): it shows its evidence to a member
// that runs, gets the root secret over the channel that both ends' evidence is bound to, seals it
// to this platform, and copies the store that all share.
#pragma once

#include "enclave/config/daemon_config.h"
#include "enclave/keys/root_sealer.h"

namespace keyclave::daemon {

// kStoreExists if there is a state already; kDenied and its kind if the fleet's policy refuses this
// machine; kRootSecretInvalid if what answered has another root secret than that of the enclave
// that `fleet: join: enclave` names; kStoreRolledBack, kStoreCorrupt if etcd shows another state
// than the member knows. What fails leaves nothing behind on this machine.
Status JoinFleet(const config::DaemonConfig& config, const keys::RootSealer& sealer,
                 const Clock& clock);

}  // namespace keyclave::daemon
