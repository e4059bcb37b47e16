// The daemon's network side: listeners, TLS, workers, and the pool for slow requests.
//
// Stages, by privilege: Create (makes the ephemeral TLS key), Listen (binds; needs the rights that
// the sockets need), then whatever drops privileges, Start (threads), Stop (drains).
// After Stop: every request that had been read whole was answered or its connection was lost, all
// threads have ended, the unix sockets made by Listen are gone.
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "enclave/base/endpoint.h"
#include "enclave/server/handler.h"

namespace keyclave::server {

struct ServerLimits {
  size_t connections = 1024;
  size_t requests_in_flight = 64;      // per connection: taken, and not yet answered
  std::chrono::seconds handshake{10};  // from accept to the first Hello's answer
  std::chrono::seconds stalled{30};    // half a frame came or a reply waits, and nothing moves
  std::chrono::seconds idle{3600};     // nothing asked
  std::chrono::seconds drain{5};       // how long Stop waits for replies to leave
};

struct ServerConfig {
  std::vector<Endpoint> listen;
  uint32_t socket_mode = 0666;        // of unix sockets
  unsigned workers = 0;               // 0: one per core
  std::chrono::microseconds spin{0};  // that a worker looks for requests before it sleeps
  ServerLimits limits;
};

class Server {
 public:
  // The references must outlive the server. kTlsFailed if no key can be made.
  static Result<std::unique_ptr<Server>> Create(ServerConfig config, session::SessionMap& sessions,
                                                RequestHandler& handler, const Clock& clock);
  ~Server();  // stops
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Binds every endpoint. A unix socket that nobody listens on any more is replaced;
  // kAddressInUse if somebody does.
  Status Listen();
  // Listens if Listen was not called, and starts the threads.
  Status Start();
  // Idempotent.
  void Stop();

  uint16_t port() const;                     // of the first tcp endpoint; 0 if there is none
  const ByteArray<32>& server_spki() const;  // SHA-256 of the key's SubjectPublicKeyInfo
  const ServerStats& stats() const;

 private:
  struct Parts;
  explicit Server(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace keyclave::server
