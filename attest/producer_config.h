// What producers of evidence are told in client.yaml and keyclaved.yaml.
#pragma once

#include "attest/tee_type.h"
#include "enclave/base/yaml.h"

namespace keyclave::attest {

// Takes `token: {file: PATH}` or `token: {command: [PATH, ARG…]}` from the mapping, if it is there.
Status ReadProducer(YamlMap& map, ProducerConfig& producer);

// The evidence type that `evidence` (or `tee`) names; `auto` is the one whose interface is there.
Result<std::string> ReadEvidenceType(const YamlValue& value, const ProducerConfig& producer);

}  // namespace keyclave::attest
