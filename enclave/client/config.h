// client.yaml: where the enclave is, what it must prove, and how this process proves itself.
//
//   endpoint: unix:/run/keyclave/keyclaved.sock   # or tcp:HOST:PORT
//   endpoints: [tcp:a:7700, tcp:b:7700]   # in its place: the members of a fleet, at most 64
//   socket_owner: 0     # uid whose process must listen (unix only); default: 0 or the own uid
//   expect:             # expression that the enclave's evidence must satisfy; required
//     tee: {is: simulated}
//   enclave: 5d1c…      # its id, 32 hexadecimal digits: this very enclave, not one that is like it
//   evidence: simulated # how this process proves itself: a TEE type, or none (the default)
//   simulated:
//     key: /etc/keyclave/simulated-root.key   # signs this process's own simulated evidence
//     root: /etc/keyclave/simulated-root.pub  # verifies the enclave's
//   release_keys:       # public keys (PEM or DER) that keys may be released to: part of the
//   evidence
//     backup: /etc/keyclave/backup.pub
//   policy_digests:     # keys of this process must be under one of these policies (policy list)
//     - 8d5f…           # SHA-256, 64 hexadecimal digits
//   deadline: 5s        # per call
//   renew_before: 60s   # evidence is renewed so long before it expires
//   max_connections: 16 # per process, at most 256
//   spin: 0             # microseconds that a lone caller looks for its answer; at most 1000
//   owner:              # whom `keyclave` signs for where a token has owners
//     name: ops
//     key: /root/ops.pem   # or a pkcs11: URI
#pragma once

#include <chrono>

#include "attest/expression.h"
#include "attest/tee_type.h"
#include "enclave/base/endpoint.h"
#include "enclave/wire/runtime_claims.h"

namespace keyclave::client {

using keyclave::Endpoint;

inline constexpr size_t kMaxConnections = 256;
inline constexpr size_t kMaxEndpoints = 64;

// Only the command line reads the key.
struct OwnerConfig {
  std::string name;
  std::string key;
};

// What an application has that lets a thread do something else instead of waiting: coroutines.
// Nothing may be held meanwhile that another caller on this thread could wait for.
struct Pausing {
  bool (*can)();  // whether this thread can pause now
  // Pauses until the descriptor has bytes, or until the application thinks so. False: it did not.
  bool (*until_readable)(int fd);
  bool (*for_a_moment)();
};

struct ClientConfig {
  std::string source;               // the file's path, for messages
  std::vector<Endpoint> endpoints;  // at least one; of several, each is a member of one fleet
  std::optional<uint32_t> socket_owner;
  attest::Expression expect;
  std::string enclave_id = {};  // empty: any that satisfies `expect`
  std::string evidence_type;    // empty: none
  attest::ProducerConfig producer;
  attest::Trust trust;
  std::vector<wire::ReleaseKey> release_keys = {};
  std::vector<ByteArray<32>> policy_digests = {};  // empty: any
  std::chrono::milliseconds deadline{5000};
  std::chrono::seconds renew_before{60};
  size_t max_connections = 16;
  std::chrono::microseconds spin{0};
  std::optional<OwnerConfig> owner = {};
  // The program's, not the file's.
  const Pausing* pausing = nullptr;
  bool in_order = false;  // the first endpoint is preferred; default: one by chance

  bool IsFleet() const { return endpoints.size() > 1; }
  // All endpoints, for people.
  std::string EndpointsText() const;
  // The same with this endpoint alone.
  ClientConfig At(const Endpoint& endpoint) const;
};

// KEYCLAVE_CONFIG if set (ignored in set-user-id programs), else /etc/keyclave/client.yaml.
std::string DefaultConfigPath();
Result<ClientConfig> LoadClientConfig(const std::string& path);
Result<ClientConfig> ParseClientConfig(std::string_view text, const std::string& name);

}  // namespace keyclave::client
