#include "pkcs11/key_operation.h"

#include "pkcs11/args.h"

namespace keyclave::pkcs11 {

Result<ObjectPtr> FindKey(const SessionCall& call, CK_OBJECT_HANDLE handle, CK_ATTRIBUTE_TYPE usage,
                          Code wrong) {
  ObjectCache& objects = call.module->objects();
  const wire::TokenId& token = call.session->token();
  const auto found = objects.Find(handle, token);
  if (!found.ok() || !(*found)->IsKey()) return Fail(wrong);
  if ((*found)->attributes().IsTrue(usage)) return *found;
  const auto fresh = objects.Fresh(handle, token);
  if (!fresh.ok() && fresh.code() == Code::kP11ObjectHandleInvalid) return Fail(wrong);
  if (!fresh.ok()) return fresh.error();
  if (!(*fresh)->attributes().IsTrue(usage)) return Fail(Code::kKeyFunctionNotPermitted);
  return *fresh;
}

Status CheckMechanism(const SessionCall& call, const wire::AttributeList& key,
                      CK_MECHANISM_TYPE type, CK_FLAGS function) {
  const auto offered = call.module->mechanisms().Find(type, function);
  if (!offered.ok()) return offered.error();
  if (!IsAllowed(key, type)) return Fail(Code::kMechanismInvalid, "CKA_ALLOWED_MECHANISMS");
  const MechanismTraits* traits = FindTraits(type);
  if (traits != nullptr && traits->key_type.has_value() &&
      key.Ulong(CKA_KEY_TYPE) != *traits->key_type) {
    return Fail(Code::kKeyTypeInconsistent);
  }
  return Done{};
}

Result<ObjectPtr> ChooseKey(const SessionCall& call, const CK_MECHANISM* mechanism,
                            CK_OBJECT_HANDLE key, CK_FLAGS function, CK_ATTRIBUTE_TYPE usage) {
  KC_CHECK_OK(NotNull(mechanism));
  KC_CHECK_OK(call.operations().MayBegin(function));
  KC_ASSIGN(const ObjectPtr found, FindKey(call, key, usage));
  KC_CHECK_OK(CheckMechanism(call, found->attributes(), mechanism->mechanism, function));
  return found;
}

Status BeginKeyOperation(const SessionCall& call, std::optional<KeyOperation>& slot,
                         const CK_MECHANISM* mechanism, CK_OBJECT_HANDLE key, CK_FLAGS function,
                         CK_ATTRIBUTE_TYPE usage) {
  if (mechanism == nullptr && slot.has_value()) {
    slot.reset();
    return Done{};
  }
  KeyOperation operation;
  KC_ASSIGN(operation.key, ChooseKey(call, mechanism, key, function, usage));
  KC_ASSIGN(operation.mechanism, FromMechanism(mechanism));
  slot = std::move(operation);
  return Done{};
}

Status RequireSinglePart(const KeyOperation& operation) {
  if (operation.multi_part)
    return Fail(Code::kP11OperationActive, "in parts: the single-part call cannot end it");
  return Done{};
}

Status BeginPart(KeyOperation& operation) {
  if (operation.pending.has_value())
    return Fail(Code::kP11OperationNotInitialized, "the operation is complete");
  operation.multi_part = true;
  return Done{};
}

void MatchPending(KeyOperation& operation, ByteSpan message) {
  if (!operation.pending.has_value()) return;
  const ByteArray<32> digest = Sha256(message);
  if (!operation.pending_for.has_value()) {
    operation.pending_for = digest;
  } else if (*operation.pending_for != digest) {
    operation.pending.reset();
    operation.pending_for.reset();
  }
}

Status SignPart(KeyOperation& operation, ByteSpan part) {
  KC_CHECK_OK(BeginPart(operation));
  return operation.Add(part);
}

}  // namespace keyclave::pkcs11
