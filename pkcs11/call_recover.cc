// Signatures that give back what was signed (base §5.13.5, §5.15.5): C_SignRecover…,
// C_VerifyRecover…. RSA alone does this, with PKCS #1 v1.5 and bare.
#include "pkcs11/args.h"
#include "pkcs11/calls.h"
#include "pkcs11/key_operation.h"
#include "pkcs11/sign_operation.h"

namespace keyclave::pkcs11::call {
namespace {

template <wire::Op op>
Result<Bytes> Request(const SessionCall& call, const KeyOperation& operation, ByteSpan input) {
  if (input.size() > wire::kMaxField) return Fail(Code::kDataLenRange);
  wire::SignRequest request;
  request.key.id = operation.key->info.id;
  request.key.login = operation.login;
  request.mechanism = operation.mechanism;
  request.input = ToBytes(input);
  auto reply = call.client().Call<op>(request);
  if (!reply.ok())
    return ObjectError(call, operation.key, reply.error(), Code::kP11KeyHandleInvalid);
  return std::move(reply->output);
}

// Single-part operations: the whole input, and the end.
template <wire::Op op>
Result<Delivery> Run(const SessionCall& call, KeyOperation& operation, ByteSpan input,
                     const std::optional<OutputSize>& size, const OutBuffer& out) {
  KC_CHECK_OK(out.Check());
  MatchPending(operation, input);
  const auto delivery =
      Deliver(out, size, operation.pending, [&] { return Request<op>(call, operation, input); });
  MatchPending(operation, input);
  return delivery;
}

}  // namespace

Status C_SignRecoverInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism,
                         CK_OBJECT_HANDLE key) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  return BeginKeyOperation(call, call.operations().sign_recover, mechanism, key, CKF_SIGN_RECOVER,
                           CKA_SIGN_RECOVER);
}

Status C_SignRecover(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG data_size,
                     CK_BYTE_PTR out, CK_ULONG_PTR out_size) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  KC_CHECK_OK(Require(call.operations().sign_recover));
  OperationScope operation(call.operations().sign_recover);
  KC_ASSIGN(const ByteSpan input, InBytes(data, data_size));
  const auto size = SignatureSize(operation->key->attributes(), operation->mechanism.type);
  return operation.Finish(
      Run<wire::Op::kSignRecover>(call, *operation, input, size, OutBuffer(out, out_size)));
}

Status C_VerifyRecoverInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism,
                           CK_OBJECT_HANDLE key) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  return BeginKeyOperation(call, call.operations().verify_recover, mechanism, key,
                           CKF_VERIFY_RECOVER, CKA_VERIFY_RECOVER);
}

Status C_VerifyRecover(CK_SESSION_HANDLE session, CK_BYTE_PTR signature, CK_ULONG signature_size,
                       CK_BYTE_PTR out, CK_ULONG_PTR out_size) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  KC_CHECK_OK(Require(call.operations().verify_recover));
  OperationScope operation(call.operations().verify_recover);
  KC_ASSIGN(const ByteSpan input, InBytes(signature, signature_size));
  KC_CHECK_OK(CheckSignatureLength(*operation, signature_size));
  const auto size = PlaintextSize(operation->key->attributes(), operation->mechanism, input.size());
  return operation.Finish(
      Run<wire::Op::kVerifyRecover>(call, *operation, input, size, OutBuffer(out, out_size)));
}

}  // namespace keyclave::pkcs11::call
