// `witness:` of keyclaved.yaml: who remembers the newest epoch of the store, so that an older one
// is noticed.
//
//   witness: {file: /mnt/witness/keyclave}   # on a disk that the machine's backups do not cover
//   witness:                                 # another enclave, on another machine
//     peer: {endpoint: "tcp:10.0.0.9:7443", enclave: 5d1c…, expect: {tee: {is: sev-snp}}}
//   witness: tpm                             # sealing: tpm has it anyway; saying so keeps it so
//   witness: none                            # nobody: an older store is not noticed
#pragma once

#include "enclave/config/other_enclave.h"
#include "enclave/config/sealing_config.h"

namespace keyclave::config {

struct WitnessConfig {
  bool none = false;
  std::string file;  // empty: `witness` in the state directory
  std::optional<OtherEnclave> peer = {};
};

// `keep_marks:`: this enclave is the witness of others.
//
//   keep_marks:
//     of: {measurement: {is: "6f…"}}   # what their evidence must satisfy
//     most: 64                         # enclaves; at most 4096
struct KeepMarksConfig {
  attest::Expression of;
  size_t most = 64;
};

// Takes `witness` from the mapping.
Result<WitnessConfig> ReadWitness(YamlMap& map, const SealingConfig& sealing);
// Takes `keep_marks`; nullopt if it is not there.
Result<std::optional<KeepMarksConfig>> ReadKeepMarks(YamlMap& map);

}  // namespace keyclave::config
