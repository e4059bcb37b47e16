// Operations that make objects: create, generate, import, unwrap, derive.

#include "enclave/base/hash.h"
#include "enclave/keys/attributes.h"
#include "enclave/keys/key_templates.h"
#include "enclave/mech/certify.h"
#include "enclave/ops/create.h"
#include "enclave/ops/handlers.h"
#include "enclave/wire/pkcs11_numbers.h"

namespace keyclave::ops {
namespace {

using keys::Origin;
using wire::AttributeList;

// The class that a template names; kAttributeValueInvalid if it is no number.
Result<std::optional<uint64_t>> ClassOf(const AttributeList& attributes) {
  const auto named = attributes.Ulong(CKA_CLASS);
  if (!named && attributes.Has(CKA_CLASS)) return Fail(Code::kAttributeValueInvalid, "CKA_CLASS");
  return named;
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
  const auto& identity = call.identity;
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

Result<mech::MechEntry> GeneratingMechanism(const wire::Mechanism& mechanism, uint64_t flag) {
  KC_ASSIGN(const mech::MechEntry entry, mech::FindMechanism(mechanism.type));
  if ((entry.row->flags & flag) == 0)
    return Fail(Code::kMechanismInvalid, "the mechanism does not make such keys");
  return entry;
}

}  // namespace

Result<AttributeList> WithClass(AttributeList attributes, uint64_t object_class) {
  KC_ASSIGN(const auto named, ClassOf(attributes));
  if (named && *named != object_class) return Fail(Code::kTemplateInconsistent, "CKA_CLASS");
  attributes.SetUlong(CKA_CLASS, object_class);
  return attributes;
}

Result<wire::ObjectReply> InsertOne(Call& call, const AuthorizedCreation& creation,
                                    AttributeList requested, mech::NewKey made, Origin origin,
                                    uint64_t mechanism,
                                    std::span<const keys::Object* const> parents, Source source) {
  KC_ASSIGN(keys::NewObject object,
            Assemble(call, creation.token().id, std::move(requested), made.attributes,
                     std::move(made.material), origin, mechanism));
  std::vector<keys::NewObject> objects;
  objects.push_back(std::move(object));
  KC_ASSIGN(const auto inserted,
            InsertObjects(call, creation, std::move(objects), parents, source));
  return wire::ObjectReply{DescribeFor(call, *inserted.front())};
}

ReplyOf<Op::kCreateObject> CreateObject(Call& call, const wire::CreateObjectRequest& request,
                                        const AuthorizedCreation& creation) {
  KC_ASSIGN(const auto object_class, ClassOf(request.attributes));
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
            CheckKeyUse(key.object(), request.mechanism, CKF_UNWRAP, CKA_UNWRAP));
  KC_ASSIGN(const auto handle, call.service.store.OpenKey(key.object()));
  KC_ASSIGN(
      AttributeList requested,
      keys::WithKeysTemplate(request.attributes, key.object().attributes, CKA_UNWRAP_TEMPLATE));
  KC_ASSIGN(mech::NewKey made,
            mech::UnwrapKey(entry, *handle, request.mechanism, request.wrapped, requested));
  const keys::Object* const parents[] = {&key.object()};
  return InsertOne(call, creation, std::move(requested), std::move(made), Origin::kUnwrapped,
                   CK_UNAVAILABLE_INFORMATION, parents, Source::kKept);
}

namespace {

// The key that the mechanism names beside the base key: of the same token, and one that the caller
// may derive from, too.
Result<AuthorizedObject> SecondKey(Call& call, const wire::Mechanism& mechanism,
                                   const mech::MechEntry& entry, const keys::Object& base) {
  wire::ObjectRef reference;
  reference.id = *mechanism.second_key;
  KC_ASSIGN(AuthorizedObject second, AuthorizeUse(call, reference,
                                                  {.operation = authz::Operation::kDerive,
                                                   .family = entry.family->name,
                                                   .mechanism = &mechanism}));
  if (second.object().token != base.token)
    return Fail(Code::kMechanismParamInvalid, "the second key is of another token");
  KC_CHECK_OK(CheckKeyUse(second.object(), mechanism, CKF_DERIVE, CKA_DERIVE));
  return second;
}

// "If the base key has its CKA_SENSITIVE attribute set to CK_TRUE, so does the derived key … if the
// base key has its CKA_EXTRACTABLE attribute set to CK_FALSE, so does the derived key"
// (pkcs11-curr-v3.0 §2.43.3): of keys that hold the base key's own bytes.
Status InheritSecrecy(std::span<const keys::Object* const> parents, AttributeList& requested) {
  for (const keys::Object* parent : parents) {
    if (parent->attributes.IsTrue(CKA_SENSITIVE)) {
      if (requested.Has(CKA_SENSITIVE) && !requested.IsTrue(CKA_SENSITIVE))
        return Fail(Code::kTemplateInconsistent, "CKA_SENSITIVE: the base key is sensitive");
      requested.SetBool(CKA_SENSITIVE, true);
    }
    if (!parent->attributes.IsTrue(CKA_EXTRACTABLE)) {
      if (requested.IsTrue(CKA_EXTRACTABLE))
        return Fail(Code::kTemplateInconsistent, "CKA_EXTRACTABLE: the base key is not");
      requested.SetBool(CKA_EXTRACTABLE, false);
    }
  }
  return Done{};
}

// "If the base key has its CKA_ALWAYS_SENSITIVE attribute set to CK_FALSE, then the derived key
// will as well" (§2.45.3 and its siblings).
void InheritHistory(std::span<const keys::Object* const> parents, AttributeList& made) {
  for (const uint64_t type : {CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE}) {
    made.SetBool(type, std::all_of(parents.begin(), parents.end(), [&](const auto* parent) {
                   return parent->attributes.IsTrue(type);
                 }));
  }
}

// What the caller and the base keys want of the new object. A key's CKA_VALUE is read-only wherever
// it is named; a data object's may be given elsewhere, but not here.
Result<AttributeList> DerivedTemplate(AttributeList requested,
                                      std::span<const keys::Object* const> parents) {
  for (const keys::Object* parent : parents) {
    KC_ASSIGN(requested, keys::WithKeysTemplate(std::move(requested), parent->attributes,
                                                CKA_DERIVE_TEMPLATE));
  }
  if (requested.Has(CKA_VALUE))
    return Fail(Code::kAttributeReadOnly, "CKA_VALUE comes from the derivation");
  return requested;
}

// CKM_HKDF_DATA: "identical to HKDF Derive except the output is a CKO_DATA object" (§2.45.4).
Result<mech::NewKey> DeriveData(const mech::MechEntry& entry, const mech::Key& base,
                                const mech::Key* second, const wire::Mechanism& mechanism,
                                AttributeList& requested) {
  AttributeList length;
  if (const Bytes* value = requested.Find(CKA_VALUE_LEN)) length.Set(CKA_VALUE_LEN, *value);
  requested.Remove(CKA_VALUE_LEN);
  KC_ASSIGN(const mech::NewKey derived, mech::DeriveKey(entry, base, second, mechanism, length));
  requested.Set(CKA_VALUE, derived.material.Expose(SecretAccess()));
  return mech::NewKey{};
}

}  // namespace

ReplyOf<Op::kDeriveKey> DeriveKey(Call& call, const wire::DeriveKeyRequest& request,
                                  const AuthorizedObject& key) {
  KC_ASSIGN(const AuthorizedCreation creation, AuthorizeCreation(call, key.object().token));
  KC_ASSIGN(const mech::MechEntry entry,
            CheckKeyUse(key.object(), request.mechanism, CKF_DERIVE, CKA_DERIVE));
  std::vector<const keys::Object*> parents = {&key.object()};
  std::optional<AuthorizedObject> second;
  std::shared_ptr<const mech::Key> second_handle;
  if (request.mechanism.second_key.has_value()) {
    KC_ASSIGN(second, SecondKey(call, request.mechanism, entry, key.object()));
    parents.push_back(&second->object());
    KC_ASSIGN(second_handle, call.service.store.OpenKey(second->object()));
  }
  const bool data = request.mechanism.type == CKM_HKDF_DATA;
  KC_ASSIGN(AttributeList requested, DerivedTemplate(request.attributes, parents));
  KC_ASSIGN(requested, WithClass(std::move(requested), data ? CKO_DATA : CKO_SECRET_KEY));
  KC_ASSIGN(const auto handle, call.service.store.OpenKey(key.object()));
  if (data) {
    KC_ASSIGN(mech::NewKey made,
              DeriveData(entry, *handle, second_handle.get(), request.mechanism, requested));
    return InsertOne(call, creation, std::move(requested), std::move(made), Origin::kCreated,
                     CK_UNAVAILABLE_INFORMATION, parents);
  }
  const bool kept = entry.family->derives_base_bytes;
  if (kept) KC_CHECK_OK(InheritSecrecy(parents, requested));
  KC_ASSIGN(mech::NewKey made,
            mech::DeriveKey(entry, *handle, second_handle.get(), request.mechanism, requested));
  InheritHistory(parents, made.attributes);
  return InsertOne(call, creation, std::move(requested), std::move(made), Origin::kDerived,
                   CK_UNAVAILABLE_INFORMATION, parents, kept ? Source::kKept : Source::kMade);
}

}  // namespace keyclave::ops
