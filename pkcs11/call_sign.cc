// Signatures: C_Sign… and C_Verify…. One operation is one request. A message that the mechanism
// hashes travels whole, so that the enclave sees what it signs; a long one is hashed here, and its
// digest travels.
#include "pkcs11/args.h"
#include "pkcs11/calls.h"
#include "pkcs11/sign_operation.h"

namespace keyclave::pkcs11 {
namespace {

// C_SignInit and C_VerifyInit.
Status Begin(const SessionCall& call, std::optional<KeyOperation>& slot,
             const CK_MECHANISM* mechanism, CK_OBJECT_HANDLE key, CK_FLAGS function,
             CK_ATTRIBUTE_TYPE usage) {
  KC_CHECK_OK(BeginKeyOperation(call, slot, mechanism, key, function, usage));
  if (!slot.has_value()) return Done{};
  return PrepareMessage(*slot);
}

// C_Verify… and C_VerifySignature… do not go on with each other's operations.
Status RequireVerify(const std::optional<KeyOperation>& slot, bool has_signature) {
  KC_CHECK_OK(Require(slot));
  if (slot->signature.has_value() != has_signature)
    return Fail(Code::kP11OperationNotInitialized, "the operation of other functions is active");
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
  KC_CHECK_OK(RequireVerify(call.operations().verify, /*has_signature=*/false));
  OperationScope operation(call.operations().verify);
  KC_CHECK_OK(RequireSinglePart(*operation));
  KC_ASSIGN(const ByteSpan message, InBytes(data, data_size));
  KC_CHECK_OK(operation->Add(message));
  return VerifyWith(call, *operation, signature, signature_size);
}

Status C_VerifyUpdate(CK_SESSION_HANDLE session, CK_BYTE_PTR part, CK_ULONG part_size) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  KC_CHECK_OK(RequireVerify(call.operations().verify, /*has_signature=*/false));
  OperationScope operation(call.operations().verify);
  KC_ASSIGN(const ByteSpan bytes, InBytes(part, part_size));
  return operation.Continue(SignPart(*operation, bytes));
}

Status C_VerifyFinal(CK_SESSION_HANDLE session, CK_BYTE_PTR signature, CK_ULONG signature_size) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  KC_CHECK_OK(RequireVerify(call.operations().verify, /*has_signature=*/false));
  OperationScope operation(call.operations().verify);
  return VerifyWith(call, *operation, signature, signature_size);
}

// The signature comes first (3.2 §5.16): what follows is a verification like any other.
Status C_VerifySignatureInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism,
                             CK_OBJECT_HANDLE key, CK_BYTE_PTR signature, CK_ULONG signature_size) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  std::optional<KeyOperation>& slot = call.operations().verify;
  if (mechanism != nullptr) KC_CHECK_OK(NotNull(signature));
  KC_CHECK_OK(Begin(call, slot, mechanism, key, CKF_VERIFY, CKA_VERIFY));
  if (!slot.has_value()) return Done{};
  OperationScope operation(slot);
  KC_CHECK_OK(CheckSignatureLength(*operation, signature_size));
  operation->signature = ToBytes(FromC(signature, signature_size));
  return operation.Continue(Done{});
}

Status C_VerifySignature(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG data_size) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  KC_CHECK_OK(RequireVerify(call.operations().verify, /*has_signature=*/true));
  OperationScope operation(call.operations().verify);
  KC_CHECK_OK(RequireSinglePart(*operation));
  KC_ASSIGN(const ByteSpan message, InBytes(data, data_size));
  KC_CHECK_OK(operation->Add(message));
  return VerifyWith(call, *operation, operation->signature->data(), operation->signature->size());
}

Status C_VerifySignatureUpdate(CK_SESSION_HANDLE session, CK_BYTE_PTR part, CK_ULONG part_size) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  KC_CHECK_OK(RequireVerify(call.operations().verify, /*has_signature=*/true));
  OperationScope operation(call.operations().verify);
  KC_ASSIGN(const ByteSpan bytes, InBytes(part, part_size));
  return operation.Continue(SignPart(*operation, bytes));
}

Status C_VerifySignatureFinal(CK_SESSION_HANDLE session) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  KC_CHECK_OK(RequireVerify(call.operations().verify, /*has_signature=*/true));
  OperationScope operation(call.operations().verify);
  return VerifyWith(call, *operation, operation->signature->data(), operation->signature->size());
}

}  // namespace call
}  // namespace keyclave::pkcs11
