#include "enclave/daemon/state.h"

#include <iostream>

#include "enclave/keys/store_check.h"

namespace keyclave::daemon {

keys::WitnessChoice WitnessOf(const config::DaemonConfig& config) {
  return {.none = config.witness.none, .path = config.witness.file};
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
