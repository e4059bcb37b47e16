// The enclave's own evidence, made and verified once before anybody asks for it: a machine that
// cannot prove itself does not start.
#pragma once

#include "attest/claims.h"
#include "enclave/config/daemon_config.h"

namespace keyclave::daemon {

// What VerifyEvidence says.
Result<attest::ClaimSet> ProveSelf(const config::DaemonConfig& config, const Clock& clock);

}  // namespace keyclave::daemon
