#include "enclave/ops/documents.h"

#include "enclave/base/byte_reader.h"
#include "enclave/base/hash.h"
#include "enclave/ops/access.h"
#include "enclave/ops/approvals.h"

namespace keyclave::ops {
namespace {

constexpr size_t kMaxPolicyText = size_t{256} << 10;  // bytes

ByteArray<16> IdOf(ByteSpan bytes) {
  const ByteArray<32> digest = Sha256(bytes);
  ByteArray<16> id{};
  std::copy_n(digest.begin(), id.size(), id.begin());
  return id;
}

}  // namespace

keys::TokenRecord HistoryRecord(wire::DocumentKind kind, const keys::Document& former) {
  ByteWriter name;
  name.PutBe(static_cast<uint8_t>(kind));
  name.PutBe(former.version);
  name.PutPrefixed(AsBytes(former.name));
  return {keys::RecordType::kHistory, IdOf(name.bytes()),
          wire::Encode(StoredVersion{kind, former})};
}

keys::TokenRecord SetRecord(const keys::Document& set) {
  return {keys::RecordType::kSet, IdOf(AsBytes(set.name)), wire::Encode(set)};
}

keys::Document NewDocument(const Call& call, std::string name, uint64_t version, std::string text,
                           const ByteArray<32>& digest) {
  keys::Document document{.name = std::move(name),
                          .version = version,
                          .text = std::move(text),
                          .digest = digest,
                          .applied = call.now,
                          .authority = std::nullopt};
  if (call.authority) document.authority = call.authority->signed_request;
  return document;
}

Status CheckMayReplace(Call& call, const keys::Token& token, const std::string& name) {
  KC_ASSIGN(const auto policy, call.service.policies.Named(call.service.store, token.id, name));
  if (policy->locked()) return Fail(Code::kPolicyLocked, name);
  return RequireQuorum(call, token, policy->change());
}

Result<PreparedPolicy> PreparePolicy(Call& call, const keys::Token& token,
                                     const std::string& text) {
  if (text.size() > kMaxPolicyText) return Fail(Code::kTooLarge, "a policy has at most 256 KiB");
  KC_ASSIGN(authz::Policy policy, authz::Policy::Parse(text, "policy"));
  // A grant of `manage` is not enough where owners sign.
  KC_CHECK_OK(RequireQuorum(call, token, std::nullopt));
  KC_CHECK_OK(CheckPolicyOwners(token, policy));
  keys::NewPolicy put;
  const auto former = call.service.store.FindPolicy(token.id, policy.name());
  if (former.ok()) {
    KC_CHECK_OK(CheckMayReplace(call, token, policy.name()));
    put.records.push_back(HistoryRecord(wire::DocumentKind::kPolicy, *former));
  }
  put.former = former.ok() ? former->version : 0;
  put.document = NewDocument(call, policy.name(), policy.version(), text, policy.digest());
  return PreparedPolicy{std::move(policy), std::move(put)};
}

std::vector<std::string> SignersOf(const keys::Document& document) {
  return document.authority ? SignersOf(*document.authority) : std::vector<std::string>();
}

Result<keys::Document> FindSet(const keys::ObjectStore& store, const wire::TokenId& token,
                               const std::string& name) {
  for (const keys::TokenRecord& record : store.TokenRecords(token, keys::RecordType::kSet)) {
    KC_ASSIGN(auto document, wire::Decode<keys::Document>(record.body));
    if (document.name == name) return document;
  }
  return Fail(Code::kSetNotFound, name);
}

Status CheckQuorumOwners(const keys::Token& token, const std::optional<authz::Quorum>& quorum) {
  if (!quorum) return Done{};
  for (const std::string& name : quorum->of) {
    const wire::Owner* owner = token.FindOwner(name);
    if (owner == nullptr)
      return Fail(Code::kOwnerUnknown, name + " is no owner of token " + token.label);
    if (owner->role != wire::OwnerRole::kOwner)
      return Fail(Code::kOwnerUnknown, name + " is an auditor, who decides nothing");
  }
  return Done{};
}

Status CheckPolicyOwners(const keys::Token& token, const authz::Policy& policy) {
  KC_CHECK_OK(CheckQuorumOwners(token, policy.change()));
  for (const authz::Permit& permit : policy.permits())
    KC_CHECK_OK(CheckQuorumOwners(token, permit.approvals));
  return Done{};
}

Status CheckDocumentsOwners(Call& call, const keys::Token& token) {
  for (const keys::Document& document : call.service.store.Policies(token.id)) {
    KC_ASSIGN(const auto policy,
              call.service.policies.Named(call.service.store, token.id, document.name));
    const Status known = CheckPolicyOwners(token, *policy);
    if (!known.ok()) return known.error().In("policy " + document.name);
  }
  for (const auto& record : call.service.store.TokenRecords(token.id, keys::RecordType::kSet)) {
    KC_ASSIGN(const auto document, wire::Decode<keys::Document>(record.body));
    KC_ASSIGN(const auto set, authz::SetDocument::Parse(document.text, document.name));
    const Status known = CheckQuorumOwners(token, set.change());
    if (!known.ok()) return known.error().In("set " + document.name);
  }
  return Done{};
}

}  // namespace keyclave::ops
