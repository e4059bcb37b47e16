// The seam between the network side (listener, worker, connection, TLS) and what is behind it
// (dispatch).
#pragma once

#include "enclave/session/connection.h"
#include "enclave/session/session_map.h"
#include "enclave/wire/frame.h"

namespace keyclave::server {

using session::Connection;

// Requests of one turn of a worker whose replies are worked out together, because that is faster.
class Batch {
 public:
  struct Reply {
    uint64_t connection;  // as HandleOrJoin was told
    Bytes frame;
  };
  virtual ~Batch() = default;
  // Works out all that was left here, and empties it.
  virtual std::vector<Reply> Run() = 0;
};

class RequestHandler {
 public:
  virtual ~RequestHandler() = default;
  // One for each worker.
  virtual std::unique_ptr<Batch> NewBatch() = 0;
  // As Handle, by the connection's own worker; nullopt: the reply comes out of `batch`, for
  // `number`.
  virtual std::optional<Bytes> HandleOrJoin(Connection& connection, const wire::Frame& request,
                                            Batch& batch, uint64_t number) = 0;
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
