// `recovery:` of keyclaved.yaml: who can bring the enclave's root secret back where no platform
// opens it any more. Read once, by keyclaved --init, which cannot be without it (but for tee:
// simulated); fixed from then on.
//
//   recovery: none                # explicit: what this platform loses is lost
//   recovery:
//     threshold: 3                # so many of them together
//     keys:                       # public keys (PEM or DER): RSA, P-256 or X25519
//       ops: /etc/keyclave/recovery/ops.pem
//       security: /etc/keyclave/recovery/security.pem
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "enclave/base/yaml.h"

namespace keyclave::config {

struct RecoveryConfig {
  struct Key {
    std::string name;
    std::string file;
  };
  size_t threshold = 0;  // 0: none
  std::vector<Key> keys;
};

// Takes `recovery` from the mapping; nullopt if it is not there.
Result<std::optional<RecoveryConfig>> ReadRecovery(YamlMap& map);

}  // namespace keyclave::config
