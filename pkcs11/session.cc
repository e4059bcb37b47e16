#include "pkcs11/session.h"

namespace keyclave::pkcs11 {

CK_STATE Session::State() const {
  switch (slot_->login()) {
    case wire::LoginState::kUser:
      return read_write_ ? CKS_RW_USER_FUNCTIONS : CKS_RO_USER_FUNCTIONS;
    case wire::LoginState::kSecurityOfficer:
      return CKS_RW_SO_FUNCTIONS;  // there are no read-only ones
    case wire::LoginState::kNone: break;
  }
  return read_write_ ? CKS_RW_PUBLIC_SESSION : CKS_RO_PUBLIC_SESSION;
}

}  // namespace keyclave::pkcs11
