#include "pkcs11/message_process.h"

#include "pkcs11/args.h"
#include "pkcs11/message_param.h"

namespace keyclave::pkcs11 {
namespace {

bool IsCipher(CK_FLAGS function) {
  return function == CKF_MESSAGE_ENCRYPT || function == CKF_MESSAGE_DECRYPT;
}

// Of a cipher the parameter comes with each message; here it may be there as well, or nothing.
Status CheckCipherParam(const CK_MECHANISM& mechanism) {
  const bool none = mechanism.pParameter == nullptr && mechanism.ulParameterLen == 0;
  const bool one = mechanism.pParameter != nullptr &&
                   IsMessageParamSize(mechanism.mechanism, mechanism.ulParameterLen);
  if (none || one) return Done{};
  return Fail(Code::kMechanismParamInvalid, "the parameters of a message, or nothing");
}

}  // namespace

Status BeginMessages(const SessionCall& call, std::optional<MessageProcess>& slot,
                     const CK_MECHANISM* mechanism, CK_OBJECT_HANDLE key, CK_FLAGS function,
                     CK_ATTRIBUTE_TYPE usage) {
  if (mechanism == nullptr && slot.has_value()) {
    slot.reset();
    return Done{};
  }
  MessageProcess process;
  KC_ASSIGN(process.key, ChooseKey(call, mechanism, key, function, usage));
  process.type = mechanism->mechanism;
  if (IsCipher(function)) {
    KC_CHECK_OK(CheckCipherParam(*mechanism));
  } else {
    KC_ASSIGN(process.mechanism, FromMechanism(mechanism));
  }
  slot = std::move(process);
  return Done{};
}

Status EndMessages(std::optional<MessageProcess>& slot) {
  KC_CHECK_OK(Require(slot));
  slot.reset();
  return Done{};
}

Status RequireNoMessage(const std::optional<MessageProcess>& slot) {
  KC_CHECK_OK(Require(slot));
  if (slot->current.has_value() && slot->current->multi_part)
    return Fail(Code::kP11OperationActive, "a message in parts is under way");
  return Done{};
}

Status RequireMessage(const std::optional<MessageProcess>& slot) {
  KC_CHECK_OK(Require(slot));
  if (!slot->current.has_value() || !slot->current->multi_part)
    return Fail(Code::kP11OperationNotInitialized, "no message in parts has begun");
  return Done{};
}

KeyOperation& NewMessage(MessageProcess& process) {
  KeyOperation& message = process.current.emplace();
  message.key = process.key;
  message.login = std::exchange(process.login, std::nullopt);
  message.mechanism = process.mechanism;
  return message;
}

}  // namespace keyclave::pkcs11
