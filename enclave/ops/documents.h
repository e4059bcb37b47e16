// Policies and sets as documents: what brought them, what they were before, and whose word they ask
// for.
#pragma once

#include "enclave/authz/set_document.h"
#include "enclave/ops/service.h"

namespace keyclave::ops {

// A former version, as it is kept (docs/storage.md).
struct StoredVersion {
  wire::DocumentKind kind = wire::DocumentKind::kPolicy;
  keys::Document document;
  template <class V>
  void Visit(V&& v) {
    v(1, kind);
    v(2, document);
  }
};
keys::TokenRecord HistoryRecord(wire::DocumentKind kind, const keys::Document& former);

// The text as it comes in force now, under the authority of the call.
keys::Document NewDocument(const Call& call, std::string name, uint64_t version, std::string text,
                           const ByteArray<32>& digest);
// A policy that the caller may put in force: read, and with what it replaces.
struct PreparedPolicy {
  authz::Policy policy;
  keys::NewPolicy put;
};
// For a caller who administers the token, or has a grant of `manage`. Where there are owners enough
// of them have to have signed. kTooLarge, kPolicySyntax and its like, kOwnersOnly, kOwnerUnknown,
// kPolicyLocked, kQuorum.
Result<PreparedPolicy> PreparePolicy(Call& call, const keys::Token& token, const std::string& text);
// Whether the call may put another policy into the place of this one.
Status CheckMayReplace(Call& call, const keys::Token& token, const std::string& name);
// The owners who signed it; nobody where an operator or a caller applied it.
std::vector<std::string> SignersOf(const keys::Document& document);

// A set by name, as it is kept. kSetNotFound.
Result<keys::Document> FindSet(const keys::ObjectStore& store, const wire::TokenId& token,
                               const std::string& name);
keys::TokenRecord SetRecord(const keys::Document& set);

// Whether everybody that a quorum names is an owner of the token. kOwnerUnknown.
Status CheckQuorumOwners(const keys::Token& token, const std::optional<authz::Quorum>& quorum);
Status CheckPolicyOwners(const keys::Token& token, const authz::Policy& policy);
// The same for all policies and sets that are in force in the token.
Status CheckDocumentsOwners(Call& call, const keys::Token& token);

}  // namespace keyclave::ops
