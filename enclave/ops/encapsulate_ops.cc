// Key encapsulation: a new secret key for the holder of a private key, and the same key there
// (PKCS#11 3.2, C_EncapsulateKey and C_DecapsulateKey).

#include "enclave/keys/key_templates.h"
#include "enclave/ops/create.h"
#include "enclave/ops/handlers.h"
#include "enclave/wire/pkcs11_numbers.h"

namespace keyclave::ops {
namespace {

using wire::AttributeList;

// What the caller and the key's template want of the new key.
Result<AttributeList> Requested(const keys::Object& key, uint64_t template_type,
                                AttributeList attributes, Source source) {
  KC_ASSIGN(attributes,
            keys::WithKeysTemplate(std::move(attributes), key.attributes, template_type));
  KC_ASSIGN(attributes, WithClass(std::move(attributes), CKO_SECRET_KEY));
  if (attributes.Has(CKA_VALUE))
    return Fail(Code::kAttributeReadOnly, "CKA_VALUE comes from the encapsulation");
  // "CKA_EXTRACTABLE set to the value of the input template with a default of CK_TRUE": where that
  // would not be refused (CheckExtractable), which a token object's policy decides.
  const bool own = source == Source::kMade && !attributes.IsTrue(CKA_TOKEN);
  if (own && !attributes.Has(CKA_EXTRACTABLE)) attributes.SetBool(CKA_EXTRACTABLE, true);
  return attributes;
}

}  // namespace

ReplyOf<Op::kEncapsulateKey> EncapsulateKey(Call& call, const wire::EncapsulateKeyRequest& request,
                                            const AuthorizedObject& key) {
  KC_ASSIGN(const AuthorizedCreation creation, AuthorizeCreation(call, key.object().token));
  KC_ASSIGN(const mech::MechEntry entry,
            CheckKeyUse(key.object(), request.mechanism, CKF_ENCAPSULATE, CKA_ENCAPSULATE));
  KC_ASSIGN(AttributeList requested,
            Requested(key.object(), CKA_ENCAPSULATE_TEMPLATE, request.attributes, Source::kMade));
  KC_ASSIGN(const auto handle, call.service.store.OpenKey(key.object()));
  KC_ASSIGN(mech::EncapsulatedKey made,
            mech::EncapsulateKey(entry, *handle, request.mechanism, requested));
  const keys::Object* const parents[] = {&key.object()};
  KC_ASSIGN(wire::ObjectReply reply,
            InsertOne(call, creation, std::move(requested), std::move(made.key),
                      keys::Origin::kDerived, CK_UNAVAILABLE_INFORMATION, parents));
  return wire::EncapsulateKeyReply{std::move(reply.object), std::move(made.ciphertext)};
}

ReplyOf<Op::kDecapsulateKey> DecapsulateKey(Call& call, const wire::DecapsulateKeyRequest& request,
                                            const AuthorizedObject& key) {
  KC_ASSIGN(const AuthorizedCreation creation, AuthorizeCreation(call, key.object().token));
  KC_ASSIGN(const mech::MechEntry entry,
            CheckKeyUse(key.object(), request.mechanism, CKF_DECAPSULATE, CKA_DECAPSULATE));
  // A mechanism that decrypts opens wrapped keys, too, and those stay inside.
  const Source source = (entry.row->flags & CKF_DECRYPT) != 0 ? Source::kKept : Source::kMade;
  KC_ASSIGN(AttributeList requested,
            Requested(key.object(), CKA_DECAPSULATE_TEMPLATE, request.attributes, source));
  KC_ASSIGN(const auto handle, call.service.store.OpenKey(key.object()));
  KC_ASSIGN(mech::NewKey made,
            mech::DecapsulateKey(entry, *handle, request.mechanism, request.ciphertext, requested));
  const keys::Object* const parents[] = {&key.object()};
  return InsertOne(call, creation, std::move(requested), std::move(made), keys::Origin::kDerived,
                   CK_UNAVAILABLE_INFORMATION, parents, source);
}

}  // namespace keyclave::ops
