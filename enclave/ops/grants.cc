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
  return call.session.GrantFor(call.identity, **policy, rules->callers, call.now);
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

template <class Holds>
bool ObjectGrants::All(const Holds& holds) const {
  return holds(*own_) && std::all_of(inherited_.begin(), inherited_.end(),
                                     [&](const GrantPtr& grant) { return holds(*grant); });
}

ObjectGrants ObjectGrants::Of(Call& call, const keys::Object& object) {
  ObjectGrants grants;
  const keys::ObjectStore& store = call.service.store;
  grants.own_ = GrantFor(call, object.token, call.service.policies.OfObject(store, object));
  for (const std::string& inherited : object.inherited)
    grants.inherited_.push_back(GrantOf(call, object.token, inherited));
  if (!grants.All([](const authz::Grant& grant) { return !grant.HasBindings(); }))
    grants.maker_ = UseConditions(call, object, {}, object.policy).CheckBinding().ok();
  grants.revoked_ = call.service.rules.Of(store, object.token)->objects.contains(object.id);
  return grants;
}

Result<size_t> ObjectGrants::Check(Call& call, const keys::Object& object, const UseOf& use) const {
  if (revoked_) return Fail(Code::kRevoked, "the object");
  const auto check = [&](const authz::Grant& grant, std::string_view policy, bool counting) {
    UseConditions conditions(call, object, use, policy);
    if (!counting) conditions.CountNothing();
    return grant.Check(use.operation, use.family, call.now, conditions);
  };
  if (inherited_.empty()) return check(*own_, object.policy, /*counting=*/true);
  // Nothing is counted for what another policy refuses.
  std::optional<size_t> permit;
  for (const bool counting : {false, true}) {
    KC_ASSIGN(permit, check(*own_, object.policy, counting));
    for (size_t i = 0; i < inherited_.size(); ++i)
      KC_CHECK_OK(check(*inherited_[i], object.inherited[i], counting));
  }
  return *permit;
}

bool ObjectGrants::Permits(authz::Operation operation, UnixTime now) const {
  return !revoked_ &&
         All([&](const authz::Grant& grant) { return grant.Check(operation, {}, now).ok(); });
}

bool ObjectGrants::AllowsAnything(UnixTime now) const {
  return All([&](const authz::Grant& grant) { return grant.AllowsAnything(now, maker_); });
}

bool ObjectGrants::NeedsFreshEvidence(UnixTime now) const {
  return !revoked_ &&
         !All([&](const authz::Grant& grant) { return !ops::NeedsFreshEvidence(grant, now); });
}

}  // namespace keyclave::ops
