// Another enclave that this one talks to, as keyclaved.yaml names it: a member of the fleet, or the
// one that is the witness.
//
//   endpoint: tcp:10.0.0.7:7443
//   enclave: 5d1c…          # its id (keyclave status): 32 hexadecimal digits
//   expect:                 # what its evidence must satisfy, as in client.yaml
//     tee: {is: sev-snp}
#pragma once

#include "attest/expression.h"
#include "enclave/base/endpoint.h"
#include "enclave/base/yaml.h"

namespace keyclave::config {

struct OtherEnclave {
  Endpoint endpoint;
  std::string enclave;  // 32 hexadecimal digits, lower case
  attest::Expression expect;
};

Result<OtherEnclave> ReadOtherEnclave(const YamlValue& value);
Result<Endpoint> ReadEndpoint(const YamlValue& value);

}  // namespace keyclave::config
