// `witness:` of keyclaved.yaml: who remembers the newest epoch outside the store.
#pragma once

#include "enclave/keys/vault.h"

namespace keyclave::keys {

struct WitnessChoice {
  bool none = false;  // nobody: a store of any age is accepted
  std::string path;   // the file; empty: `witness` in the state directory
  // Another enclave, in place of a file.
  std::function<std::unique_ptr<Witness>(const RootKeyring&)> peer = {};

  std::string PathIn(const std::string& directory) const;
};

// With a counter of the platform's the file's marks are counted by it.
std::unique_ptr<Witness> MakeWitness(const WitnessChoice& choice, const std::string& directory,
                                     const RootKeyring& keyring,
                                     std::shared_ptr<MonotonicCounter> counter);
// What a rollback can do unnoticed, for operators; empty where the witness lies apart from the
// state, or is counted.
std::string WitnessLimit(const WitnessChoice& choice, bool is_counted);

}  // namespace keyclave::keys
