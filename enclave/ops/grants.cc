#include "enclave/ops/grants.h"

#include "enclave/ops/conditions.h"

namespace keyclave::ops {
namespace {

using GrantPtr = std::shared_ptr<const authz::Grant>;

GrantPtr NoGrant() {
  static const auto* const kNone = new GrantPtr(std::make_shared<const authz::Grant>());
  return *kNone;
}

GrantPtr GrantFor(Call& call, const wire::TokenId& token,
                  const Result<PolicyCache::PolicyPtr>& policy) {
  if (!policy.ok()) return NoGrant();
  const auto rules = call.service.rules.Of(call.service.store, token);
  return call.session.GrantFor(**policy, rules->callers, call.now);
}

}  // namespace

GrantPtr GrantOf(Call& call, const wire::TokenId& token, const std::string& policy) {
  return GrantFor(call, token, call.service.policies.Named(call.service.store, token, policy));
}

bool NeedsFreshEvidence(const authz::Grant& grant, UnixTime now) {
  for (size_t i = 0; i < authz::kOperationCount; ++i) {
    const Status verdict = grant.Check(static_cast<authz::Operation>(i), {}, now);
    if (!verdict.ok() && verdict.code() == Code::kEvidenceExpired) return true;
  }
  return false;
}

ObjectGrants ObjectGrants::Of(Call& call, const keys::Object& object) {
  ObjectGrants grants;
  grants.grants_.push_back(
      {object.policy,
       GrantFor(call, object.token, call.service.policies.OfObject(call.service.store, object))});
  for (const std::string& inherited : object.inherited)
    grants.grants_.push_back({inherited, GrantOf(call, object.token, inherited)});
  grants.revoked_ =
      call.service.rules.Of(call.service.store, object.token)->objects.contains(object.id);
  return grants;
}

Result<size_t> ObjectGrants::Check(Call& call, const keys::Object& object, const UseOf& use) const {
  if (revoked_) return Fail(Code::kRevoked, "the object");
  std::optional<size_t> permit;
  for (const One& one : grants_) {
    UseConditions conditions(call, object, use, one.policy, call.session.identity());
    KC_ASSIGN(const size_t number,
              one.grant->Check(use.operation, use.family, call.now, conditions));
    if (!permit) permit = number;
  }
  return *permit;
}

bool ObjectGrants::Permits(authz::Operation operation, UnixTime now) const {
  return !revoked_ && std::all_of(grants_.begin(), grants_.end(), [&](const One& one) {
    return one.grant->Check(operation, {}, now).ok();
  });
}

bool ObjectGrants::AllowsAnything(UnixTime now) const {
  return std::all_of(grants_.begin(), grants_.end(),
                     [&](const One& one) { return one.grant->AllowsAnything(now); });
}

bool ObjectGrants::NeedsFreshEvidence(UnixTime now) const {
  return !revoked_ && std::any_of(grants_.begin(), grants_.end(), [&](const One& one) {
    return ops::NeedsFreshEvidence(*one.grant, now);
  });
}

}  // namespace keyclave::ops
