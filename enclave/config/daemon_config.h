// keyclaved.yaml: everything the daemon is told from outside (conf/README.md explains each key, its
// default and its risk).
#pragma once

#include <string>
#include <vector>

#include "attest/tee_type.h"
#include "enclave/base/endpoint.h"
#include "enclave/config/fleet_config.h"
#include "enclave/config/recovery_config.h"
#include "enclave/config/sealing_config.h"
#include "enclave/config/witness_config.h"

namespace keyclave::config {

struct Limits {
  size_t connections = 1024;
  size_t sessions = 4096;
  size_t requests_in_flight = 64;     // per connection
  uint64_t requests_per_session = 0;  // 0: unlimited
};

struct DaemonConfig {
  std::string state;  // directory of root secret, store, witness and audit log
  std::vector<Endpoint> listen;
  uint32_t socket_mode = 0666;
  std::string tee;                  // the enclave's own evidence type
  attest::Trust trust;              // what callers may present
  attest::ProducerConfig producer;  // how the enclave's own evidence is made
  SealingConfig sealing;            // who keeps the root secret
  WitnessConfig witness;            // who remembers how new the store is
  std::vector<uint32_t> operators;  // uids that may administer over the unix socket
  std::string default_policy_file;  // for tokens made by C_InitToken; empty: none can be made so
  std::string default_policy;       // its text
  uint64_t evidence_max_age = 24 * 3600;  // seconds
  uint64_t drain = 10;   // seconds that callers with another daemon have to go there before the end
  unsigned workers = 0;  // 0: one per core
  bool use_crypto_mb = true;  // where library and processor have it
  unsigned spin = 0;          // microseconds that a worker looks before it sleeps
  bool allow_unlocked_memory = false;
  Limits limits;
  std::optional<KeepMarksConfig> keep_marks = {};  // nullopt: it is nobody's witness
  std::optional<FleetConfig> fleet = {};           // nullopt: the store is this daemon's own
  std::optional<RecoveryConfig> recovery = {};     // of --init alone

  bool IsSimulated() const { return tee == "simulated"; }
};

// Reads, checks and completes (files that it names are read too). Every error names the file, the
// line and the key.
Result<DaemonConfig> LoadDaemonConfig(const std::string& path);
Result<DaemonConfig> ParseDaemonConfig(std::string_view text, const std::string& name);

}  // namespace keyclave::config
