// Objects: finding, reading, changing, copying, destroying, certifying.

#include "enclave/keys/attributes.h"
#include "enclave/mech/certify.h"
#include "enclave/ops/attest_key.h"
#include "enclave/ops/create.h"
#include "enclave/ops/handlers.h"

namespace keyclave::ops {
namespace {

constexpr size_t kMaxPage = 256;
// A page ends early when its attributes reach this, so that a reply stays far below the frame's
// limit.
constexpr size_t kMaxPageBytes = size_t{512} << 10;

size_t SizeOf(const wire::ObjectInfo& info) {
  size_t size = 64;
  for (const wire::Attribute& attribute : info.attributes.items)
    size += attribute.value.size() + 16;
  return size;
}

// Secret values join the attributes only for a key that is neither sensitive nor unextractable,
// under a grant of `read`.
Status AddSecretValues(Call& call, const keys::Object& object, wire::ObjectInfo& info) {
  const bool readable = object.has_material && !object.attributes.IsTrue(CKA_SENSITIVE) &&
                        object.attributes.IsTrue(CKA_EXTRACTABLE);
  if (!readable) return Done{};
  wire::ObjectRef ref;
  ref.id = object.id;
  if (!AuthorizeUse(call, ref, {.operation = authz::Operation::kRead}).ok()) return Done{};
  KC_ASSIGN(const auto key, call.service.store.OpenKey(object));
  KC_ASSIGN(const wire::AttributeList secrets, mech::SecretAttributes(*key));
  for (const wire::Attribute& attribute : secrets.items)
    info.attributes.Set(attribute.type, attribute.value);
  return Done{};
}

Result<PolicyCache::PolicyPtr> PolicyOf(Call& call, const keys::Object& object) {
  return call.service.policies.OfObject(call.service.store, object);
}

// A key moves to another policy only by the hand of those who may change the one it has: the other
// could be the weaker one.
Status CheckPolicyChange(Call& call, const keys::Object& object,
                         const wire::AttributeList& changes) {
  if (!changes.Has(kCkaPolicy) || changes.Text(kCkaPolicy) == object.policy) return Done{};
  KC_ASSIGN(const keys::Token token, call.service.store.FindToken(object.token));
  if (!Administers(call, token))
    return Fail(token.HasOwners() ? Code::kOwnersOnly : Code::kOperatorOnly,
                "moving a key to another policy");
  KC_ASSIGN(const PolicyCache::PolicyPtr policy, PolicyOf(call, object));
  if (policy->locked()) return Fail(Code::kPolicyLocked, object.policy);
  return RequireQuorum(call, token, policy->change());
}

}  // namespace

ReplyOf<Op::kFindObjects> FindObjects(Call& call, const wire::FindObjectsRequest& request,
                                      const VisibleToken& proof) {
  const bool all = request.all.value_or(false);
  if (all && !Inspects(call, proof.token()))
    return Fail(proof.token().HasOwners() ? Code::kOwnersOnly : Code::kOperatorOnly);
  bool needs_evidence = false;
  const auto visible = [&](const keys::Object& object) {
    return IsVisible(call, object, &needs_evidence) || (all && object.session == 0);
  };
  const size_t limit = std::clamp<size_t>(request.limit, 1, kMaxPage);
  // One more than asked tells whether there is another page.
  const auto found = call.service.store.Find(request.token, request.match, request.after, limit + 1,
                                             visible, request.versions.value_or(false));
  if (needs_evidence) return Fail(Code::kEvidenceExpired);
  wire::FindObjectsReply reply;
  size_t bytes = 0;
  for (const std::shared_ptr<keys::Object>& object : found) {
    if (reply.objects.size() == limit || bytes > kMaxPageBytes) {
      reply.more = true;
      break;
    }
    bytes += SizeOf(reply.objects.emplace_back(DescribeFor(call, std::move(*object))));
  }
  return reply;
}

ReplyOf<Op::kGetObject> GetObject(Call& call, const wire::GetObjectRequest& /*request*/,
                                  const AuthorizedObject& object) {
  wire::ObjectInfo info = DescribeFor(call, object.object());
  KC_CHECK_OK(AddSecretValues(call, object.object(), info));
  return wire::ObjectReply{std::move(info)};
}

ReplyOf<Op::kSetAttributes> SetAttributes(Call& call, const wire::SetAttributesRequest& request,
                                          const AuthorizedObject& object) {
  KC_CHECK_OK(CheckPolicyChange(call, object.object(), request.attributes));
  wire::AttributeList changes = request.attributes;
  const std::string policy = changes.Text(kCkaPolicy);
  changes.Remove(kCkaPolicy);
  const bool security_officer = IsSecurityOfficer(call, object.object().token);
  KC_ASSIGN(wire::AttributeList attributes, keys::ApplyChanges(object.object().attributes, changes,
                                                               /*copy=*/false, security_officer));
  if (!policy.empty()) attributes.SetText(kCkaPolicy, policy);
  KC_ASSIGN(const keys::ObjectPtr updated,
            call.service.store.Update(object.object().id, attributes, object.object().version));
  call.audit_fields = {{"object", ToHex(updated->id)}};
  return wire::ObjectReply{DescribeFor(call, *updated)};
}

ReplyOf<Op::kCopyObject> CopyObject(Call& call, const wire::CopyObjectRequest& request,
                                    const AuthorizedObject& source) {
  const keys::Object& original = source.object();
  KC_CHECK_OK(CheckPolicyChange(call, original, request.attributes));
  wire::AttributeList changes = request.attributes;
  changes.Remove(kCkaPolicy);
  keys::NewObject copy;
  const bool security_officer = IsSecurityOfficer(call, original.token);
  KC_ASSIGN(copy.object.attributes,
            keys::ApplyChanges(original.attributes, changes, /*copy=*/true, security_officer));
  // A session's copy is no version of its key: a label never means it. Staged or retired it stays.
  if (!copy.object.attributes.IsTrue(CKA_TOKEN)) copy.object.attributes.Remove(kCkaVersion);
  copy.object.policy =
      request.attributes.Has(kCkaPolicy) ? request.attributes.Text(kCkaPolicy) : original.policy;
  std::set<std::string> inherited(original.inherited.begin(), original.inherited.end());
  // Kept under another policy, a session's copy answers to this one, too (KeepObjects).
  const bool leaves_store = original.session == 0 && !copy.object.attributes.IsTrue(CKA_TOKEN);
  SetInherited(copy.object, inherited);
  if (leaves_store) {
    inherited.insert(original.policy);
    copy.object.inherited.assign(inherited.begin(), inherited.end());
  }
  if (original.has_material) {
    KC_ASSIGN(copy.material, call.service.store.ReadMaterial(original));
  }
  KC_ASSIGN(const AuthorizedCreation creation, AuthorizeCreation(call, original.token));
  std::vector<keys::NewObject> objects;
  objects.push_back(std::move(copy));
  // A session object that is extractable was the caller's own from the start.
  const Source kept = original.session != 0 ? Source::kMade : Source::kKept;
  KC_ASSIGN(const auto inserted, InsertObjects(call, creation, std::move(objects), {}, kept));
  return wire::ObjectReply{DescribeFor(call, *inserted.front())};
}

ReplyOf<Op::kDestroyObject> DestroyObject(Call& call, const wire::DestroyObjectRequest& /*request*/,
                                          const AuthorizedObject& object) {
  const wire::AttributeList& attributes = object.object().attributes;
  if (attributes.Has(CKA_DESTROYABLE) && !attributes.IsTrue(CKA_DESTROYABLE)) {
    return Fail(Code::kActionProhibited, "CKA_DESTROYABLE is false");
  }
  KC_ASSIGN(const keys::Token token, call.service.store.FindToken(object.object().token));
  if (object.object().session == 0 && Administers(call, token)) {
    KC_ASSIGN(const PolicyCache::PolicyPtr policy, PolicyOf(call, object.object()));
    KC_CHECK_OK(RequireQuorum(call, token, policy->change()));
  }
  KC_CHECK_OK(call.service.store.Remove(object.object().id));
  call.audit_fields = {{"object", ToHex(object.object().id)}, {"policy", object.object().policy}};
  return wire::Empty{};
}

ReplyOf<Op::kCertify> Certify(Call& call, const wire::CertifyRequest& request,
                              const AuthorizedObject& key) {
  if (key.object().Class() != CKO_PRIVATE_KEY)
    return Fail(Code::kKeyTypeInconsistent, "only a private key");
  KC_ASSIGN(const auto handle, call.service.store.OpenKey(key.object()));
  Bytes attestation;
  if (request.attest) {
    KC_ASSIGN(const wire::KeyAttestation made, AttestKeyOf(call, key.object(), *request.attest));
    attestation = wire::Encode(made);
  }
  KC_ASSIGN(Bytes der, mech::Certify(*handle, request, call.now, attestation));
  call.audit_fields = {{"object", ToHex(key.object().id)}, {"subject", request.subject}};
  return wire::CertifyReply{std::move(der)};
}

}  // namespace keyclave::ops
