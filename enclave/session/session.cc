#include "enclave/session/session.h"

namespace keyclave::session {
namespace {

// Grants are small, but policies come and go over a session's life.
constexpr size_t kMaxGrants = 1024;
constexpr size_t kMaxUseLogins = 1024;

std::shared_ptr<const Session::Identity> Unattested(const attest::ClaimSet& transport) {
  return std::make_shared<const Session::Identity>(
      Session::Identity{.claims = transport,
                        .attested = false,
                        .verified_at = 0,
                        .expires_at = 0,
                        .caller = CallerIdOf(transport, /*attested=*/false)});
}

}  // namespace

attest::ClaimSet TransportClaims(const Peer& peer) {
  attest::ClaimSet claims;
  if (peer.is_unix) {
    claims.Set("peer.uid", int64_t{peer.uid}, attest::Origin::kTransport);
    claims.Set("peer.gid", int64_t{peer.gid}, attest::Origin::kTransport);
  }
  claims.Set("tls.key", ToHex(peer.tls_key), attest::Origin::kTransport);
  return claims;
}

Session::Session(uint64_t id, const Peer& peer)
    : id_(id), peer_(peer), transport_(TransportClaims(peer)), identity_(Unattested(transport_)) {}

Session::IdentityPtr Session::identity() const {
  const MutexLock lock(mutex_);
  return identity_;
}

void Session::SetEvidence(const attest::Verified& evidence, UnixTime expires_at,
                          Presented presented) {
  Identity identity{.claims = evidence.claims(),
                    .attested = true,
                    .verified_at = evidence.verified_at(),
                    .expires_at = expires_at,
                    .caller = CallerIdOf(evidence.claims(), /*attested=*/true),
                    .evidence = presented.evidence,
                    .release_keys = std::move(presented.runtime.release_keys),
                    .is_relayed = presented.is_relayed};
  // Who relays evidence is at the other end of the transport, and nobody that the evidence is
  // about.
  if (!identity.is_relayed) {
    for (const auto& [name, claim] : transport_) {
      if (identity.claims.Find(name) == nullptr)
        identity.claims.Set(name, claim.value, claim.origin);
    }
  }
  auto installed = std::make_shared<const Identity>(std::move(identity));
  const MutexLock lock(mutex_);
  identity_ = std::move(installed);
  grants_.clear();
}

bool Session::ExpireEvidence(UnixTime now) {
  const MutexLock lock(mutex_);
  if (!identity_->attested || now < identity_->expires_at) return false;
  identity_ = Unattested(transport_);
  grants_.clear();
  return true;
}

void Session::ForgetEvidence() {
  const MutexLock lock(mutex_);
  if (!identity_->attested) return;
  identity_ = Unattested(transport_);
  grants_.clear();
}

std::shared_ptr<const authz::Grant> Session::GrantFor(const IdentityPtr& identity,
                                                      const authz::Policy& policy,
                                                      const Rules& rules, UnixTime now) {
  const GrantKey key(rules->token, policy.digest());
  {
    const MutexLock lock(mutex_);
    const auto found = identity_ == identity ? grants_.find(key) : grants_.end();
    if (found != grants_.end() && found->second.generation == rules->generation &&
        !found->second.grant->IsStale(now)) {
      return found->second.grant;
    }
  }
  auto grant = std::make_shared<const authz::Grant>(
      authz::Evaluate(policy, identity->claims, identity->verified_at, now, *rules));
  const MutexLock lock(mutex_);
  // Evidence that came in meanwhile deserves an evaluation of its own: this grant is for this once.
  if (identity_ == identity) {
    if (grants_.size() >= kMaxGrants) grants_.clear();
    grants_.insert_or_assign(key, CachedGrant{rules->generation, grant});
  }
  return grant;
}

wire::LoginState Session::LoginOf(const wire::TokenId& token) const {
  const MutexLock lock(mutex_);
  const auto found = logins_.find(token);
  return found == logins_.end() ? wire::LoginState::kNone : found->second;
}

void Session::SetLogin(const wire::TokenId& token, wire::LoginState state) {
  const MutexLock lock(mutex_);
  if (state == wire::LoginState::kNone) {
    logins_.erase(token);
    use_logins_.clear();
  } else {
    logins_.insert_or_assign(token, state);
  }
}

void Session::ForgetLogins(const wire::TokenId& token) { SetLogin(token, wire::LoginState::kNone); }

uint64_t Session::AddUseLogin(const wire::ObjectId& key) {
  const MutexLock lock(mutex_);
  if (use_logins_.size() >= kMaxUseLogins) use_logins_.erase(use_logins_.begin());
  use_logins_.emplace(++last_use_login_, key);
  return last_use_login_;
}

bool Session::HasUseLogin(uint64_t login, const wire::ObjectId& key) const {
  const MutexLock lock(mutex_);
  const auto found = use_logins_.find(login);
  return found != use_logins_.end() && found->second == key;
}

bool Session::TakeUseLogin(uint64_t login, const wire::ObjectId& key) {
  const MutexLock lock(mutex_);
  const auto found = use_logins_.find(login);
  if (found == use_logins_.end() || found->second != key) return false;
  use_logins_.erase(found);
  return true;
}

std::optional<wire::OwnerRole> Session::RoleIn(const wire::TokenId& token) const {
  const MutexLock lock(mutex_);
  const auto found = roles_.find(token);
  return found == roles_.end() ? std::nullopt : std::optional(found->second.second);
}

void Session::SetRole(const wire::TokenId& token, std::string owner, wire::OwnerRole role) {
  const MutexLock lock(mutex_);
  roles_.insert_or_assign(token, std::pair(std::move(owner), role));
}

void Session::ForgetRoles(const wire::TokenId& token, const std::string& owner) {
  const MutexLock lock(mutex_);
  const auto found = roles_.find(token);
  if (found != roles_.end() && (owner.empty() || found->second.first == owner)) roles_.erase(found);
}

}  // namespace keyclave::session
