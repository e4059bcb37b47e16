// Who may do what with a token.

#include "attest/appraise.h"
#include "enclave/authz/set_document.h"
#include "enclave/ops/grants.h"

namespace keyclave::ops {
namespace {

// What a refused caller is told: that evidence is missing if it is, else no more than the denial.
Error Refusal(Call& call, const Error& denial) {
  if (denial.code() == Code::kDenied && !call.identity->attested) return Fail(Code::kNotAttested);
  return denial;
}

// A caller's own right to administer or create, by the token's default policy. What only a request
// about an object can tell (bindings, approvals, limits) is not asked of a token: such a permit
// gives nothing here.
class OfToken final : public authz::Conditions {
 public:
  Status CheckBinding() override { return Done{}; }
  Status CheckInput(const authz::InputRule& /*rule*/) override { return Done{}; }
  Status CheckWrap(const authz::WrapForms& /*forms*/) override { return Done{}; }
  Status CheckIssue(const authz::IssueRule& /*rule*/) override { return Done{}; }
  Status CheckApprovals(const authz::Quorum& /*quorum*/) override {
    return Fail(Code::kApprovalMissing);
  }
  Status TakeLimit(size_t /*permit*/, const authz::LimitRule& /*limit*/) override {
    return Fail(Code::kLimitReached);
  }
};

Status CheckDefaultGrant(Call& call, const keys::Token& token, authz::Operation operation) {
  OfToken conditions;
  const auto permit =
      GrantOf(call, token.id, token.default_policy)->Check(operation, {}, call.now, conditions);
  if (permit.ok()) return Done{};
  return permit.error();
}

uint64_t HighestQuorum(Call& call, const keys::Token& token) {
  uint64_t highest = token.quorum.value_or(1);
  const auto take = [&](const std::optional<authz::Quorum>& quorum) {
    if (quorum) highest = std::max(highest, quorum->quorum);
  };
  for (const keys::Document& document : call.service.store.Policies(token.id)) {
    const auto policy = call.service.policies.Named(call.service.store, token.id, document.name);
    if (!policy.ok()) continue;
    take((*policy)->change());
    for (const authz::Permit& permit : (*policy)->permits()) take(permit.approvals);
  }
  for (const auto& record : call.service.store.TokenRecords(token.id, keys::RecordType::kSet)) {
    const auto document = wire::Decode<keys::Document>(record.body);
    if (!document.ok()) continue;
    const auto set = authz::SetDocument::Parse(document->text, document->name);
    if (set.ok()) take(set->change());
  }
  return highest;
}

}  // namespace

bool Administers(const Call& call, const keys::Token& token) {
  if (!token.HasOwners()) return call.is_operator;
  return call.authority && call.authority->token == token.id && !call.authority->owners.empty();
}

bool Inspects(const Call& call, const keys::Token& token) {
  return Administers(call, token) || call.session.RoleIn(token.id) == wire::OwnerRole::kOwner;
}

Status RequireOperator(Call& call) {
  if (call.is_operator) return Done{};
  return Fail(Code::kOperatorOnly);
}

Status RequireMarkKeeper(Call& call) {
  const auto& keep = call.service.config.keep_marks;
  if (!keep.has_value())
    return Fail(Code::kWrongState,
                "this enclave is nobody's witness (keep_marks in keyclaved.yaml)");
  const auto& identity = call.identity;
  if (!identity->attested) return Fail(Code::kNotAttested);
  const auto failed = attest::FailedAppraisal(identity->claims, keep->of, call.now);
  if (!failed.has_value()) return Done{};
  return FailWanted(Code::kDenied, "keep_marks: " + failed->term, failed->wanted, failed->got);
}

Status RequireQuorum(const Call& call, const keys::Token& token,
                     const std::optional<authz::Quorum>& change) {
  if (!token.HasOwners()) return Done{};
  if (!Administers(call, token)) return Fail(Code::kOwnersOnly);
  if (!change || change->Reached(call.authority->owners)) return Done{};
  return Fail(Code::kQuorum, std::to_string(change->Count(call.authority->owners)) +
                                 " signed of change " + change->Print());
}

Status RequireHighestQuorum(Call& call, const keys::Token& token) {
  if (!token.HasOwners()) return Done{};
  if (!Administers(call, token)) return Fail(Code::kOwnersOnly);
  const uint64_t needed = HighestQuorum(call, token);
  if (call.authority->owners.size() >= needed) return Done{};
  return Fail(Code::kQuorum, std::to_string(call.authority->owners.size()) + " signed, " +
                                 std::to_string(needed) + " have to");
}

Result<VisibleToken> AuthorizeTokenSight(Call& call, const wire::TokenId& id) {
  auto token = call.service.store.FindToken(id);
  if (call.is_operator && !token.ok()) return std::move(token).error();
  if (!token.ok()) return Refusal(call, Fail(Code::kDenied));
  if (call.is_operator || Inspects(call, *token) || call.session.RoleIn(id).has_value())
    return VisibleToken(*std::move(token));
  bool expired = false;
  for (const keys::Document& text : call.service.store.Policies(id)) {
    const auto grant = GrantOf(call, id, text.name);
    if (grant->AllowsAnything(call.now)) return VisibleToken(*std::move(token));
    expired = expired || NeedsFreshEvidence(*grant, call.now);
  }
  return expired ? Fail(Code::kEvidenceExpired) : Refusal(call, Fail(Code::kDenied));
}

Result<AuthorizedToken> AuthorizeOwners(Call& call, const wire::TokenId& id) {
  auto token = call.service.store.FindToken(id);
  if (!token.ok()) {
    return call.is_operator ? std::move(token).error() : Fail(Code::kDenied);
  }
  if (Administers(call, *token)) return AuthorizedToken(*std::move(token));
  if (!token->HasOwners()) return Fail(Code::kOperatorOnly);
  return Fail(Code::kOwnersOnly);
}

Result<AuthorizedToken> AuthorizeToken(Call& call, const wire::TokenId& id) {
  auto token = call.service.store.FindToken(id);
  if (!token.ok()) {
    return call.is_operator ? std::move(token).error() : Fail(Code::kDenied);
  }
  if (Administers(call, *token)) return AuthorizedToken(*std::move(token));
  const Status verdict = CheckDefaultGrant(call, *token, authz::Operation::kManage);
  if (verdict.ok()) return AuthorizedToken(*std::move(token));
  if ((call.is_operator || call.authority) && token->HasOwners()) return Fail(Code::kOwnersOnly);
  return Refusal(call, verdict.error());
}

Result<InspectedToken> AuthorizeInspection(Call& call, const wire::TokenId& id) {
  auto token = call.service.store.FindToken(id);
  if (token.ok() && Inspects(call, *token)) return InspectedToken(*std::move(token));
  KC_ASSIGN(const AuthorizedToken managed, AuthorizeToken(call, id));
  return InspectedToken(managed.token());
}

Result<AuthorizedCreation> AuthorizeCreation(Call& call, const wire::TokenId& id) {
  if (const auto managed = AuthorizeToken(call, id); managed.ok()) {
    return AuthorizedCreation(managed->token(), /*may_persist=*/true, /*any_policy=*/true);
  }
  auto token = call.service.store.FindToken(id);
  if (!token.ok()) return Fail(Code::kDenied);
  const Status create = CheckDefaultGrant(call, *token, authz::Operation::kCreate);
  if (create.ok())
    return AuthorizedCreation(*std::move(token), /*may_persist=*/true, /*any_policy=*/false);
  if (GrantOf(call, id, token->default_policy)->AllowsAnything(call.now))
    return AuthorizedCreation(*std::move(token), /*may_persist=*/false, /*any_policy=*/true);
  if ((call.is_operator || call.authority) && token->HasOwners()) return Fail(Code::kOwnersOnly);
  return Refusal(call, create.error());
}

}  // namespace keyclave::ops
