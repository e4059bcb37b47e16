#include "pkcs11/operation.h"

namespace keyclave::pkcs11 {

Status DigestOperation::Add(ByteSpan part) {
  if (hasher.has_value()) return hasher->Update(part);
  if (part.size() > wire::kMaxField - input.size())
    return Fail(Code::kDataLenRange, "more than one request can carry");
  input.insert(input.end(), part.begin(), part.end());
  return Done{};
}

Status KeyOperation::Add(ByteSpan part) {
  if (message.has_value()) return message->Add(part);
  if (part.size() > wire::kMaxField - input.size())
    return Fail(Code::kDataLenRange, "more than one request can carry");
  input.insert(input.end(), part.begin(), part.end());
  return Done{};
}

CK_FLAGS Operations::Active() const {
  CK_FLAGS active = 0;
  if (find.has_value()) active |= CKF_FIND_OBJECTS;
  if (digest.has_value()) active |= CKF_DIGEST;
  if (sign.has_value()) active |= CKF_SIGN;
  if (verify.has_value()) active |= CKF_VERIFY;
  if (sign_recover.has_value()) active |= CKF_SIGN_RECOVER;
  if (verify_recover.has_value()) active |= CKF_VERIFY_RECOVER;
  if (encrypt.has_value()) active |= CKF_ENCRYPT;
  if (decrypt.has_value()) active |= CKF_DECRYPT;
  if (message_sign.has_value()) active |= CKF_MESSAGE_SIGN;
  if (message_verify.has_value()) active |= CKF_MESSAGE_VERIFY;
  if (message_encrypt.has_value()) active |= CKF_MESSAGE_ENCRYPT;
  if (message_decrypt.has_value()) active |= CKF_MESSAGE_DECRYPT;
  return active;
}

Status Operations::MayBegin(CK_FLAGS kind) const {
  const CK_FLAGS active = Active();
  if (active == 0) return Done{};
  switch (active | kind) {
    case CKF_DIGEST | CKF_ENCRYPT:
    case CKF_DIGEST | CKF_DECRYPT:
    case CKF_SIGN | CKF_ENCRYPT:
    case CKF_VERIFY | CKF_DECRYPT:
      if ((active & kind) == 0) return Done{};
      break;
    default: break;
  }
  return Fail(Code::kP11OperationActive);
}

Result<Operations::Waiting> Operations::WaitingForLogin() {
  Waiting waiting;
  const auto look = [&waiting](auto& operation) {
    if (!operation.has_value()) return;
    if (!operation->key->attributes().IsTrue(CKA_ALWAYS_AUTHENTICATE)) return;
    waiting = {operation->key, &operation->login};
  };
  look(sign);
  look(sign_recover);
  look(decrypt);
  look(message_sign);
  look(message_decrypt);
  // A message in parts has begun with the login that was there: what comes now is for it.
  if (message_sign.has_value() && waiting.login != nullptr) look(message_sign->current);
  if (waiting.login == nullptr)
    return Fail(Code::kP11OperationNotInitialized, "no operation waits for a login");
  return waiting;
}

void Operations::Cancel(CK_FLAGS kinds) {
  if ((kinds & CKF_FIND_OBJECTS) != 0) find.reset();
  if ((kinds & CKF_DIGEST) != 0) digest.reset();
  if ((kinds & CKF_SIGN) != 0) sign.reset();
  if ((kinds & CKF_VERIFY) != 0) verify.reset();
  if ((kinds & CKF_SIGN_RECOVER) != 0) sign_recover.reset();
  if ((kinds & CKF_VERIFY_RECOVER) != 0) verify_recover.reset();
  if ((kinds & CKF_ENCRYPT) != 0) encrypt.reset();
  if ((kinds & CKF_DECRYPT) != 0) decrypt.reset();
  if ((kinds & CKF_MESSAGE_SIGN) != 0) message_sign.reset();
  if ((kinds & CKF_MESSAGE_VERIFY) != 0) message_verify.reset();
  if ((kinds & CKF_MESSAGE_ENCRYPT) != 0) message_encrypt.reset();
  if ((kinds & CKF_MESSAGE_DECRYPT) != 0) message_decrypt.reset();
}

}  // namespace keyclave::pkcs11
