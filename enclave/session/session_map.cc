#include "enclave/session/session_map.h"

#include "enclave/base/log.h"

namespace keyclave::session {

SessionMap::SessionMap(SessionLimits limits, const Clock& clock,
                       std::function<void(const Session&)> on_end)
    : limits_(limits), clock_(clock), on_end_(std::move(on_end)) {}

Result<SessionPtr> SessionMap::Join(const Peer& peer) {
  const Time now = clock_.Steady();
  const MutexLock lock(mutex_);
  const auto found = sessions_.find(KeyOf(peer));
  if (found != sessions_.end()) {
    found->second.session->connections.fetch_add(1);
    return found->second.session;
  }
  if (sessions_.size() >= limits_.max_sessions) {
    ++refused_;
    return Fail(Code::kTooManyConnections,
                std::to_string(limits_.max_sessions) + " attested sessions are open");
  }
  const auto session = std::make_shared<Session>(next_id_++, peer);
  session->connections.store(1);
  sessions_.emplace(KeyOf(peer), Entry{.session = session, .idle_since = now});
  return session;
}

void SessionMap::Leave(const SessionPtr& session) {
  const Time now = clock_.Steady();
  const MutexLock lock(mutex_);
  if (session->connections.fetch_sub(1) != 1) return;
  const auto found = sessions_.find(KeyOf(session->peer()));
  if (found != sessions_.end() && found->second.session == session) found->second.idle_since = now;
}

void SessionMap::Sweep() {
  const Time now = clock_.Steady();
  const UnixTime wall = clock_.Now();
  std::vector<SessionPtr> ended;
  uint64_t refused = 0;
  {
    const MutexLock lock(mutex_);
    refused = std::exchange(refused_, 0);
    for (auto it = sessions_.begin(); it != sessions_.end();) {
      const Entry& entry = it->second;
      const bool lingers = entry.session->connections.load() > 0 ||
                           now - entry.idle_since < std::chrono::seconds(limits_.linger_seconds);
      if (lingers) {
        entry.session->ExpireEvidence(wall);
        ++it;
        continue;
      }
      ended.push_back(entry.session);
      it = sessions_.erase(it);
    }
  }
  if (refused != 0) {
    Log(LogLevel::kWarning, std::to_string(refused) +
                                " connections refused: " + std::to_string(limits_.max_sessions) +
                                " attested sessions are open (limits: sessions in keyclaved.yaml)");
  }
  // Outside the lock: whoever is told may ask for sessions.
  for (const SessionPtr& session : ended) {
    if (on_end_) on_end_(*session);
  }
}

size_t SessionMap::size() const {
  const MutexLock lock(mutex_);
  return sessions_.size();
}

void SessionMap::ForEach(const std::function<void(Session&)>& visit) const {
  std::vector<SessionPtr> all;
  {
    const MutexLock lock(mutex_);
    for (const auto& [key, entry] : sessions_) all.push_back(entry.session);
  }
  for (const SessionPtr& session : all) visit(*session);
}

}  // namespace keyclave::session
