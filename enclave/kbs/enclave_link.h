// The enclave as the gateway sees it: one connection, with a TLS key of its own, for each of the
// gateway's clients. By it the gateway relays that client's evidence, and gets back what only the
// client opens (docs/wire.md, "Relayed evidence").
#pragma once

#include <memory>

#include "enclave/base/mutex.h"
#include "enclave/client/channel.h"
#include "enclave/kbs/evidence.h"
#include "enclave/wire/messages.h"

namespace keyclave::kbs {

// One client's. Not for two threads at once.
class Upstream {
 public:
  virtual ~Upstream() = default;
  // The enclave's, for one Attest within 60 s.
  virtual const ByteArray<32>& nonce() const = 0;
  // The enclave's codes, and those of the connection.
  virtual Status Attest(const Evidence& evidence, const Bytes& runtime_data) = 0;
  // The object with this label as a JWE (compact) for the key with this SHA-256.
  struct Wanted {
    std::string label;
    ByteArray<32> recipient{};
    bool is_rsa = false;
  };
  virtual Result<Bytes> Release(const Wanted& wanted) = 0;
};

class EnclaveLink {
 public:
  virtual ~EnclaveLink() = default;
  virtual Result<std::unique_ptr<Upstream>> Connect() = 0;  // by any thread
};

// By client.yaml: `expect` says what the enclave has to prove. `token` is the label of the token
// that has the objects.
class DaemonLink final : public EnclaveLink {
 public:
  DaemonLink(client::ClientConfig config, std::string token, size_t max_connections)
      : config_(std::move(config)), token_(std::move(token)), table_(max_connections) {}
  Result<std::unique_ptr<Upstream>> Connect() override;

 private:
  class Connection;
  // Whether this enclave key was appraised a short while ago.
  bool IsKnown(const ByteArray<32>& server_spki);
  void Remember(const ByteArray<32>& server_spki);
  client::Deadline Until() const { return std::chrono::steady_clock::now() + config_.deadline; }

  const client::ClientConfig config_;
  const std::string token_;
  const SystemClock clock_;
  client::FdTable table_;
  Mutex mutex_;
  ByteArray<32> known_ KC_GUARDED_BY(mutex_){};
  std::chrono::steady_clock::time_point known_until_ KC_GUARDED_BY(mutex_){};
};

}  // namespace keyclave::kbs
