// What producers of evidence are told in client.yaml and keyclaved.yaml.
#pragma once

#include "attest/tee_type.h"
#include "enclave/base/yaml.h"

namespace keyclave::attest {

// Takes from the mapping, if they are there, `token: {file: PATH}` or `token: {command: [PATH,
// ARG…]}`, and `tpm: {tcti, key, pcrs: {bank, registers}, certificate, counter}`
// (tpm::DeviceConfig).
Status ReadProducer(YamlMap& map, ProducerConfig& producer);

// The evidence type that `evidence` (or `tee`) names; `auto` is the one whose interface is there.
Result<std::string> ReadEvidenceType(const YamlValue& value, const ProducerConfig& producer);

}  // namespace keyclave::attest
