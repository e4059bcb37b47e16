// Requests and replies of administration: owners and what they sign, policies, reference-value
// sets, approvals, revocations, the audit log.
#pragma once

#include "enclave/wire/message_parts.h"

namespace keyclave::wire {

// ---- owners, and what they sign ----

enum class OwnerRole : uint8_t { kOwner = 0, kAuditor, kLast = kAuditor };

// A holder of a signing key who decides about a token (kOwner) or reads its audit (kAuditor).
struct Owner {
  std::string name;
  OwnerRole role = OwnerRole::kOwner;
  Bytes spki;  // SubjectPublicKeyInfo: P-256, Ed25519 or RSA from 2048 bits
  KC_FIELDS_3(name, role, spki)
};

// What an owner's key signs to show that its holder wants to be one (proof of possession).
struct OwnerEnrolment {
  std::string label;       // kOwnerEnrolment
  std::string enclave_id;  // 32 hexadecimal digits
  std::string token;       // its label
  Owner owner;
  KC_FIELDS_4(label, enclave_id, token, owner)
};
inline constexpr std::string_view kOwnerEnrolmentLabel = "keyclave/owner-enrolment/1";

struct NewOwner {
  Owner owner;
  Bytes proof;  // its key's signature over Encode(OwnerEnrolment)
  KC_FIELDS_2(owner, proof)
};

// What owners sign to have a request carried out: nothing of it can be taken for another request,
// another token, another enclave or another time.
struct Statement {
  std::string label;       // kStatementLabel
  std::string enclave_id;  // 32 hexadecimal digits
  TokenId token{};
  uint64_t sequence = 0;  // above that of every statement carried out before; 0 for OwnerLogin
  int64_t expires = 0;    // Unix seconds, exclusive; at most 90 days ahead
  uint64_t op = 0;        // of the request
  Bytes request;          // its encoding
  template <class V>
  void Visit(V&& v) {
    v(1, label);
    v(2, enclave_id);
    v(3, token);
    v(4, sequence);
    v(5, expires);
    v(6, op);
    v(7, request);
  }
};
inline constexpr std::string_view kStatementLabel = "keyclave/statement/1";

struct OwnerSignature {
  std::string owner;  // its name
  Bytes signature;    // over the statement's bytes: ECDSA (DER) or RSA-PSS with SHA-256, or Ed25519
  KC_FIELDS_2(owner, signature)
};

// A request under the authority of those who signed it. The reply is that of the request.
struct AdministerRequest {
  Bytes statement;  // Encode(Statement)
  std::vector<OwnerSignature> signatures;
  KC_FIELDS_2(statement, signatures)
};
struct AdministerReply {
  Bytes reply;  // the encoded reply of the statement's operation
  KC_FIELDS_1(reply)
};

// Makes the calling session that of an owner or auditor, for reading only: changes are signed each.
// Only ever the request of a statement, whose sequence is 0: the session's key makes it unique.
struct OwnerLoginRequest {
  TokenId token{};
  ByteArray<32> tls_key{};  // SHA-256 of the caller's SubjectPublicKeyInfo
  uint64_t session = 0;     // its number, from Hello
  KC_FIELDS_3(token, tls_key, session)
};
using OwnerLoginReply = Empty;

struct ListOwnersRequest {
  TokenId token{};
  KC_FIELDS_1(token)
};
struct ListOwnersReply {
  std::vector<Owner> owners;
  uint64_t sequence = 0;  // of the last statement carried out
  uint64_t quorum = 0;    // owners that must sign where no policy says how many
  std::string enclave_id;
  KC_FIELDS_4(owners, sequence, quorum, enclave_id)
};

// Enrols an owner, or gives one another key or role.
struct SetOwnerRequest {
  TokenId token{};
  NewOwner owner;
  KC_FIELDS_2(token, owner)
};
using SetOwnerReply = Empty;

struct RemoveOwnerRequest {
  TokenId token{};
  std::string name;
  KC_FIELDS_2(token, name)
};
using RemoveOwnerReply = Empty;

// ---- policies ----

struct ApplyPolicyRequest {
  TokenId token{};
  std::string text;
  bool make_default = false;
  KC_FIELDS_3(token, text, make_default)
};
struct PolicyInfo {
  std::string name;
  uint64_t version = 0;
  Bytes digest;  // SHA-256 of the text
  uint64_t objects = 0;
  bool is_default = false;
  std::optional<int64_t> applied;              // Unix seconds
  std::optional<std::vector<std::string>> by;  // the owners who signed it
  template <class V>
  void Visit(V&& v) {
    v(1, name);
    v(2, version);
    v(3, digest);
    v(4, objects);
    v(5, is_default);
    v(6, applied);
    v(7, by);
  }
};
struct ApplyPolicyReply {
  PolicyInfo policy;
  std::vector<std::string> warnings;
  KC_FIELDS_2(policy, warnings)
};

struct ListPoliciesRequest {
  TokenId token{};
  KC_FIELDS_1(token)
};
struct ListPoliciesReply {
  std::vector<PolicyInfo> policies;
  KC_FIELDS_1(policies)
};

struct ShowPolicyRequest {
  TokenId token{};
  std::string name;
  KC_FIELDS_2(token, name)
};
struct ShowPolicyReply {
  PolicyInfo policy;
  std::string text;
  KC_FIELDS_2(policy, text)
};

// Why a key refused: its most recent denial (of any caller), or what it would say to the asking
// session.
struct ExplainRequest {
  ObjectRef key;
  std::string operation;  // "sign", …
  bool self = false;      // appraise the asking session instead of the last denied one
  KC_FIELDS_3(key, operation, self)
};
struct ExplainReply {
  bool allowed = false;
  std::string policy;
  int64_t when = 0;  // of the denial, Unix seconds; 0 if none was seen since the daemon started
  std::string caller;
  std::vector<ClaimText> claims;
  std::vector<PermitText> permits;    // of the key's own policy, then of those that it inherits
  std::optional<std::string> reason;  // of the denial, as it was given then
  template <class V>
  void Visit(V&& v) {
    v(1, allowed);
    v(2, policy);
    v(3, when);
    v(4, caller);
    v(5, claims);
    v(6, permits);
    v(7, reason);
  }
};

struct ReadAuditRequest {
  uint64_t from = 0;   // first sequence number wanted
  uint64_t limit = 0;  // lines per page, at most 1000
  KC_FIELDS_2(from, limit)
};
struct ReadAuditReply {
  std::vector<std::string> lines;  // JSON, one record each
  bool more = false;
  KC_FIELDS_2(lines, more)
};

using AuditHeadRequest = Empty;
struct AuditHeadReply {
  std::string line;  // the newest checkpoint, made now if there was more to sign; JSON
  KC_FIELDS_1(line)
};

// ---- reference-value sets ----

struct ApplySetRequest {
  TokenId token{};
  std::string text;
  KC_FIELDS_2(token, text)
};
struct SetInfo {
  std::string name;
  uint64_t version = 0;
  Bytes digest;  // SHA-256 of the text
  uint64_t entries = 0;
  uint64_t current = 0;         // of them, those that count now
  int64_t applied = 0;          // Unix seconds
  std::vector<std::string> by;  // the owners who signed it
  template <class V>
  void Visit(V&& v) {
    v(1, name);
    v(2, version);
    v(3, digest);
    v(4, entries);
    v(5, current);
    v(6, applied);
    v(7, by);
  }
};
struct ApplySetReply {
  SetInfo set;
  KC_FIELDS_1(set)
};

struct ListSetsRequest {
  TokenId token{};
  KC_FIELDS_1(token)
};
struct ListSetsReply {
  std::vector<SetInfo> sets;
  KC_FIELDS_1(sets)
};

struct ShowSetRequest {
  TokenId token{};
  std::string name;
  KC_FIELDS_2(token, name)
};
struct ShowSetReply {
  SetInfo set;
  std::string text;
  KC_FIELDS_2(set, text)
};

// ---- history ----

enum class DocumentKind : uint8_t { kPolicy = 0, kSet, kLast = kSet };

// A version of a policy or set, with what brought it.
struct DocumentVersion {
  std::string name;
  uint64_t version = 0;
  std::string text;
  ByteArray<32> digest{};                      // SHA-256 of the text
  int64_t applied = 0;                         // Unix seconds
  std::optional<AdministerRequest> authority;  // absent where an operator or a caller applied it
  KC_FIELDS_6(name, version, text, digest, applied, authority)
};

struct ReadHistoryRequest {
  TokenId token{};
  DocumentKind kind = DocumentKind::kPolicy;
  std::string name;
  uint64_t before = 0;  // versions below this one; 0: from the newest
  KC_FIELDS_4(token, kind, name, before)
};
struct ReadHistoryReply {
  std::vector<DocumentVersion> versions;  // newest first, at most 4
  bool more = false;
  KC_FIELDS_2(versions, more)
};

// ---- approvals ----

// An owner's word that a caller may do one operation with one object, for a while. Only ever the
// request of a statement: whoever signed it approves.
struct ApproveRequest {
  TokenId token{};
  ObjectId object{};
  std::string operation;    // release, …
  std::string tee;          // of the caller
  std::string measurement;  // of the caller, hexadecimal
  int64_t expires = 0;      // Unix seconds, exclusive; at most 90 days ahead
  std::string reason;
  template <class V>
  void Visit(V&& v) {
    v(1, token);
    v(2, object);
    v(3, operation);
    v(4, tee);
    v(5, measurement);
    v(6, expires);
    v(7, reason);
  }
};
using ApproveReply = Empty;

struct ApprovalInfo {
  ApproveRequest approval;
  std::vector<std::string> by;
  int64_t at = 0;  // Unix seconds
  KC_FIELDS_3(approval, by, at)
};
struct ListApprovalsRequest {
  TokenId token{};
  KC_FIELDS_1(token)
};
struct ListApprovalsReply {
  std::vector<ApprovalInfo> approvals;
  KC_FIELDS_1(approvals)
};

// ---- revocations ----

// Callers whose claims satisfy `whom`, or an object, are refused from the next request on.
struct RevokeRequest {
  TokenId token{};
  std::optional<std::string> whom;  // an expression, as policies have it
  std::optional<ObjectId> object;
  std::string reason;
  KC_FIELDS_4(token, whom, object, reason)
};
struct RevokeReply {
  ByteArray<16> id{};
  KC_FIELDS_1(id)
};

struct RevocationInfo {
  ByteArray<16> id{};
  RevokeRequest revocation;
  std::vector<std::string> by;
  int64_t at = 0;  // Unix seconds
  KC_FIELDS_4(id, revocation, by, at)
};
struct ListRevocationsRequest {
  TokenId token{};
  KC_FIELDS_1(token)
};
struct ListRevocationsReply {
  std::vector<RevocationInfo> revocations;
  KC_FIELDS_1(revocations)
};

struct LiftRevocationRequest {
  TokenId token{};
  ByteArray<16> id{};
  KC_FIELDS_2(token, id)
};
using LiftRevocationReply = Empty;

}  // namespace keyclave::wire
