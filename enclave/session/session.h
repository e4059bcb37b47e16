// An attested session: what the enclave knows of one calling process, keyed by that process's TLS
// key. All connections that prove the same key (from the same user) share it.
#pragma once

#include <atomic>
#include <map>

#include "attest/evidence.h"
#include "enclave/authz/authorize.h"
#include "enclave/base/mutex.h"
#include "enclave/session/caller_id.h"
#include "enclave/wire/messages.h"
#include "enclave/wire/runtime_claims.h"

namespace keyclave::session {

// What the transport tells of the other end (not attested).
struct Peer {
  bool is_unix = false;
  uint32_t uid = 0;  // of a unix socket's peer
  uint32_t gid = 0;
  int32_t pid = 0;
  std::string address;      // unix, or 127.0.0.1:4711
  ByteArray<32> tls_key{};  // SHA-256 of the caller's SubjectPublicKeyInfo
};

// peer.uid, peer.gid (unix only) and tls.key as transport claims.
attest::ClaimSet TransportClaims(const Peer& peer);

// What came with evidence: its bytes' SHA-256, and the runtime claims that it binds.
struct Presented {
  ByteArray<32> evidence{};
  wire::RuntimeClaims runtime = {};
  // Evidence that somebody else brought, in a protocol of its own (AttestRequest::protocol).
  bool is_relayed = false;
};

class Session {
 public:
  Session(uint64_t id, const Peer& peer);

  uint64_t id() const { return id_; }
  const ByteArray<32>& tls_key() const { return peer_.tls_key; }
  // Of the connection that opened it.
  const Peer& peer() const { return peer_; }

  // The claims in force: verified ones joined by the transport's (which never replace them); only
  // the transport's before the first Attest and after expiry.
  struct Identity {
    attest::ClaimSet claims;
    bool attested = false;
    UnixTime verified_at = 0;
    UnixTime expires_at = 0;
    CallerId caller{};         // of these claims
    ByteArray<32> evidence{};  // SHA-256 of the evidence; zeros while unattested
    // Public keys that the evidence names: keys of the enclave are released to these and no others.
    std::vector<wire::ReleaseKey> release_keys = {};
    bool is_relayed = false;  // nothing goes to the caller but what is encrypted to those
  };
  using IdentityPtr = std::shared_ptr<const Identity>;
  IdentityPtr identity() const;
  // Installs newly verified evidence and forgets all grants.
  void SetEvidence(const attest::Verified& evidence, UnixTime expires_at, Presented presented = {});
  // Falls back to the transport's claims if the evidence has expired; true if that happened now.
  // The server calls it before it hands over requests, so that identity() is never out of date.
  bool ExpireEvidence(UnixTime now);
  // Falls back whenever it expires: it was judged by a clock that was wrong.
  void ForgetEvidence();

  // The grant that this identity, which is or was the session's, has by a policy (by digest) of a
  // token with these rules: evaluated on first use and after the evidence, the policy or the rules
  // changed, or a reference value's time came or went.
  using Rules = std::shared_ptr<const authz::TokenRules>;
  std::shared_ptr<const authz::Grant> GrantFor(const IdentityPtr& identity,
                                               const authz::Policy& policy, const Rules& rules,
                                               UnixTime now);

  wire::LoginState LoginOf(const wire::TokenId& token) const;
  void SetLogin(const wire::TokenId& token, wire::LoginState state);
  void ForgetLogins(const wire::TokenId& token);

  // Logins for one use of one key (CKA_ALWAYS_AUTHENTICATE), by numbers of this session. The oldest
  // of too many is forgotten; a logout forgets all.
  uint64_t AddUseLogin(const wire::ObjectId& key);
  bool HasUseLogin(uint64_t login, const wire::ObjectId& key) const;
  bool TakeUseLogin(uint64_t login, const wire::ObjectId& key);  // whether it was there

  // What the session proved to be of a token, for reading; nullopt: nothing.
  std::optional<wire::OwnerRole> RoleIn(const wire::TokenId& token) const;
  void SetRole(const wire::TokenId& token, std::string owner, wire::OwnerRole role);
  // Of this owner of the token; of all of them if `owner` is empty.
  void ForgetRoles(const wire::TokenId& token, const std::string& owner);

  std::atomic<uint64_t> requests{0};
  std::atomic<int> connections{0};

 private:
  const uint64_t id_;
  const Peer peer_;
  const attest::ClaimSet transport_;
  mutable Mutex mutex_;
  std::shared_ptr<const Identity> identity_ KC_GUARDED_BY(mutex_);
  struct CachedGrant {
    uint64_t generation = 0;  // of the rules
    std::shared_ptr<const authz::Grant> grant;
  };
  using GrantKey = std::pair<wire::TokenId, ByteArray<32>>;  // of a policy's digest
  std::map<GrantKey, CachedGrant> grants_ KC_GUARDED_BY(mutex_);
  std::map<wire::TokenId, wire::LoginState> logins_ KC_GUARDED_BY(mutex_);
  std::map<uint64_t, wire::ObjectId> use_logins_ KC_GUARDED_BY(mutex_);
  uint64_t last_use_login_ KC_GUARDED_BY(mutex_) = 0;
  std::map<wire::TokenId, std::pair<std::string, wire::OwnerRole>> roles_ KC_GUARDED_BY(mutex_);
};
using SessionPtr = std::shared_ptr<Session>;

}  // namespace keyclave::session
