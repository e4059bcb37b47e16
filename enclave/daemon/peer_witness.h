// The rollback witness that another enclave is (`witness: {peer: …}`), which has `keep_marks` for
// this one: whoever has this machine alone cannot put its store back unnoticed. Each change waits
// for the peer's disk; while it cannot be reached, changes are refused and keys are used.
#pragma once

#include "enclave/config/daemon_config.h"
#include "enclave/keys/vault.h"

namespace keyclave::daemon {

// For WitnessChoice; `config` has a peer.
std::unique_ptr<keys::Witness> MakePeerWitness(const config::DaemonConfig& config,
                                               const keys::RootKeyring& keyring);

}  // namespace keyclave::daemon
