// Operations that make objects: create, generate, import, unwrap, derive.

#include "enclave/base/hash.h"
#include "enclave/keys/attributes.h"
#include "enclave/mech/certify.h"
#include "enclave/ops/create.h"
#include "enclave/ops/handlers.h"

namespace keyclave::ops {
namespace {

using keys::Origin;
using wire::AttributeList;

// A template with the class that the operation implies; kTemplateInconsistent if it names another.
Result<AttributeList> WithClass(AttributeList attributes, uint64_t object_class) {
  if (const auto named = attributes.Ulong(CKA_CLASS); named && *named != object_class) {
    return Fail(Code::kTemplateInconsistent, "CKA_CLASS");
  }
  attributes.SetUlong(CKA_CLASS, object_class);
  return attributes;
}

// An object from a template and what the key material gave.
Result<keys::NewObject> Assemble(const Call& call, const wire::TokenId& token,
                                 AttributeList requested, const AttributeList& made,
                                 SecretBytes material, Origin origin, uint64_t mechanism) {
  if (const auto twice = requested.Duplicate()) {
    return Fail(Code::kTemplateInconsistent, keys::AttributeName(*twice) + " is there twice");
  }
  keys::NewObject object;
  object.object.policy = requested.Text(kCkaPolicy);
  for (const uint64_t own : {kCkaPolicy, kCkaPolicyDigest, kCkaCreatorMeasurement, kCkaCreatorTee,
                             kCkaCreated, kCkaInheritedPolicies, kCkaParents})
    requested.Remove(own);
  KC_ASSIGN(object.object.attributes, keys::CompleteTemplate(requested, made, origin, mechanism,
                                                             IsSecurityOfficer(call, token)));
  const auto identity = call.session.identity();
  for (const auto& [claim_name, attribute] :
       {std::pair("measurement", kCkaCreatorMeasurement), std::pair("tee", kCkaCreatorTee)}) {
    const attest::Claim* claim = identity->claims.Find(claim_name);
    if (claim != nullptr && claim->origin == attest::Origin::kAttested)
      object.object.attributes.SetText(attribute, attest::ToText(claim->value));
  }
  object.object.attributes.SetUlong(kCkaCreated, static_cast<uint64_t>(call.now));
  object.material = std::move(material);
  return object;
}

// Both halves of a pair from its material. A pair whose template names no CKA_ID gets one made of
// its public key, so that its halves and a certificate can be found by each other.
Result<wire::KeyPairReply> InsertPair(Call& call, const AuthorizedCreation& creation,
                                      AttributeList public_template, AttributeList private_template,
                                      mech::NewKey made, Origin origin, uint64_t mechanism) {
  const Bytes* spki = made.attributes.Find(CKA_PUBLIC_KEY_INFO);
  if (!public_template.Has(CKA_ID) && !private_template.Has(CKA_ID) && spki != nullptr) {
    KC_ASSIGN(const Bytes id, Hash(HashAlgorithm::kSha1, *spki));
    public_template.Set(CKA_ID, id);
    private_template.Set(CKA_ID, id);
  }
  KC_ASSIGN(public_template, WithClass(std::move(public_template), CKO_PUBLIC_KEY));
  KC_ASSIGN(private_template, WithClass(std::move(private_template), CKO_PRIVATE_KEY));
  if (public_template.Text(kCkaPolicy).empty() && private_template.Has(kCkaPolicy)) {
    public_template.SetText(kCkaPolicy, private_template.Text(kCkaPolicy));
  }
  std::vector<keys::NewObject> objects;
  KC_ASSIGN(keys::NewObject public_key,
            Assemble(call, creation.token().id, std::move(public_template), made.attributes, {},
                     origin, mechanism));
  KC_ASSIGN(keys::NewObject private_key,
            Assemble(call, creation.token().id, std::move(private_template), made.attributes,
                     std::move(made.material), origin, mechanism));
  objects.push_back(std::move(public_key));
  objects.push_back(std::move(private_key));
  KC_ASSIGN(const auto inserted, InsertObjects(call, creation, std::move(objects)));
  return wire::KeyPairReply{DescribeFor(call, *inserted[0]), DescribeFor(call, *inserted[1])};
}

Result<wire::ObjectReply> InsertOne(Call& call, const AuthorizedCreation& creation,
                                    AttributeList requested, mech::NewKey made, Origin origin,
                                    uint64_t mechanism, const keys::Object* parent = nullptr) {
  const Source source = origin == Origin::kUnwrapped ? Source::kKept : Source::kMade;
  KC_ASSIGN(keys::NewObject object,
            Assemble(call, creation.token().id, std::move(requested), made.attributes,
                     std::move(made.material), origin, mechanism));
  std::vector<keys::NewObject> objects;
  objects.push_back(std::move(object));
  KC_ASSIGN(const auto inserted, InsertObjects(call, creation, std::move(objects), parent, source));
  return wire::ObjectReply{DescribeFor(call, *inserted.front())};
}

Result<mech::MechEntry> GeneratingMechanism(const wire::Mechanism& mechanism, uint64_t flag) {
  KC_ASSIGN(const mech::MechEntry entry, mech::FindMechanism(mechanism.type));
  if ((entry.row->flags & flag) == 0)
    return Fail(Code::kMechanismInvalid, "the mechanism does not make such keys");
  return entry;
}

// The key that a private or secret key's encoding holds, as the template's class and type say.
Result<mech::NewKey> FromEncoding(const AttributeList& requested, ByteSpan encoded) {
  const auto object_class = requested.Ulong(CKA_CLASS);
  if (!object_class) return Fail(Code::kTemplateIncomplete, "CKA_CLASS");
  if (*object_class == CKO_PRIVATE_KEY) {
    auto key = mech::MaterialFromPkcs8(encoded);
    if (!key.ok()) return Fail(Code::kWrappedKeyInvalid, key.error().detail());
    return key;
  }
  if (*object_class != CKO_SECRET_KEY)
    return Fail(Code::kTemplateInconsistent, "CKA_CLASS is no key to unwrap");
  AttributeList with_value = requested;
  if (with_value.Has(CKA_VALUE))
    return Fail(Code::kTemplateInconsistent, "CKA_VALUE comes from the wrapped key");
  size_t size = encoded.size();
  if (const auto wanted = requested.Ulong(CKA_VALUE_LEN)) {
    if (*wanted > size)
      return Fail(Code::kTemplateInconsistent, "CKA_VALUE_LEN is above the wrapped key's length");
    size = *wanted;
  }
  with_value.Set(CKA_VALUE, encoded.first(size));
  return mech::MaterialFromTemplate(with_value);
}

// Never weaker than what it was made from.
void Inherit(const keys::Object& parent, keys::Object& child) {
  if (child.policy.empty()) child.policy = parent.policy;
  std::set<std::string> policies(parent.inherited.begin(), parent.inherited.end());
  policies.insert(parent.policy);
  policies.erase(child.policy);
  child.inherited.assign(policies.begin(), policies.end());
  std::string names;
  for (const std::string& name : policies) names.append(names.empty() ? "" : ",").append(name);
  if (!names.empty()) child.attributes.SetText(kCkaInheritedPolicies, names);
  child.attributes.Set(kCkaParents, parent.id);
}

// An extractable key is a promise that only a policy can keep. A session object that the caller
// made is its own; what came out of another key stays in, unless it becomes a token object with a
// policy.
Status CheckExtractable(Call& call, const keys::Object& object, Source source) {
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
    KC_ASSIGN(const auto policy,
              call.service.policies.Named(call.service.store, object.token, name));
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

Result<std::vector<keys::ObjectPtr>> InsertObjects(Call& call, const AuthorizedCreation& creation,
                                                   std::vector<keys::NewObject> objects,
                                                   const keys::Object* parent, Source source) {
  const keys::Token& token = creation.token();
  for (keys::NewObject& item : objects) {
    keys::Object& object = item.object;
    const bool persistent = object.attributes.IsTrue(CKA_TOKEN);
    if (persistent && !creation.may_persist())
      return Fail(Code::kDenied, "token objects need the policy's create or manage");
    KC_CHECK_OK(RequireLogin(call, token.id, object.IsPrivate()));
    object.token = token.id;
    object.session = persistent ? 0 : call.session.id();
    object.has_material = !item.material.empty();
    if (parent != nullptr) Inherit(*parent, object);
    if (object.policy.empty()) object.policy = token.default_policy;
    // What is made from a key answers to that key's policy whichever else it has.
    const bool usual = parent != nullptr || object.policy == token.default_policy;
    if (persistent && !usual && !creation.any_policy())
      return Fail(Code::kDenied, "another policy than the token's default needs manage");
    KC_CHECK_OK(call.service.policies.Named(call.service.store, token.id, object.policy).ok()
                    ? Status()
                    : Status(Fail(Code::kPolicyNotFound, object.policy)));
    KC_CHECK_OK(CheckExtractable(call, object, source));
  }
  KC_ASSIGN(auto inserted, call.service.store.Insert(std::move(objects)));
  for (const keys::ObjectPtr& object : inserted)
    call.audit_fields.push_back({"object", ToHex(object->id)});
  call.audit_fields.push_back({"policy", inserted.front()->policy});
  return inserted;
}

ReplyOf<Op::kCreateObject> CreateObject(Call& call, const wire::CreateObjectRequest& request,
                                        const AuthorizedCreation& creation) {
  const auto object_class = request.attributes.Ulong(CKA_CLASS);
  if (!object_class) return Fail(Code::kTemplateIncomplete, "CKA_CLASS");
  const bool is_key = *object_class == CKO_PRIVATE_KEY || *object_class == CKO_PUBLIC_KEY ||
                      *object_class == CKO_SECRET_KEY;
  mech::NewKey made;
  if (is_key) {
    KC_ASSIGN(made, mech::MaterialFromTemplate(request.attributes));
  }
  return InsertOne(call, creation, request.attributes, std::move(made), Origin::kCreated,
                   CK_UNAVAILABLE_INFORMATION);
}

ReplyOf<Op::kGenerateKey> GenerateKey(Call& call, const wire::GenerateKeyRequest& request,
                                      const AuthorizedCreation& creation) {
  KC_ASSIGN(const mech::MechEntry entry, GeneratingMechanism(request.mechanism, CKF_GENERATE));
  KC_ASSIGN(AttributeList requested, WithClass(request.attributes, CKO_SECRET_KEY));
  KC_ASSIGN(mech::NewKey made, entry.family->generate(request.mechanism, requested));
  return InsertOne(call, creation, std::move(requested), std::move(made), Origin::kGenerated,
                   request.mechanism.type);
}

ReplyOf<Op::kGenerateKeyPair> GenerateKeyPair(Call& call,
                                              const wire::GenerateKeyPairRequest& request,
                                              const AuthorizedCreation& creation) {
  KC_ASSIGN(const mech::MechEntry entry,
            GeneratingMechanism(request.mechanism, CKF_GENERATE_KEY_PAIR));
  KC_ASSIGN(mech::NewKey made,
            entry.family->generate(request.mechanism, request.public_attributes));
  return InsertPair(call, creation, request.public_attributes, request.private_attributes,
                    std::move(made), Origin::kGenerated, request.mechanism.type);
}

ReplyOf<Op::kImportKey> ImportKey(Call& call, const wire::ImportKeyRequest& request,
                                  const AuthorizedCreation& creation) {
  KC_ASSIGN(mech::NewKey made, mech::MaterialFromPkcs8(request.pkcs8.Expose(SecretAccess())));
  return InsertPair(call, creation, request.public_attributes, request.private_attributes,
                    std::move(made), Origin::kCreated, CK_UNAVAILABLE_INFORMATION);
}

ReplyOf<Op::kUnwrapKey> UnwrapKey(Call& call, const wire::UnwrapKeyRequest& request,
                                  const AuthorizedObject& key) {
  KC_ASSIGN(const AuthorizedCreation creation, AuthorizeCreation(call, key.object().token));
  KC_ASSIGN(const mech::MechEntry entry,
            CheckKeyUse(call, key.object(), request.mechanism, CKF_UNWRAP, CKA_UNWRAP));
  KC_ASSIGN(const auto handle, call.service.store.OpenKey(key.object()));
  const auto unwrap =
      entry.family->unwrap != nullptr ? entry.family->unwrap : entry.family->decrypt;
  auto encoded = unwrap(*handle, request.mechanism, request.wrapped);
  if (!encoded.ok()) {
    const Code code = encoded.code();
    if (code == Code::kEncryptedDataInvalid)
      return Fail(Code::kWrappedKeyInvalid, encoded.error().detail());
    if (code == Code::kEncryptedDataLenRange)
      return Fail(Code::kWrappedKeyLenRange, encoded.error().detail());
    return std::move(encoded).error();
  }
  KC_ASSIGN(mech::NewKey made, FromEncoding(request.attributes, *encoded));
  return InsertOne(call, creation, request.attributes, std::move(made), Origin::kUnwrapped,
                   CK_UNAVAILABLE_INFORMATION, &key.object());
}

ReplyOf<Op::kDeriveKey> DeriveKey(Call& call, const wire::DeriveKeyRequest& request,
                                  const AuthorizedObject& key) {
  KC_ASSIGN(const AuthorizedCreation creation, AuthorizeCreation(call, key.object().token));
  KC_ASSIGN(const mech::MechEntry entry,
            CheckKeyUse(call, key.object(), request.mechanism, CKF_DERIVE, CKA_DERIVE));
  KC_ASSIGN(AttributeList requested, WithClass(request.attributes, CKO_SECRET_KEY));
  if (requested.Has(CKA_VALUE))
    return Fail(Code::kTemplateInconsistent, "CKA_VALUE comes from the derivation");
  KC_ASSIGN(const auto handle, call.service.store.OpenKey(key.object()));
  KC_ASSIGN(
      const SecretBytes secret,
      entry.family->derive(*handle, request.mechanism, requested.Ulong(CKA_VALUE_LEN).value_or(0)));
  AttributeList with_value = requested;
  with_value.Set(CKA_VALUE, secret.Expose(SecretAccess()));
  KC_ASSIGN(mech::NewKey made, mech::MaterialFromTemplate(with_value));
  return InsertOne(call, creation, std::move(requested), std::move(made), Origin::kDerived,
                   CK_UNAVAILABLE_INFORMATION, &key.object());
}

}  // namespace keyclave::ops
