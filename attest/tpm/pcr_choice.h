// PCRs as configurations name them: `{bank: sha256, registers: [0, 4, 7, 9]}`.
#pragma once

#include "attest/tpm/device.h"
#include "enclave/base/yaml.h"

namespace keyclave::attest {

// Registers 0 to 23, each once, at least one; a bank of AllBanks but sha1, whose collisions are no
// longer hard to find.
Result<tpm::PcrChoice> ReadPcrChoice(const YamlValue& value);

}  // namespace keyclave::attest
