// `sealing:` of keyclaved.yaml: who keeps the root secret while the daemon does not run.
//
//   sealing: tpm            # or file, gramine, occlum, sev-snp, with nothing more to say
//   sealing:
//     by: tpm
//     pcrs: {bank: sha256, registers: [0, 4, 7, 9]}   # tpm only; default: those of `tpm: pcrs`
//     to: product           # gramine, occlum: build (MRENCLAVE, the default) or product (MRSIGNER)
#pragma once

#include "attest/produce/sealing_key.h"
#include "enclave/base/yaml.h"

namespace keyclave::config {

enum class SealingBy : uint8_t { kFile, kGramine, kOcclum, kSevSnp, kTpm };
std::string_view SealingName(SealingBy by);

struct SealingConfig {
  SealingBy by = SealingBy::kFile;
  attest::SgxIdentity sgx_identity = attest::SgxIdentity::kEnclave;
  attest::tpm::PcrChoice pcrs = {};
};

// Takes `sealing` from the mapping. Without it the evidence type decides: simulated has a file,
// sev-snp its derived key, tpm the TPM, sgx whichever of Gramine and Occlum is there; the others
// must say it. A file is only for simulated.
Result<SealingConfig> ReadSealing(YamlMap& map, std::string_view tee,
                                  const attest::ProducerConfig& producer);

}  // namespace keyclave::config
