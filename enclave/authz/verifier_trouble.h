// A policy's `on_verifier_trouble`: what becomes of callers while the collateral that their
// evidence is verified with is past its nextUpdate (docs/policy.md).
#pragma once

#include "enclave/base/yaml.h"

namespace keyclave::authz {

// `deny`: 0. `use_cached(24h)`: for so many seconds after its nextUpdate collateral counts as if
// that had not come yet; at most attest::kMaxCollateralGrace, which is how long verification itself
// is patient. kConfig… with the line.
Result<uint64_t> ParseVerifierTrouble(const YamlValue& yaml);
// As ParseVerifierTrouble reads it; in seconds, as it does not know the unit that was written.
std::string PrintVerifierTrouble(uint64_t seconds);

}  // namespace keyclave::authz
