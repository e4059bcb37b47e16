// Signatures: C_Sign… and C_Verify…. One operation is one request. A message that the mechanism
// hashes travels whole, so that the enclave sees what it signs; a long one is hashed here, and its
// digest travels.
#include "pkcs11/args.h"
#include "pkcs11/calls.h"
#include "pkcs11/key_operation.h"

namespace keyclave::pkcs11 {
namespace {

// C_SignInit and C_VerifyInit.
Status Begin(const SessionCall& call, std::optional<KeyOperation>& slot,
             const CK_MECHANISM* mechanism, CK_OBJECT_HANDLE key, CK_FLAGS function,
             CK_ATTRIBUTE_TYPE usage) {
  KC_CHECK_OK(BeginKeyOperation(call, slot, mechanism, key, function, usage));
  if (!slot.has_value()) return Done{};
  slot->prehash = SplitHash(slot->mechanism, slot->key->attributes());
  if (!slot->prehash.has_value()) return Done{};
  auto message = client::SignedMessage::Create(slot->prehash->hash);
  // A digest that this library lacks: the enclave hashes.
  if (message.ok()) slot->message = std::move(message).value();
  return Done{};
}

// What the request carries: mechanism and input.
Result<wire::SignRequest> MakeRequest(KeyOperation& operation) {
  wire::SignRequest request;
  request.key.id = operation.key->info.id;
  if (!operation.message.has_value()) {
    request.mechanism = operation.mechanism;
    request.input = operation.input;
    return request;
  }
  KC_ASSIGN(client::SignedMessage::Taken taken, operation.message->Take());
  request.mechanism = taken.whole ? operation.mechanism : operation.prehash->raw;
  request.input = taken.whole ? std::move(taken.bytes) : operation.prehash->Input(taken.bytes);
  return request;
}

Result<Bytes> RequestSignature(const SessionCall& call, KeyOperation& operation) {
  KC_ASSIGN(const wire::SignRequest request, MakeRequest(operation));
  auto reply = call.client().Call<wire::Op::kSign>(request);
  if (!reply.ok())
    return ObjectError(call, operation.key, reply.error(), Code::kP11KeyHandleInvalid);
  return std::move(reply->output);
}

// C_Sign: the message and the end of the operation.
Result<Delivery> SignWhole(const SessionCall& call, KeyOperation& operation, ByteSpan message,
                           const OutBuffer& out) {
  KC_CHECK_OK(out.Check());
  MatchPending(operation, message);
  const auto size = SignatureSize(operation.key->attributes(), operation.mechanism.type);
  const auto delivery = Deliver(out, size, operation.pending, [&]() -> Result<Bytes> {
    operation.input.clear();
    KC_CHECK_OK(operation.Add(message));
    return RequestSignature(call, operation);
  });
  MatchPending(operation, message);
  return delivery;
}

// C_SignFinal.
Result<Delivery> SignParts(const SessionCall& call, KeyOperation& operation, const OutBuffer& out) {
  KC_CHECK_OK(out.Check());
  operation.multi_part = true;
  const auto size = SignatureSize(operation.key->attributes(), operation.mechanism.type);
  return Deliver(out, size, operation.pending, [&] { return RequestSignature(call, operation); });
}

Status VerifyWith(const SessionCall& call, KeyOperation& operation, const CK_BYTE* signature,
                  CK_ULONG signature_size) {
  KC_CHECK_OK(NotNull(signature));
  const auto size = SignatureSize(operation.key->attributes(), operation.mechanism.type);
  if (size.has_value() && size->bytes != signature_size) return Fail(Code::kSignatureLenRange);
  if (signature_size > wire::kMaxField) return Fail(Code::kSignatureLenRange);
  KC_ASSIGN(wire::SignRequest made, MakeRequest(operation));
  wire::VerifyRequest request{std::move(made.key), std::move(made.mechanism), std::move(made.input),
                              ToBytes(FromC(signature, signature_size))};
  const auto reply = call.client().Call<wire::Op::kVerify>(request);
  if (!reply.ok())
    return ObjectError(call, operation.key, reply.error(), Code::kP11KeyHandleInvalid);
  return Done{};
}

}  // namespace

namespace call {

Status C_SignInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  return Begin(call, call.operations().sign, mechanism, key, CKF_SIGN, CKA_SIGN);
}

Status C_Sign(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG data_size, CK_BYTE_PTR out,
              CK_ULONG_PTR out_size) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  KC_CHECK_OK(Require(call.operations().sign));
  OperationScope operation(call.operations().sign);
  KC_CHECK_OK(RequireSinglePart(*operation));
  KC_ASSIGN(const ByteSpan message, InBytes(data, data_size));
  return operation.Finish(SignWhole(call, *operation, message, OutBuffer(out, out_size)));
}

Status C_SignUpdate(CK_SESSION_HANDLE session, CK_BYTE_PTR part, CK_ULONG part_size) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  KC_CHECK_OK(Require(call.operations().sign));
  OperationScope operation(call.operations().sign);
  KC_ASSIGN(const ByteSpan bytes, InBytes(part, part_size));
  return operation.Continue(SignPart(*operation, bytes));
}

Status C_SignFinal(CK_SESSION_HANDLE session, CK_BYTE_PTR out, CK_ULONG_PTR out_size) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  KC_CHECK_OK(Require(call.operations().sign));
  OperationScope operation(call.operations().sign);
  return operation.Finish(SignParts(call, *operation, OutBuffer(out, out_size)));
}

Status C_VerifyInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  return Begin(call, call.operations().verify, mechanism, key, CKF_VERIFY, CKA_VERIFY);
}

// A verification ends with its last step, whatever the verdict: there is no length to ask for.
Status C_Verify(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG data_size,
                CK_BYTE_PTR signature, CK_ULONG signature_size) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  KC_CHECK_OK(Require(call.operations().verify));
  OperationScope operation(call.operations().verify);
  KC_CHECK_OK(RequireSinglePart(*operation));
  KC_ASSIGN(const ByteSpan message, InBytes(data, data_size));
  KC_CHECK_OK(operation->Add(message));
  return VerifyWith(call, *operation, signature, signature_size);
}

Status C_VerifyUpdate(CK_SESSION_HANDLE session, CK_BYTE_PTR part, CK_ULONG part_size) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  KC_CHECK_OK(Require(call.operations().verify));
  OperationScope operation(call.operations().verify);
  KC_ASSIGN(const ByteSpan bytes, InBytes(part, part_size));
  return operation.Continue(SignPart(*operation, bytes));
}

Status C_VerifyFinal(CK_SESSION_HANDLE session, CK_BYTE_PTR signature, CK_ULONG signature_size) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  KC_CHECK_OK(Require(call.operations().verify));
  OperationScope operation(call.operations().verify);
  return VerifyWith(call, *operation, signature, signature_size);
}

}  // namespace call
}  // namespace keyclave::pkcs11
