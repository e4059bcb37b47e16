#include "enclave/daemon/as_caller.h"

#include <algorithm>

namespace keyclave::daemon {

client::ClientConfig AsCaller(const config::DaemonConfig& config,
                              const config::OtherEnclave& other) {
  client::ClientConfig caller{.source = "keyclaved.yaml",
                              .endpoints = {other.endpoint},
                              .socket_owner = {},
                              .expect = other.expect,
                              .enclave_id = other.enclave,
                              .evidence_type = config.tee,
                              .producer = config.producer,
                              .trust = config.trust};
  // Its own kind, and those that it accepts of its callers: `expect` decides among them.
  std::vector<std::string>& accepted = caller.trust.accepted_types;
  if (std::find(accepted.begin(), accepted.end(), config.tee) == accepted.end())
    accepted.push_back(config.tee);
  return caller;
}

}  // namespace keyclave::daemon
