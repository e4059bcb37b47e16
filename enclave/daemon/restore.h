// Bringing an enclave back out of a backup (keyclaved --restore, docs/recovery.md): on the platform
// that has its root secret yet, or on another one, with the holders of recovery keys and under the
// policy that says who may join the fleet.
#pragma once

#include "enclave/base/clock.h"
#include "enclave/config/daemon_config.h"
#include "enclave/keys/root_sealer.h"

namespace keyclave::daemon {

// kStoreExists if there is a store already; kBackupDamaged, kStoreNewer; kWrongState for a backup
// that nobody can open; kDenied if the fleet's policy refuses this machine. What fails leaves
// nothing behind on this machine but what was there.
Status Restore(const config::DaemonConfig& config, const keys::RootSealer& sealer,
               const Clock& clock, const std::string& file);

}  // namespace keyclave::daemon
