// `fleet:` of keyclaved.yaml: the etcd cluster in which several daemons share one store.
//
//   fleet:
//     member: host-a          # this daemon's name among the members; default: the host's name
//     etcd:
//       endpoints: [https://10.0.0.1:2379, https://10.0.0.2:2379]
//       ca: /etc/keyclave/etcd-ca.pem            # whom to believe; required with https
//       certificate: /etc/keyclave/etcd.pem      # this daemon's own, and its key
//       key: /etc/keyclave/etcd-key.pem
//       prefix: /keyclave     # of all keys there
//       deadline: 2s          # of one call
//     join:                   # whom keyclaved --join asks
//       endpoint: tcp:10.0.0.7:7443
//       enclave: 5d1c…        # the fleet's enclave id: 32 hexadecimal digits
//       expect:               # what the member's evidence must satisfy, as in client.yaml
//         tee: {is: sev-snp}
//     peers:                  # other members, asked each second whether their history is the same
//       endpoints: [tcp:10.0.0.7:7443, tcp:10.0.0.8:7443]
//       expect: {tee: {is: sev-snp}}
//     offline: 10m            # keys are used so long while etcd cannot be reached; then no more
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "enclave/config/other_enclave.h"

namespace keyclave::config {

struct FleetConfig {
  std::string member;
  std::vector<std::string> endpoints;
  std::string ca_file;
  std::string certificate_file;
  std::string key_file;
  std::string prefix = "/keyclave";
  std::chrono::seconds deadline{2};
  std::chrono::seconds offline{600};
  std::optional<OtherEnclave> join = {};
  struct Peers {
    std::vector<Endpoint> endpoints;
    attest::Expression expect;
  };
  std::optional<Peers> peers = {};
};

// Takes `fleet` from the mapping; nullopt if it is not there.
Result<std::optional<FleetConfig>> ReadFleet(YamlMap& map);

}  // namespace keyclave::config
