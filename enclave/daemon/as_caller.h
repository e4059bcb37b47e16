// This daemon as a caller of another enclave: with its own evidence, and with its own trust in what
// the other one proves.
#pragma once

#include "enclave/client/client.h"
#include "enclave/config/daemon_config.h"

namespace keyclave::daemon {

client::ClientConfig AsCaller(const config::DaemonConfig& config,
                              const config::OtherEnclave& other);

}  // namespace keyclave::daemon
