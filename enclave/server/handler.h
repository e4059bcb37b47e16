// The seam between the network side (listener, worker, connection, TLS) and what is behind it
// (dispatch).
#pragma once

#include "enclave/session/session_map.h"
#include "enclave/wire/frame.h"

namespace keyclave::server {

// One TLS connection as the dispatch table sees it.
struct Connection {
  session::Peer peer;
  session::SessionPtr session;
  ByteArray<32> exporter{};     // TLS exporter of this connection
  ByteArray<32> server_spki{};  // SHA-256 of our own SubjectPublicKeyInfo
  // The nonce of the last Hello, until an Attest uses it up or it is 60 s old.
  struct Nonce {
    ByteArray<32> value{};
    UnixTime made = 0;
  };
  std::optional<Nonce> nonce;
  bool hello_done = false;
};

class RequestHandler {
 public:
  virtual ~RequestHandler() = default;
  // The reply's frame for one request frame. Called by the connection's own worker, or, where
  // IsSlow says so, by a background thread (then at most one at a time per connection, and no other
  // request of it touches `connection.nonce`).
  virtual Bytes Handle(Connection& connection, const wire::Frame& request) = 0;
  // Work of more than some milliseconds (making RSA keys): must not hold up a worker.
  virtual bool IsSlow(const wire::Frame& request) const = 0;
};

struct ServerStats {
  std::atomic<uint64_t> connections{0};
};

}  // namespace keyclave::server
