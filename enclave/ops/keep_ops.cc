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

// One record for all of them: lists, since no field of a record is there twice.
void Record(Call& call, const keys::Token& token, const std::vector<PreparedPolicy>& policies,
            const std::vector<keys::ObjectPtr>& objects) {
  const auto add = [](std::string& list, const std::string& item) {
    list.append(list.empty() ? "" : ", ").append(item);
  };
  std::string put;
  for (const PreparedPolicy& one : policies)
    add(put, one.policy.name() + " " + std::to_string(one.policy.version()) + " " +
                 ToHex(one.policy.digest()));
  std::string kept;
  for (const keys::ObjectPtr& object : objects) add(kept, ToHex(object->id) + " " + object->policy);
  call.audit_fields = {{"token", token.Serial()}, {"policies", put}, {"objects", kept}};
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
  for (const PreparedPolicy& one : prepared) {
    for (const std::string& warning : one.policy.Warnings())
      reply.warnings.push_back(one.policy.name() + ": " + warning);
  }
  for (const keys::ObjectPtr& object : kept) reply.objects.push_back(Describe(call, *object));
  Record(call, creation.token(), prepared, kept);
  return reply;
}

}  // namespace keyclave::ops
