// All attested sessions of the daemon, by the caller's TLS key, with limits.
#pragma once

#include <functional>
#include <tuple>

#include "enclave/session/drain.h"
#include "enclave/session/session.h"

namespace keyclave::session {

struct SessionLimits {
  size_t max_sessions = 4096;
  uint64_t max_requests = 0;     // per session; 0: unlimited
  uint64_t linger_seconds = 60;  // how long a session without connections is kept
};

class SessionMap {
 public:
  // `on_end` is called once for every session that ends (its session objects go then).
  SessionMap(SessionLimits limits, const Clock& clock, std::function<void(const Session&)> on_end);

  // The session of this TLS key and user, or a new one; kTooManyConnections above max_sessions.
  // Counts a connection in / out.
  Result<SessionPtr> Join(const Peer& peer);
  void Leave(const SessionPtr& session);
  // Ends what lingered long enough, and logs how many Join has refused; called every few seconds.
  void Sweep();
  size_t size() const;
  // For changes that end logins everywhere (a PIN changed, a token deleted).
  void ForEach(const std::function<void(Session&)>& visit) const;
  Drain& drain() { return drain_; }

 private:
  // A process that changes its user keeps its TLS key, but must not keep what its old user proved.
  using Key = std::tuple<ByteArray<32>, bool, uint32_t, uint32_t>;
  static Key KeyOf(const Peer& peer) { return {peer.tls_key, peer.is_unix, peer.uid, peer.gid}; }
  // Not the wall clock's: one that is put back would keep sessions for as long.
  using Time = std::chrono::steady_clock::time_point;
  struct Entry {
    SessionPtr session;
    Time idle_since;
  };
  const SessionLimits limits_;
  const Clock& clock_;
  const std::function<void(const Session&)> on_end_;
  Drain drain_;
  mutable Mutex mutex_;
  uint64_t next_id_ KC_GUARDED_BY(mutex_) = 1;
  uint64_t refused_ KC_GUARDED_BY(mutex_) = 0;  // since the last Sweep
  std::map<Key, Entry> sessions_ KC_GUARDED_BY(mutex_);
};

}  // namespace keyclave::session
