// One caller's connection: TLS handshake, then frames in and frames out. It belongs to one worker,
// and only that worker's thread calls it.
//
// What holds: it never waits; a turn handles a bounded number of requests, so that a busy caller
// cannot starve the others; it reads nothing while more than kMaxQueue bytes of replies wait to be
// read by the caller; what it buffers is bounded by the limits here.
#pragma once

#include <deque>

#include "enclave/server/server.h"
#include "enclave/server/slow_pool.h"
#include "enclave/wire/tls_stream.h"

namespace keyclave::server {

inline constexpr size_t kMaxQueue = size_t{4} << 20;        // bytes of waiting replies and requests
inline constexpr size_t kMaxBeforeHello = size_t{4} << 10;  // bytes of a first frame
inline constexpr size_t kReadAhead = size_t{128} << 10;     // bytes read in one turn
inline constexpr unsigned kFramesPerTurn = 16;

// What every connection needs of the daemon.
struct Services {
  session::SessionMap& sessions;
  RequestHandler& handler;
  const Clock& clock;
  const ServerLimits& limits;
  ServerStats& stats;
  SlowPool& slow;
  std::chrono::microseconds spin;
  const std::shared_ptr<const wire::TlsIdentity>& identity;
};

// What a connection has of its worker.
struct Home {
  uint64_t number = 0;  // the connection's
  Batch& batch;
  // Brings the reply of a slow request back to the worker, from another thread.
  std::function<void(Bytes reply)> deliver;
};

class ServerConnection {
 public:
  using Time = std::chrono::steady_clock::time_point;

  ServerConnection(const Services& services, std::unique_ptr<wire::TlsStream> stream,
                   session::Peer peer, Home home);
  ~ServerConnection();
  ServerConnection(const ServerConnection&) = delete;
  ServerConnection& operator=(const ServerConnection&) = delete;

  enum class Next {
    kWait,   // for the socket
    kAgain,  // there is more to do: take another turn after the others had theirs
    kClose,
  };
  // Does what can be done now.
  Next Turn();
  // A slow request was answered.
  Next OnSlowReply(Bytes reply);
  // A request that had joined the batch was answered. Settle then sends.
  Status TakeBatchReply(ByteSpan reply);
  Next Settle();
  size_t joined() const { return joined_; }
  // No more requests are read; what was read is answered, then kClose.
  Next Drain();
  // Whether it took longer than the limits allow.
  bool Overdue(Time now) const;
  // Whether its caller was told to go elsewhere, or would be, and asks for nothing here any more.
  bool IsLeftOver(Time now) const;

  int fd() const { return stream_->fd(); }
  bool WantsRead() const;
  bool WantsWrite() const { return stream_->queued() > 0; }

 private:
  enum class Phase { kHandshake, kServing, kEnding };
  // Why a whole frame stays in the buffer.
  enum class Blocked {
    kNo,     // none does
    kTurn,   // the others' turn
    kQueue,  // too much waits to leave
    kSlow,   // it must not run beside the slow request in progress
  };
  struct SlowRequest {
    uint64_t id = 0;
    Bytes body;       // given away when it starts
    size_t size = 0;  // of the body
  };

  Status Advance();
  Status Handshake();
  Status Serve();
  Status TellDrain();
  Status HandleFrame(const wire::Frame& frame);
  Status HandleQuick(const wire::Frame& frame);
  Status HandleFirst(const wire::Frame& frame);
  Status TakeSlow(const wire::Frame& frame);
  void StartSlow();
  Status Refuse(uint64_t id, Code code);
  Blocked WhyBlocked(const wire::Frame& frame, unsigned handled) const;
  bool HasRoom() const { return stream_->queued() + slow_bytes_ <= kMaxQueue; }
  // Whether there is work that no event of the socket will announce.
  bool HasMore() const;
  Status ReadAhead(Time now);
  Status FlushQueue();
  Next After(const Status& status);

  const Services& services_;
  const std::unique_ptr<wire::TlsStream> stream_;
  const Home home_;
  // Shared with a slow request in progress, which may outlive this object.
  std::shared_ptr<Connection> connection_;
  std::optional<Code> refused_;  // no session could be had: the first request hears why
  Phase phase_ = Phase::kHandshake;
  bool reading_ = true;  // until the peer's end of stream, or Drain
  bool unread_ = false;  // the stream holds bytes that it took off the socket
  Blocked blocked_ = Blocked::kNo;
  Bytes in_;                      // decrypted, not yet handled
  std::deque<SlowRequest> slow_;  // the first one is running
  size_t slow_bytes_ = 0;
  size_t joined_ = 0;     // requests that are in the batch
  bool movable_ = false;  // counted as such in session::Drain
  uint64_t told_ = 0;     // the drain that its caller knows of
  const Time opened_;
  Time last_request_;
  Time frame_begun_;
  Time last_sent_;
};

}  // namespace keyclave::server
