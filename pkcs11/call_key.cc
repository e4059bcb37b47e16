// Keys: generate, derive.
#include "pkcs11/args.h"
#include "pkcs11/calls.h"
#include "pkcs11/key_operation.h"

namespace keyclave::pkcs11::call {
namespace {

// The mechanism of a call that makes keys.
Result<wire::Mechanism> ReadMechanism(const SessionCall& call, const CK_MECHANISM* mechanism,
                                      CK_FLAGS function) {
  KC_CHECK_OK(NotNull(mechanism));
  const auto offered = call.module->mechanisms().Find(mechanism->mechanism, function);
  if (!offered.ok()) return offered.error();
  return FromMechanism(mechanism);
}

}  // namespace

Status C_GenerateKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism,
                     CK_ATTRIBUTE_PTR attributes, CK_ULONG count, CK_OBJECT_HANDLE_PTR key) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  KC_CHECK_OK(NotNull(key));
  KC_ASSIGN(wire::Mechanism wire_mechanism, ReadMechanism(call, mechanism, CKF_GENERATE));
  KC_ASSIGN(wire::AttributeList list, FromTemplate(attributes, count));
  KC_CHECK_OK(CheckWritable(*call.session, list));
  const Freshness before = FreshnessNow(call.client());
  KC_ASSIGN(wire::GenerateKeyReply reply,
            call.client().Call<wire::Op::kGenerateKey>(
                {call.session->token(), std::move(wire_mechanism), std::move(list)}));
  *key = TakeNewObject(call, std::move(reply.object), before);
  return Done{};
}

Status C_GenerateKeyPair(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism,
                         CK_ATTRIBUTE_PTR public_attributes, CK_ULONG public_count,
                         CK_ATTRIBUTE_PTR private_attributes, CK_ULONG private_count,
                         CK_OBJECT_HANDLE_PTR public_key, CK_OBJECT_HANDLE_PTR private_key) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  KC_CHECK_OK(NotNull(public_key));
  KC_CHECK_OK(NotNull(private_key));
  KC_ASSIGN(wire::Mechanism wire_mechanism, ReadMechanism(call, mechanism, CKF_GENERATE_KEY_PAIR));
  wire::GenerateKeyPairRequest request{call.session->token(), std::move(wire_mechanism), {}, {}};
  KC_ASSIGN(request.public_attributes, FromTemplate(public_attributes, public_count));
  KC_ASSIGN(request.private_attributes, FromTemplate(private_attributes, private_count));
  KC_CHECK_OK(CheckWritable(*call.session, request.public_attributes));
  KC_CHECK_OK(CheckWritable(*call.session, request.private_attributes));
  const Freshness before = FreshnessNow(call.client());
  KC_ASSIGN(wire::GenerateKeyPairReply reply,
            call.client().Call<wire::Op::kGenerateKeyPair>(request));
  *public_key = TakeNewObject(call, std::move(reply.public_key), before);
  *private_key = TakeNewObject(call, std::move(reply.private_key), before);
  return Done{};
}

Status C_DeriveKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE base_key,
                   CK_ATTRIBUTE_PTR attributes, CK_ULONG count, CK_OBJECT_HANDLE_PTR key) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  KC_CHECK_OK(NotNull(key));
  KC_CHECK_OK(NotNull(mechanism));
  KC_ASSIGN(const ObjectPtr base, FindKey(call, base_key, CKA_DERIVE));
  KC_CHECK_OK(CheckMechanism(call, base->attributes(), mechanism->mechanism, CKF_DERIVE));
  wire::DeriveKeyRequest request;
  request.base_key.id = base->info.id;
  KC_ASSIGN(request.mechanism, FromMechanism(mechanism));
  KC_ASSIGN(const auto second, SecondKeyOf(*mechanism));
  if (second.has_value()) {
    KC_ASSIGN(const ObjectPtr other, FindKey(call, *second, CKA_DERIVE));
    request.mechanism.second_key = other->info.id;
  }
  KC_ASSIGN(request.attributes, FromTemplate(attributes, count));
  KC_CHECK_OK(CheckWritable(*call.session, request.attributes, *base, CKA_DERIVE_TEMPLATE));
  const Freshness before = FreshnessNow(call.client());
  auto reply = call.client().Call<wire::Op::kDeriveKey>(request);
  if (!reply.ok()) return ObjectError(call, base, reply.error(), Code::kP11KeyHandleInvalid);
  *key = TakeNewObject(call, std::move(reply->object), before);
  return Done{};
}

}  // namespace keyclave::pkcs11::call
