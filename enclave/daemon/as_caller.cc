#include "enclave/daemon/as_caller.h"

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
  caller.trust.accepted_types = {config.tee};
  return caller;
}

}  // namespace keyclave::daemon
