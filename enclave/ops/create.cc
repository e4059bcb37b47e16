// What every new object has to fulfil, whichever operation makes it.
#include "enclave/ops/create.h"

namespace keyclave::ops {
namespace {

// What is made from a key answers to that key's policy, whichever else it has.
bool HasParents(const keys::Object& object) { return object.attributes.Has(kCkaParents); }

// Never weaker than what it was made from.
void Inherit(std::span<const keys::Object* const> parents, keys::Object& child) {
  if (child.policy.empty()) child.policy = parents.front()->policy;
  std::set<std::string> policies;
  Bytes ids;
  for (const keys::Object* parent : parents) {
    policies.insert(parent->inherited.begin(), parent->inherited.end());
    policies.insert(parent->policy);
    ids.insert(ids.end(), parent->id.begin(), parent->id.end());
  }
  SetInherited(child, std::move(policies));
  child.attributes.Set(kCkaParents, ids);
}

// An extractable key is a promise that only a policy can keep. A session object that the caller
// made is its own; what came out of another key stays in, unless it becomes a token object with a
// policy.
Status CheckExtractable(const keys::Object& object, Source source, const PolicyByName& policies) {
  if (!object.attributes.IsTrue(CKA_EXTRACTABLE)) return Done{};
  if (object.session != 0) {
    if (source == Source::kMade) return Done{};
    return Fail(
        Code::kTemplateInconsistent,
        "CKA_EXTRACTABLE: a session object that was copied or unwrapped cannot leave; leave "
        "it out, or make a token object under a policy that permits release");
  }
  std::vector<std::string> names = object.inherited;
  names.push_back(object.policy);
  for (const std::string& name : names) {
    KC_ASSIGN(const auto policy, policies(name));
    const auto& permits = policy->permits();
    const bool releases = std::any_of(permits.begin(), permits.end(), [](const auto& permit) {
      return permit.operations.Has(authz::Operation::kRelease);
    });
    if (!releases) {
      return Fail(Code::kTemplateInconsistent,
                  "CKA_EXTRACTABLE: no permit of policy " + name + " has `release`");
    }
  }
  return Done{};
}

}  // namespace

void SetInherited(keys::Object& object, std::set<std::string> policies) {
  policies.erase(object.policy);
  object.inherited.assign(policies.begin(), policies.end());
  std::string names;
  for (const std::string& name : policies) names.append(names.empty() ? "" : ",").append(name);
  object.attributes.Remove(kCkaInheritedPolicies);
  if (!names.empty()) object.attributes.SetText(kCkaInheritedPolicies, names);
}

Status CheckNewObject(Call& call, const AuthorizedCreation& creation, const keys::Object& object,
                      Source source, const PolicyByName& policies) {
  const keys::Token& token = creation.token();
  const bool persistent = object.session == 0;
  if (persistent && !creation.may_persist())
    return Fail(Code::kDenied, "token objects need the policy's create or manage");
  KC_CHECK_OK(RequireLogin(call, token.id, object.IsPrivate()));
  // Whoever says the version says which key a label means to everybody.
  if (object.attributes.Has(kCkaVersion) && !(persistent && creation.any_policy()))
    return Fail(Code::kDenied, "versions of keys need manage, and are token objects");
  const bool usual = HasParents(object) || object.policy == token.default_policy;
  if (persistent && !usual && !creation.any_policy())
    return Fail(Code::kDenied, "another policy than the token's default needs manage");
  if (!policies(object.policy).ok()) return Fail(Code::kPolicyNotFound, object.policy);
  return CheckExtractable(object, source, policies);
}

Result<std::vector<keys::ObjectPtr>> InsertObjects(Call& call, const AuthorizedCreation& creation,
                                                   std::vector<keys::NewObject> objects,
                                                   std::span<const keys::Object* const> parents,
                                                   Source source) {
  const keys::Token& token = creation.token();
  const PolicyByName policies = [&](const std::string& name) {
    return call.service.policies.Named(call.service.store, token.id, name);
  };
  for (keys::NewObject& item : objects) {
    keys::Object& object = item.object;
    object.token = token.id;
    object.session = object.attributes.IsTrue(CKA_TOKEN) ? 0 : call.session.id();
    object.has_material = !item.material.empty();
    if (!parents.empty()) Inherit(parents, object);
    if (object.policy.empty()) object.policy = token.default_policy;
    KC_CHECK_OK(CheckNewObject(call, creation, object, source, policies));
  }
  KC_ASSIGN(auto inserted, call.service.store.Insert(std::move(objects)));
  for (const keys::ObjectPtr& object : inserted)
    call.audit_fields.push_back({"object", ToHex(object->id)});
  call.audit_fields.push_back({"policy", inserted.front()->policy});
  return inserted;
}

}  // namespace keyclave::ops
