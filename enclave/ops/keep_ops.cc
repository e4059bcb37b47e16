// What a caller made for its session, and keeps: token objects, and the policies that they are
// under, in one commit.
#include "enclave/ops/create.h"
#include "enclave/ops/documents.h"
#include "enclave/ops/handlers.h"

namespace keyclave::ops {
namespace {

// So that what the audit log says of it fits into one record.
constexpr size_t kMaxPolicies = 64;
constexpr size_t kMaxObjects = 256;

Status CheckRequest(const wire::KeepObjectsRequest& request) {
  if (request.objects.empty() && request.policies.empty())
    return Fail(Code::kInvalidArgument, "nothing to keep");
  if (request.objects.size() > kMaxObjects || request.policies.size() > kMaxPolicies)
    return Fail(Code::kTooLarge, "at most 256 objects and 64 policies at once");
  std::set<wire::ObjectId> ids;
  for (const wire::KeptObject& kept : request.objects) {
    if (!ids.insert(kept.object).second)
      return Fail(Code::kInvalidArgument, ToHex(kept.object) + " is there twice");
  }
  return Done{};
}

// A grant of `create` is enough for objects, and says nothing about policies.
Result<std::vector<PreparedPolicy>> PreparePolicies(Call& call,
                                                    const wire::KeepObjectsRequest& request) {
  std::vector<PreparedPolicy> policies;
  if (request.policies.empty()) return policies;
  KC_ASSIGN(const AuthorizedToken managed, AuthorizeToken(call, request.token));
  std::set<std::string> names;
  for (const std::string& text : request.policies) {
    KC_ASSIGN(PreparedPolicy prepared, PreparePolicy(call, managed.token(), text));
    if (!names.insert(prepared.policy.name()).second)
      return Fail(Code::kInvalidArgument, "policy " + prepared.policy.name() + " is there twice");
    policies.push_back(std::move(prepared));
  }
  return policies;
}

// The session object as it will stand in the token.
Result<keys::Object> Wanted(Call& call, const AuthorizedCreation& creation,
                            const wire::KeptObject& kept, const PolicyByName& policies) {
  const auto present = call.service.store.Get(kept.object);
  const bool own = present.ok() && (*present)->session != 0 &&
                   (*present)->session == call.session.id() &&
                   (*present)->token == creation.token().id;
  if (!own)
    return Fail(Code::kObjectNotFound, ToHex(kept.object) + " is no object of this session");
  keys::Object object = **present;
  std::set<std::string> inherited(object.inherited.begin(), object.inherited.end());
  // What was made from a key answers to the key's policy, under whichever it is kept.
  if (object.attributes.Has(kCkaParents)) inherited.insert(object.policy);
  object.session = 0;
  object.policy = kept.policy.empty() ? creation.token().default_policy : kept.policy;
  SetInherited(object, std::move(inherited));
  KC_CHECK_OK(CheckNewObject(call, creation, object, Source::kMade, policies));
  return object;
}

// Without what a data object holds: the caller has put it there, and several are too much for one
// reply.
wire::ObjectInfo Describe(Call& call, const keys::Object& object) {
  wire::ObjectInfo info = DescribeFor(call, object);
  if (object.Class() == CKO_DATA) info.attributes.Remove(CKA_VALUE);
  return info;
}

}  // namespace

ReplyOf<Op::kKeepObjects> KeepObjects(Call& call, const wire::KeepObjectsRequest& request,
                                      const AuthorizedCreation& creation) {
  KC_CHECK_OK(CheckRequest(request));
  KC_ASSIGN(std::vector<PreparedPolicy> prepared, PreparePolicies(call, request));
  std::map<std::string, PolicyCache::PolicyPtr> fresh;
  for (const PreparedPolicy& one : prepared)
    fresh[one.policy.name()] = std::make_shared<const authz::Policy>(one.policy);
  const wire::TokenId& token = creation.token().id;
  const PolicyByName policies = [&](const std::string& name) -> Result<PolicyCache::PolicyPtr> {
    const auto found = fresh.find(name);
    if (found != fresh.end()) return found->second;
    return call.service.policies.Named(call.service.store, token, name);
  };
  std::vector<keys::Object> objects;
  for (const wire::KeptObject& kept : request.objects) {
    KC_ASSIGN(keys::Object object, Wanted(call, creation, kept, policies));
    objects.push_back(std::move(object));
  }
  std::vector<keys::NewPolicy> put;
  for (PreparedPolicy& one : prepared) put.push_back(std::move(one.put));
  KC_ASSIGN(const auto kept, call.service.store.Keep(token, std::move(put), std::move(objects)));
  wire::KeepObjectsReply reply;
  call.audit_fields = {{"token", creation.token().Serial()}};
  for (const PreparedPolicy& one : prepared) {
    AddPolicyFields(one.policy, call.audit_fields);
    for (const std::string& warning : one.policy.Warnings())
      reply.warnings.push_back(one.policy.name() + ": " + warning);
  }
  for (const keys::ObjectPtr& object : kept) {
    call.audit_fields.push_back({"object", ToHex(object->id)});
    call.audit_fields.push_back({"policy", object->policy});
    reply.objects.push_back(Describe(call, *object));
  }
  return reply;
}

}  // namespace keyclave::ops
