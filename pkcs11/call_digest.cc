// Digests: computed here, without the enclave.
#include "pkcs11/args.h"
#include "pkcs11/calls.h"
#include "pkcs11/digest_part.h"
#include "pkcs11/module.h"

namespace keyclave::pkcs11 {
namespace {

// How the digest that a mechanism names is made.
Result<DigestOperation> MakeDigest(const SessionCall& call, CK_MECHANISM_TYPE type) {
  DigestOperation operation;
  operation.type = type;
  if (const auto hash = HashOf(type); hash.has_value()) {
    auto hasher = Hasher::Create(*hash);
    if (!hasher.ok()) return Fail(Code::kMechanismInvalid, hasher.error().Text());
    operation.size = HashSize(*hash);
    operation.hasher = std::move(hasher).value();
    return operation;
  }
  const auto size = EnclaveDigestSize(type);
  if (!size.has_value()) return Fail(Code::kMechanismInvalid);
  const auto offered = call.module->mechanisms().Find(type, CKF_DIGEST);
  if (!offered.ok()) return offered.error();
  operation.size = *size;
  return operation;
}

Result<Delivery> FinishInto(const SessionCall& call, DigestOperation& operation, ByteSpan last_part,
                            const OutBuffer& out) {
  KC_CHECK_OK(out.Check());
  const OutputSize size{operation.size, true};
  return Deliver(out, size, operation.pending, [&]() -> Result<Bytes> {
    KC_CHECK_OK(operation.Add(last_part));
    if (operation.hasher.has_value()) return operation.hasher->Finish();
    KC_ASSIGN(auto reply,
              call.client().Call<wire::Op::kDigest>({operation.type, std::move(operation.input)}));
    return std::move(reply.output);
  });
}

// The value of a secret key that may be read; the reply is not kept.
Status DigestValue(const SessionCall& call, DigestOperation& operation, CK_OBJECT_HANDLE key) {
  if (!operation.hasher.has_value())
    return Fail(Code::kP11KeyIndigestible, "the enclave computes this digest, of data alone");
  const auto found = call.module->objects().Fresh(key, call.session->token());
  if (!found.ok()) {
    if (found.code() == Code::kP11ObjectHandleInvalid) return Fail(Code::kP11KeyHandleInvalid);
    return found.error();
  }
  if (!(*found)->IsKey()) return Fail(Code::kP11KeyHandleInvalid);
  if ((*found)->Class() != CKO_SECRET_KEY)
    return Fail(Code::kP11KeyIndigestible, "not a secret key");
  const wire::AttributeList& attributes = (*found)->attributes();
  if (attributes.IsTrue(CKA_SENSITIVE) || !attributes.IsTrue(CKA_EXTRACTABLE)) {
    return Fail(Code::kP11KeyIndigestible, "the key does not leave the enclave");
  }
  KC_ASSIGN(const wire::ObjectInfo info, call.module->objects().Read(**found));
  const Bytes* value = info.attributes.Find(CKA_VALUE);
  if (value == nullptr)
    return Fail(Code::kP11KeyIndigestible, "the policy does not let this caller read the key");
  operation.multi_part = true;
  return operation.Add(*value);
}

}  // namespace

Status DigestPart(DigestOperation& operation, ByteSpan part) {
  operation.multi_part = true;
  return operation.Add(part);
}

namespace call {

Status C_DigestInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  Operations& operations = call.operations();
  if (mechanism == nullptr && operations.digest.has_value()) {  // 3.0 §5.10.1
    operations.Cancel(CKF_DIGEST);
    return Done{};
  }
  KC_CHECK_OK(NotNull(mechanism));
  KC_CHECK_OK(operations.MayBegin(CKF_DIGEST));
  KC_ASSIGN(DigestOperation operation, MakeDigest(call, mechanism->mechanism));
  if (mechanism->ulParameterLen != 0) return Fail(Code::kMechanismParamInvalid);
  operations.digest.emplace(std::move(operation));
  return Done{};
}

Status C_Digest(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG data_size, CK_BYTE_PTR out,
                CK_ULONG_PTR out_size) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  KC_CHECK_OK(Require(call.operations().digest));
  OperationScope operation(call.operations().digest);
  if (operation->multi_part)
    return Fail(Code::kP11OperationActive, "in parts: the single-part call cannot end it");
  KC_ASSIGN(const ByteSpan bytes, InBytes(data, data_size));
  return operation.Finish(FinishInto(call, *operation, bytes, OutBuffer(out, out_size)));
}

Status C_DigestUpdate(CK_SESSION_HANDLE session, CK_BYTE_PTR part, CK_ULONG part_size) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  KC_CHECK_OK(Require(call.operations().digest));
  OperationScope operation(call.operations().digest);
  KC_ASSIGN(const ByteSpan bytes, InBytes(part, part_size));
  return operation.Continue(DigestPart(*operation, bytes));
}

Status C_DigestKey(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  KC_CHECK_OK(Require(call.operations().digest));
  OperationScope operation(call.operations().digest);
  return operation.Continue(DigestValue(call, *operation, key));
}

Status C_DigestFinal(CK_SESSION_HANDLE session, CK_BYTE_PTR out, CK_ULONG_PTR out_size) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  KC_CHECK_OK(Require(call.operations().digest));
  OperationScope operation(call.operations().digest);
  operation->multi_part = true;
  return operation.Finish(FinishInto(call, *operation, {}, OutBuffer(out, out_size)));
}

}  // namespace call
}  // namespace keyclave::pkcs11
