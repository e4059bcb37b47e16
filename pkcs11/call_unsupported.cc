// Functions that this version does not do: each says so for a valid session (docs/pkcs11.md has the
// reasons).
#include "pkcs11/calls.h"
#include "pkcs11/module.h"

namespace keyclave::pkcs11::call {
namespace {

Status NotSupported(CK_SESSION_HANDLE session) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  return Fail(Code::kP11FunctionNotSupported);
}

}  // namespace

// Signatures with message recovery: a raw RSA signature under another name, whose verification
// would give back data that nothing vouches for.
Status C_SignRecoverInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR /*mechanism*/,
                         CK_OBJECT_HANDLE /*key*/) {
  return NotSupported(session);
}

Status C_SignRecover(CK_SESSION_HANDLE session, CK_BYTE_PTR /*data*/, CK_ULONG /*data_size*/,
                     CK_BYTE_PTR /*out*/, CK_ULONG_PTR /*out_size*/) {
  return NotSupported(session);
}

Status C_VerifyRecoverInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR /*mechanism*/,
                           CK_OBJECT_HANDLE /*key*/) {
  return NotSupported(session);
}

Status C_VerifyRecover(CK_SESSION_HANDLE session, CK_BYTE_PTR /*signature*/,
                       CK_ULONG /*signature_size*/, CK_BYTE_PTR /*out*/,
                       CK_ULONG_PTR /*out_size*/) {
  return NotSupported(session);
}

// The message-based functions of 3.0.
Status C_MessageEncryptInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR /*mechanism*/,
                            CK_OBJECT_HANDLE /*key*/) {
  return NotSupported(session);
}

Status C_EncryptMessage(CK_SESSION_HANDLE session, CK_VOID_PTR /*parameter*/,
                        CK_ULONG /*parameter_size*/, CK_BYTE_PTR /*associated*/,
                        CK_ULONG /*associated_size*/, CK_BYTE_PTR /*plaintext*/,
                        CK_ULONG /*plaintext_size*/, CK_BYTE_PTR /*out*/,
                        CK_ULONG_PTR /*out_size*/) {
  return NotSupported(session);
}

Status C_EncryptMessageBegin(CK_SESSION_HANDLE session, CK_VOID_PTR /*parameter*/,
                             CK_ULONG /*parameter_size*/, CK_BYTE_PTR /*associated*/,
                             CK_ULONG /*associated_size*/) {
  return NotSupported(session);
}

Status C_EncryptMessageNext(CK_SESSION_HANDLE session, CK_VOID_PTR /*parameter*/,
                            CK_ULONG /*parameter_size*/, CK_BYTE_PTR /*part*/,
                            CK_ULONG /*part_size*/, CK_BYTE_PTR /*out*/, CK_ULONG_PTR /*out_size*/,
                            CK_FLAGS /*flags*/) {
  return NotSupported(session);
}

Status C_MessageEncryptFinal(CK_SESSION_HANDLE session) { return NotSupported(session); }

Status C_MessageDecryptInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR /*mechanism*/,
                            CK_OBJECT_HANDLE /*key*/) {
  return NotSupported(session);
}

Status C_DecryptMessage(CK_SESSION_HANDLE session, CK_VOID_PTR /*parameter*/,
                        CK_ULONG /*parameter_size*/, CK_BYTE_PTR /*associated*/,
                        CK_ULONG /*associated_size*/, CK_BYTE_PTR /*ciphertext*/,
                        CK_ULONG /*ciphertext_size*/, CK_BYTE_PTR /*out*/,
                        CK_ULONG_PTR /*out_size*/) {
  return NotSupported(session);
}

Status C_DecryptMessageBegin(CK_SESSION_HANDLE session, CK_VOID_PTR /*parameter*/,
                             CK_ULONG /*parameter_size*/, CK_BYTE_PTR /*associated*/,
                             CK_ULONG /*associated_size*/) {
  return NotSupported(session);
}

Status C_DecryptMessageNext(CK_SESSION_HANDLE session, CK_VOID_PTR /*parameter*/,
                            CK_ULONG /*parameter_size*/, CK_BYTE_PTR /*part*/,
                            CK_ULONG /*part_size*/, CK_BYTE_PTR /*out*/, CK_ULONG_PTR /*out_size*/,
                            CK_FLAGS /*flags*/) {
  return NotSupported(session);
}

Status C_MessageDecryptFinal(CK_SESSION_HANDLE session) { return NotSupported(session); }

Status C_MessageSignInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR /*mechanism*/,
                         CK_OBJECT_HANDLE /*key*/) {
  return NotSupported(session);
}

Status C_SignMessage(CK_SESSION_HANDLE session, CK_VOID_PTR /*parameter*/,
                     CK_ULONG /*parameter_size*/, CK_BYTE_PTR /*data*/, CK_ULONG /*data_size*/,
                     CK_BYTE_PTR /*out*/, CK_ULONG_PTR /*out_size*/) {
  return NotSupported(session);
}

Status C_SignMessageBegin(CK_SESSION_HANDLE session, CK_VOID_PTR /*parameter*/,
                          CK_ULONG /*parameter_size*/) {
  return NotSupported(session);
}

Status C_SignMessageNext(CK_SESSION_HANDLE session, CK_VOID_PTR /*parameter*/,
                         CK_ULONG /*parameter_size*/, CK_BYTE_PTR /*part*/, CK_ULONG /*part_size*/,
                         CK_BYTE_PTR /*out*/, CK_ULONG_PTR /*out_size*/) {
  return NotSupported(session);
}

Status C_MessageSignFinal(CK_SESSION_HANDLE session) { return NotSupported(session); }

Status C_MessageVerifyInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR /*mechanism*/,
                           CK_OBJECT_HANDLE /*key*/) {
  return NotSupported(session);
}

Status C_VerifyMessage(CK_SESSION_HANDLE session, CK_VOID_PTR /*parameter*/,
                       CK_ULONG /*parameter_size*/, CK_BYTE_PTR /*data*/, CK_ULONG /*data_size*/,
                       CK_BYTE_PTR /*signature*/, CK_ULONG /*signature_size*/) {
  return NotSupported(session);
}

Status C_VerifyMessageBegin(CK_SESSION_HANDLE session, CK_VOID_PTR /*parameter*/,
                            CK_ULONG /*parameter_size*/) {
  return NotSupported(session);
}

Status C_VerifyMessageNext(CK_SESSION_HANDLE session, CK_VOID_PTR /*parameter*/,
                           CK_ULONG /*parameter_size*/, CK_BYTE_PTR /*part*/,
                           CK_ULONG /*part_size*/, CK_BYTE_PTR /*signature*/,
                           CK_ULONG /*signature_size*/) {
  return NotSupported(session);
}

Status C_MessageVerifyFinal(CK_SESSION_HANDLE session) { return NotSupported(session); }

}  // namespace keyclave::pkcs11::call
