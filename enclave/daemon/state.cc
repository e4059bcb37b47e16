#include "enclave/daemon/state.h"

#include <iostream>
#include <set>

#include "enclave/client/release_key.h"
#include "enclave/daemon/peer_witness.h"
#include "enclave/keys/state_files.h"
#include "enclave/keys/store_check.h"

namespace keyclave::daemon {

keys::WitnessChoice WitnessOf(const config::DaemonConfig& config) {
  keys::WitnessChoice choice{.none = config.witness.none, .path = config.witness.file};
  if (config.witness.peer.has_value())
    choice.peer = [&config](const keys::RootKeyring& keyring) {
      return MakePeerWitness(config, keyring);
    };
  return choice;
}

Status InitState(const config::DaemonConfig& config, const keys::RootSealer& sealer) {
  // The root secret of a simulated enclave is a file that may be copied.
  if (!config.recovery.has_value() && !config.IsSimulated())
    return Fail(Code::kConfigMissingKey,
                "keyclaved.yaml does not say who can bring the keys back if this platform is lost, "
                "which is decided once, now. Name holders of recovery keys (recovery: {threshold: "
                "3, keys: {NAME: FILE}}), or say recovery: none");
  const config::RecoveryConfig recovery = config.recovery.value_or(config::RecoveryConfig());
  keys::RecoveryPlan plan{.threshold = recovery.threshold, .holders = {}};
  for (const config::RecoveryConfig::Key& key : recovery.keys) {
    KC_ASSIGN(wire::ReleaseKey read, client::ReadReleaseKey(key.name, key.file));
    plan.holders.push_back({key.name, std::move(read.spki)});
  }
  return keys::InitState(config.state, sealer, WitnessOf(config), plan);
}

std::string RecoveryWarning(const config::DaemonConfig& config,
                            const std::optional<wire::Recovery>& recovery) {
  if (!config.recovery.has_value()) return "";
  std::set<std::string> named;
  std::set<std::string> holders;
  for (const auto& key : config.recovery->keys) named.insert(key.name);
  if (recovery.has_value()) {
    for (const wire::RecoveryHolder& holder : recovery->holders) holders.insert(holder.name);
  }
  const uint64_t threshold = recovery.has_value() ? recovery->threshold : 0;
  if (config.recovery->threshold == threshold && named == holders) return "";
  return "`recovery:` in keyclaved.yaml is not what this enclave was made with, and changes "
         "nothing: "
         "keyclave status shows who can recover it";
}

Result<bool> CheckStore(const config::DaemonConfig& config, const keys::RootSealer& sealer) {
  KC_ASSIGN(const auto findings, keys::CheckState(config.state, sealer, WitnessOf(config)));
  for (const keys::StoreFinding& finding : findings) {
    if (!finding.row.empty()) std::cout << "row " << finding.row << ": ";
    std::cout << finding.what << "\n  -> " << finding.mend << '\n';
  }
  if (findings.empty()) {
    std::cout << "The store is whole.\n";
  } else {
    std::cout << findings.size() << (findings.size() == 1 ? " finding.\n" : " findings.\n");
  }
  return findings.empty();
}

}  // namespace keyclave::daemon
