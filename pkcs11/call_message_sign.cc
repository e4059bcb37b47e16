// Message-based signatures (3.0 §5.14, §5.17): C_MessageSign… and C_MessageVerify…. Each message is
// a signature by itself, as C_Sign makes it: one request to the enclave.
#include "pkcs11/args.h"
#include "pkcs11/calls.h"
#include "pkcs11/message_process.h"
#include "pkcs11/sign_operation.h"

namespace keyclave::pkcs11 {
namespace {

// No mechanism that signs has a parameter per message.
Status NoParameter(const void* parameter, CK_ULONG size) {
  if (parameter == nullptr && size == 0) return Done{};
  return Fail(Code::kMechanismParamInvalid, "messages of this mechanism have no parameter");
}

Status BeginParts(std::optional<MessageProcess>& slot, const void* parameter, CK_ULONG size) {
  KC_CHECK_OK(RequireNoMessage(slot));
  KC_CHECK_OK(NoParameter(parameter, size));
  NewMessage(*slot).multi_part = true;
  const Status prepared = PrepareMessage(*slot->current);
  if (!prepared.ok()) slot->current.reset();
  return prepared;
}

// The last part. Where only its length is asked for, it is not taken in: it comes again.
Result<Delivery> SignLast(const SessionCall& call, KeyOperation& operation, ByteSpan part,
                          const OutBuffer& out) {
  if (!operation.pending.has_value()) {
    const auto size = SignatureSize(operation.key->attributes(), operation.mechanism.type);
    if (size.has_value() && !out.Fits(size->bytes)) return out.Length(size->bytes);
    KC_CHECK_OK(operation.Add(part));
  }
  return SignParts(call, operation, out);
}

}  // namespace

namespace call {

Status C_MessageSignInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism,
                         CK_OBJECT_HANDLE key) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  return BeginMessages(call, call.operations().message_sign, mechanism, key, CKF_MESSAGE_SIGN,
                       CKA_SIGN);
}

Status C_SignMessage(CK_SESSION_HANDLE session, CK_VOID_PTR parameter, CK_ULONG parameter_size,
                     CK_BYTE_PTR data, CK_ULONG data_size, CK_BYTE_PTR out, CK_ULONG_PTR out_size) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  std::optional<MessageProcess>& slot = call.operations().message_sign;
  KC_CHECK_OK(RequireNoMessage(slot));
  KC_CHECK_OK(NoParameter(parameter, parameter_size));
  KC_ASSIGN(const ByteSpan message, InBytes(data, data_size));
  if (!slot->current.has_value()) KC_CHECK_OK(PrepareMessage(NewMessage(*slot)));
  OperationScope operation(slot->current);
  return operation.Finish(SignWhole(call, *operation, message, OutBuffer(out, out_size)));
}

Status C_SignMessageBegin(CK_SESSION_HANDLE session, CK_VOID_PTR parameter,
                          CK_ULONG parameter_size) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  return BeginParts(call.operations().message_sign, parameter, parameter_size);
}

// `out_size` is NULL for every part but the last.
Status C_SignMessageNext(CK_SESSION_HANDLE session, CK_VOID_PTR parameter, CK_ULONG parameter_size,
                         CK_BYTE_PTR part, CK_ULONG part_size, CK_BYTE_PTR out,
                         CK_ULONG_PTR out_size) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  std::optional<MessageProcess>& slot = call.operations().message_sign;
  KC_CHECK_OK(RequireMessage(slot));
  OperationScope operation(slot->current);
  KC_CHECK_OK(NoParameter(parameter, parameter_size));
  KC_ASSIGN(const ByteSpan bytes, InBytes(part, part_size));
  if (out_size == nullptr) return operation.Continue(SignPart(*operation, bytes));
  return operation.Finish(SignLast(call, *operation, bytes, OutBuffer(out, out_size)));
}

Status C_MessageSignFinal(CK_SESSION_HANDLE session) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  return EndMessages(call.operations().message_sign);
}

Status C_MessageVerifyInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism,
                           CK_OBJECT_HANDLE key) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  return BeginMessages(call, call.operations().message_verify, mechanism, key, CKF_MESSAGE_VERIFY,
                       CKA_VERIFY);
}

Status C_VerifyMessage(CK_SESSION_HANDLE session, CK_VOID_PTR parameter, CK_ULONG parameter_size,
                       CK_BYTE_PTR data, CK_ULONG data_size, CK_BYTE_PTR signature,
                       CK_ULONG signature_size) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  std::optional<MessageProcess>& slot = call.operations().message_verify;
  KC_CHECK_OK(RequireNoMessage(slot));
  KC_CHECK_OK(NoParameter(parameter, parameter_size));
  KC_ASSIGN(const ByteSpan message, InBytes(data, data_size));
  NewMessage(*slot);
  OperationScope operation(slot->current);
  KC_CHECK_OK(PrepareMessage(*operation));
  KC_CHECK_OK(operation->Add(message));
  return VerifyWith(call, *operation, signature, signature_size);
}

Status C_VerifyMessageBegin(CK_SESSION_HANDLE session, CK_VOID_PTR parameter,
                            CK_ULONG parameter_size) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  return BeginParts(call.operations().message_verify, parameter, parameter_size);
}

// `signature` is NULL for every part but the last.
Status C_VerifyMessageNext(CK_SESSION_HANDLE session, CK_VOID_PTR parameter,
                           CK_ULONG parameter_size, CK_BYTE_PTR part, CK_ULONG part_size,
                           CK_BYTE_PTR signature, CK_ULONG signature_size) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  std::optional<MessageProcess>& slot = call.operations().message_verify;
  KC_CHECK_OK(RequireMessage(slot));
  OperationScope operation(slot->current);
  KC_CHECK_OK(NoParameter(parameter, parameter_size));
  KC_ASSIGN(const ByteSpan bytes, InBytes(part, part_size));
  if (signature == nullptr) return operation.Continue(SignPart(*operation, bytes));
  KC_CHECK_OK(operation->Add(bytes));
  return VerifyWith(call, *operation, signature, signature_size);
}

Status C_MessageVerifyFinal(CK_SESSION_HANDLE session) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  return EndMessages(call.operations().message_verify);
}

}  // namespace call
}  // namespace keyclave::pkcs11
