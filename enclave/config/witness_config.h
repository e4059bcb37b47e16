// `witness:` of keyclaved.yaml: who remembers the newest epoch of the store, so that an older one
// is noticed.
//
//   witness: {file: /mnt/witness/keyclave}   # on a disk that the machine's backups do not cover
//   witness: tpm                             # sealing: tpm has it anyway; saying so keeps it so
//   witness: none                            # nobody: an older store is not noticed
#pragma once

#include "enclave/config/sealing_config.h"

namespace keyclave::config {

struct WitnessConfig {
  bool none = false;
  std::string file;  // empty: `witness` in the state directory
};

// Takes `witness` from the mapping.
Result<WitnessConfig> ReadWitness(YamlMap& map, const SealingConfig& sealing);

}  // namespace keyclave::config
