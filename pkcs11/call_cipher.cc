// Encryption and decryption: C_Encrypt… and C_Decrypt….
#include "pkcs11/args.h"
#include "pkcs11/calls.h"
#include "pkcs11/cipher_operation.h"

namespace keyclave::pkcs11 {
namespace {

std::optional<KeyOperation>& SlotOf(const SessionCall& call, Direction direction) {
  return direction == Direction::kEncrypt ? call.operations().encrypt : call.operations().decrypt;
}

Status OneShot(CK_SESSION_HANDLE session, Direction direction, const CK_BYTE* data,
               CK_ULONG data_size, const OutBuffer& out) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  std::optional<KeyOperation>& slot = SlotOf(call, direction);
  KC_CHECK_OK(Require(slot));
  OperationScope operation(slot);
  KC_CHECK_OK(RequireSinglePart(*operation));
  KC_ASSIGN(const ByteSpan bytes, InBytes(data, data_size));
  return operation.Finish(CipherWhole(call, *operation, direction, bytes, out));
}

Status Update(CK_SESSION_HANDLE session, Direction direction, const CK_BYTE* part,
              CK_ULONG part_size, const OutBuffer& out) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  std::optional<KeyOperation>& slot = SlotOf(call, direction);
  KC_CHECK_OK(Require(slot));
  OperationScope operation(slot);
  KC_ASSIGN(const ByteSpan bytes, InBytes(part, part_size));
  return operation.Continue(IgnoreDelivery(CipherPart(call, *operation, direction, bytes, out)));
}

Status Final(CK_SESSION_HANDLE session, Direction direction, const OutBuffer& out) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  std::optional<KeyOperation>& slot = SlotOf(call, direction);
  KC_CHECK_OK(Require(slot));
  OperationScope operation(slot);
  return operation.Finish(CipherLast(call, *operation, direction, out));
}

}  // namespace

namespace call {

Status C_EncryptInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  return BeginKeyOperation(call, call.operations().encrypt, mechanism, key, CKF_ENCRYPT,
                           CKA_ENCRYPT);
}

Status C_Encrypt(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG data_size, CK_BYTE_PTR out,
                 CK_ULONG_PTR out_size) {
  return OneShot(session, Direction::kEncrypt, data, data_size, OutBuffer(out, out_size));
}

Status C_EncryptUpdate(CK_SESSION_HANDLE session, CK_BYTE_PTR part, CK_ULONG part_size,
                       CK_BYTE_PTR out, CK_ULONG_PTR out_size) {
  return Update(session, Direction::kEncrypt, part, part_size, OutBuffer(out, out_size));
}

Status C_EncryptFinal(CK_SESSION_HANDLE session, CK_BYTE_PTR out, CK_ULONG_PTR out_size) {
  return Final(session, Direction::kEncrypt, OutBuffer(out, out_size));
}

Status C_DecryptInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  return BeginKeyOperation(call, call.operations().decrypt, mechanism, key, CKF_DECRYPT,
                           CKA_DECRYPT);
}

Status C_Decrypt(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG data_size, CK_BYTE_PTR out,
                 CK_ULONG_PTR out_size) {
  return OneShot(session, Direction::kDecrypt, data, data_size, OutBuffer(out, out_size));
}

Status C_DecryptUpdate(CK_SESSION_HANDLE session, CK_BYTE_PTR part, CK_ULONG part_size,
                       CK_BYTE_PTR out, CK_ULONG_PTR out_size) {
  return Update(session, Direction::kDecrypt, part, part_size, OutBuffer(out, out_size));
}

Status C_DecryptFinal(CK_SESSION_HANDLE session, CK_BYTE_PTR out, CK_ULONG_PTR out_size) {
  return Final(session, Direction::kDecrypt, OutBuffer(out, out_size));
}

}  // namespace call
}  // namespace keyclave::pkcs11
