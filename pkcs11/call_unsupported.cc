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

// Key encapsulation (3.2 §5.18).
Status C_EncapsulateKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR /*mechanism*/,
                        CK_OBJECT_HANDLE /*public_key*/, CK_ATTRIBUTE_PTR /*attributes*/,
                        CK_ULONG /*count*/, CK_BYTE_PTR /*out*/, CK_ULONG_PTR /*out_size*/,
                        CK_OBJECT_HANDLE_PTR /*key*/) {
  return NotSupported(session);
}

Status C_DecapsulateKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR /*mechanism*/,
                        CK_OBJECT_HANDLE /*private_key*/, CK_ATTRIBUTE_PTR /*attributes*/,
                        CK_ULONG /*count*/, CK_BYTE_PTR /*ciphertext*/,
                        CK_ULONG /*ciphertext_size*/, CK_OBJECT_HANDLE_PTR /*key*/) {
  return NotSupported(session);
}

}  // namespace keyclave::pkcs11::call
