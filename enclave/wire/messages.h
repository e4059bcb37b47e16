// Every request and reply of the wire (docs/wire.md has the same as tables). Numbers of fields are
// stable: new fields get new numbers and are optional.
#pragma once

#include "enclave/wire/admin_messages.h"
#include "enclave/wire/backup_messages.h"
#include "enclave/wire/fleet_messages.h"
#include "enclave/wire/key_attestation.h"
#include "enclave/wire/key_messages.h"
#include "enclave/wire/mark_messages.h"
#include "enclave/wire/store_messages.h"
#include "enclave/wire/upgrade_messages.h"

namespace keyclave::wire {

// ---- sessions ----

// Opens a connection: the caller's nonce for the enclave's evidence, and in the reply the enclave's
// nonce for the caller's. A caller that has already appraised this enclave key leaves out
// want_evidence.
struct HelloRequest {
  ByteArray<32> nonce{};
  bool want_evidence = false;
  std::optional<bool> can_move = {};  // the caller has other members of the fleet to go to
  KC_FIELDS_3(nonce, want_evidence, can_move)
};
struct HelloReply {
  ByteArray<32> nonce{};   // single use, for one Attest on this connection, within 60 s
  std::string enclave_id;  // hexadecimal; the audience of the caller's evidence
  std::string version;
  bool simulated = false;
  uint64_t session_seconds =
      0;  // an attested session of this TLS key exists, for so long; 0: Attest first
  std::optional<std::string> evidence_type;
  std::optional<Bytes> evidence;
  std::optional<Bytes> runtime_claims;
  uint64_t session =
      0;  // the session's number in this run of the daemon: another one has no logins
  std::optional<bool> draining = {};  // a caller that can move shall do so; told to no other
  template <class V>
  void Visit(V&& v) {
    v(1, nonce);
    v(2, enclave_id);
    v(3, version);
    v(4, simulated);
    v(5, session_seconds);
    v(6, evidence_type);
    v(7, evidence);
    v(8, runtime_claims);
    v(9, session);
    v(10, draining);
  }
};

struct AttestRequest {
  std::string evidence_type;
  Bytes evidence;
  Bytes runtime_claims;
  std::optional<uint64_t> protocol = {};  // what the evidence is bound to; absent: this connection
  KC_FIELDS_4(evidence_type, evidence, runtime_claims, protocol)
};
// Evidence of a caller that somebody else speaks for, in a protocol of its own: bound to the nonce
// and to what `runtime_claims` are in that protocol. Such a session gets what is encrypted to the
// key that they name, and nothing else.
inline constexpr uint64_t kProtocolRcar = 1;
struct AttestReply {
  uint64_t session_seconds = 0;
  KC_FIELDS_1(session_seconds)
};

using StatusRequest = Empty;
// Of a daemon that shares its store with others.
struct FleetStatus {
  std::string member;    // its name among them
  int64_t contact = 0;   // Unix seconds: when it last knew that it has everything
  uint64_t offline = 0;  // seconds after that for which keys are used
  bool stale = false;    // they are over
  std::string trouble;   // why it does not have everything; empty: it has
  KC_FIELDS_5(member, contact, offline, stale, trouble)
};

struct StatusReply {
  std::string version;
  std::string enclave_id;
  std::string tee;
  bool simulated = false;
  int64_t started = 0;  // Unix seconds
  uint64_t tokens = 0;
  uint64_t objects = 0;
  uint64_t connections = 0;
  uint64_t sessions = 0;
  uint64_t epoch = 0;
  std::vector<std::string> warnings;
  std::vector<NameCount> operations;  // answered since start, by name; refused ones under "denied"
  std::vector<ClaimText> evidence;    // the enclave's own claims
  Bytes audit_key;                    // SubjectPublicKeyInfo of the checkpoint key
  std::string sealing;                // who keeps the root secret: file, tpm …
  std::string signing;                // by what signatures are made
  std::vector<NameCount> groups;      // of signatures made together: how many of each size
  std::optional<uint64_t> draining;   // while it does: open connections of callers that can move
  std::optional<FleetStatus> fleet = {};
  std::optional<RecoveryInfo> recovery = {};  // absent: nobody could restore it elsewhere
  template <class V>
  void Visit(V&& v) {
    v(1, version);
    v(2, enclave_id);
    v(3, tee);
    v(4, simulated);
    v(5, started);
    v(6, tokens);
    v(7, objects);
    v(8, connections);
    v(9, sessions);
    v(10, epoch);
    v(11, warnings);
    v(12, operations);
    v(13, evidence);
    v(14, audit_key);
    v(15, sealing);
    v(16, signing);
    v(17, groups);
    v(18, draining);
    v(19, fleet);
    v(20, recovery);
  }
};

// Sends callers that have another member of the fleet there, or takes them again.
struct DrainRequest {
  bool on = false;
  KC_FIELDS_1(on)
};
struct DrainReply {
  uint64_t movable = 0;      // open connections of callers that can move
  uint64_t connections = 0;  // all that are open
  KC_FIELDS_2(movable, connections)
};

// ---- tokens ----

using ListTokensRequest = Empty;
struct ListTokensReply {
  std::vector<TokenInfo> tokens;
  bool can_create =
      false;  // the caller may make tokens: the modules then show one uninitialised slot
  KC_FIELDS_2(tokens, can_create)
};

struct CreateTokenRequest {
  std::string label;
  std::string policy;  // text of the token's default policy; empty: the daemon's configured one
  std::optional<SecretBytes> so_pin;
  std::optional<SecretBytes> user_pin;
  std::optional<std::vector<NewOwner>> owners;
  std::optional<uint64_t>
      quorum;  // owners that must sign where no policy says; default: a majority
  KC_FIELDS_6(label, policy, so_pin, user_pin, owners, quorum)
};
struct CreateTokenReply {
  TokenInfo token;
  KC_FIELDS_1(token)
};

struct InitTokenRequest {
  std::optional<TokenId> token;  // absent: a new token with the daemon's configured policy
  SecretBytes so_pin;
  std::string label;
  KC_FIELDS_3(token, so_pin, label)
};
using InitTokenReply = CreateTokenReply;

struct InitPinRequest {
  TokenId token{};
  SecretBytes pin;
  KC_FIELDS_2(token, pin)
};
using InitPinReply = Empty;

struct SetPinRequest {
  TokenId token{};
  SecretBytes old_pin;
  SecretBytes new_pin;
  KC_FIELDS_3(token, old_pin, new_pin)
};
using SetPinReply = Empty;

// A PIN, or the ticket of an earlier login of the same TLS key (which outlives a restart of the
// daemon).
struct LoginRequest {
  TokenId token{};
  LoginState user = LoginState::kNone;
  std::optional<SecretBytes> pin;
  std::optional<Bytes> ticket;
  KC_FIELDS_4(token, user, pin, ticket)
};
struct LoginReply {
  Bytes ticket;
  KC_FIELDS_1(ticket)
};

struct LogoutRequest {
  TokenId token{};
  KC_FIELDS_1(token)
};
using LogoutReply = Empty;

// For one use of a key with CKA_ALWAYS_AUTHENTICATE: the user's PIN, or none where the token has
// none.
struct ReauthenticateRequest {
  ObjectRef key;
  std::optional<SecretBytes> pin;
  KC_FIELDS_2(key, pin)
};
struct ReauthenticateReply {
  uint64_t login = 0;  // for ObjectRef::login
  KC_FIELDS_1(login)
};

struct DeleteTokenRequest {
  TokenId token{};
  KC_FIELDS_1(token)
};
using DeleteTokenReply = Empty;

// ---- objects ----

struct FindObjectsRequest {
  TokenId token{};
  AttributeList match;            // empty: every object that the caller may see
  std::optional<ObjectId> after;  // the last id of the page before
  uint64_t limit = 0;             // objects per page, at most 256
  std::optional<bool> all;        // operators: objects without a grant for the asking process too
  // Every version of a key; else a search by label finds those of the version in service only.
  std::optional<bool> versions = {};
  KC_FIELDS_6(token, match, after, limit, all, versions)
};
struct FindObjectsReply {
  std::vector<ObjectInfo> objects;
  bool more = false;
  KC_FIELDS_2(objects, more)
};

struct CreateObjectRequest {
  TokenId token{};
  AttributeList attributes;
  KC_FIELDS_2(token, attributes)
};
using CreateObjectReply = ObjectReply;

struct CopyObjectRequest {
  ObjectRef object;
  AttributeList attributes;  // what differs in the copy
  KC_FIELDS_2(object, attributes)
};
using CopyObjectReply = ObjectReply;

// Session objects of the caller's become token objects, all of them and the policies too, or
// nothing.
struct KeptObject {
  ObjectId object{};
  std::string policy;  // that it is under from now on; empty: the token's default
  KC_FIELDS_2(object, policy)
};
struct KeepObjectsRequest {
  TokenId token{};
  std::vector<std::string> policies;  // texts; each new, or of a version that rises
  std::vector<KeptObject> objects;
  KC_FIELDS_3(token, policies, objects)
};
struct KeepObjectsReply {
  std::vector<ObjectInfo> objects;    // in the request's order
  std::vector<std::string> warnings;  // about the policies
  KC_FIELDS_2(objects, warnings)
};

struct DestroyObjectRequest {
  ObjectRef object;
  KC_FIELDS_1(object)
};
using DestroyObjectReply = Empty;

struct SetAttributesRequest {
  ObjectRef object;
  AttributeList attributes;
  KC_FIELDS_2(object, attributes)
};
using SetAttributesReply = ObjectReply;

// All readable attributes, and the secret values too where the key's attributes and policy let the
// caller read them.
struct GetObjectRequest {
  ObjectRef object;
  KC_FIELDS_1(object)
};
using GetObjectReply = ObjectReply;

struct GenerateKeyRequest {
  TokenId token{};
  Mechanism mechanism;
  AttributeList attributes;
  KC_FIELDS_3(token, mechanism, attributes)
};
using GenerateKeyReply = ObjectReply;

struct GenerateKeyPairRequest {
  TokenId token{};
  Mechanism mechanism;
  AttributeList public_attributes;
  AttributeList private_attributes;
  KC_FIELDS_4(token, mechanism, public_attributes, private_attributes)
};
struct KeyPairReply {
  ObjectInfo public_key;
  ObjectInfo private_key;
  KC_FIELDS_2(public_key, private_key)
};
using GenerateKeyPairReply = KeyPairReply;

// A private key as PKCS#8 (DER, unencrypted: the channel encrypts) with its public key made from
// it.
struct ImportKeyRequest {
  TokenId token{};
  SecretBytes pkcs8;
  AttributeList public_attributes;
  AttributeList private_attributes;
  KC_FIELDS_4(token, pkcs8, public_attributes, private_attributes)
};
using ImportKeyReply = KeyPairReply;

enum class CertifyKind : uint8_t {
  kRequest = 0,
  kSelfSigned,
  kSelfSignedCa,  // the root of a CA: for IssueCertificate
  kLast = kSelfSignedCa
};

// A certificate request or self-signed certificate for the enclave's own key; nothing but the key's
// own public key can be certified, so this is no signing oracle.
struct CertifyRequest {
  ObjectRef key;
  CertifyKind kind = CertifyKind::kRequest;
  std::string subject;             // RFC 4514: CN=www.example.org,O=Example
  std::vector<std::string> names;  // DNS names, IP addresses, mail addresses, URIs
  uint64_t days = 0;               // validity of a self-signed certificate, 1..3650
  std::optional<Bytes> attest;     // nonce: kRequest with the key's attestation as an extension
  KC_FIELDS_6(key, kind, subject, names, days, attest)
};
struct CertifyReply {
  Bytes der;
  KC_FIELDS_1(der)
};

// A certificate for the key of whoever asks, by the key of a CA whose policy grants `issue`. The
// enclave makes the certificate; of the request it takes the public key and nothing else.
struct IssueCertificateRequest {
  ObjectRef key;                    // the CA's private key
  Bytes csr;                        // PKCS#10, DER: its signature proves who holds the leaf's key
  std::string subject;              // RFC 4514; mostly empty
  std::vector<std::string> names;   // DNS names, IP addresses, mail addresses, URIs
  std::vector<std::string> usages;  // server-auth, client-auth …
  uint64_t validity = 0;            // seconds from now
  KC_FIELDS_6(key, csr, subject, names, usages, validity)
};
struct IssueCertificateReply {
  Bytes certificate;         // DER
  std::vector<Bytes> chain;  // its CA's first, then as far up as the token has them
  KC_FIELDS_2(certificate, chain)
};

// The enclave's evidence about a private key (key_attestation.h).
struct AttestKeyRequest {
  ObjectRef key;
  Bytes nonce;  // at most 64 bytes
  KC_FIELDS_2(key, nonce)
};
struct AttestKeyReply {
  KeyAttestation attestation;
  KC_FIELDS_1(attestation)
};

}  // namespace keyclave::wire
