// The seam between the network side (listener, worker, connection, TLS) and what is behind it
// (dispatch).
#pragma once

#include "enclave/session/connection.h"
#include "enclave/session/session_map.h"
#include "enclave/wire/frame.h"

namespace keyclave::server {

using session::Connection;

class RequestHandler {
 public:
  virtual ~RequestHandler() = default;
  // The reply's frame for one request frame. Called by the connection's own worker, or, where
  // IsSlow says so, by a background thread (then at most one at a time per connection, and no Hello
  // or Attest of it runs meanwhile, so nothing writes to `connection`).
  // Before the first Hello was answered, only Hello comes here: the server refuses the rest.
  virtual Bytes Handle(Connection& connection, const wire::Frame& request) = 0;
  // Work of more than some milliseconds (making RSA keys): must not hold up a worker.
  virtual bool IsSlow(const wire::Frame& request) const = 0;
};

struct ServerStats {
  std::atomic<uint64_t> connections{0};  // open now
  std::atomic<uint64_t> accepted{0};     // since the start
  std::atomic<uint64_t> refused{0};      // closed at once, above the limit
  std::atomic<uint64_t> requests{0};     // frames handed to the handler
};

}  // namespace keyclave::server
