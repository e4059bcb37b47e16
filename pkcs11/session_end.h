// How sessions and logins end, in one place.
//
// After EndSession: the session's own objects are destroyed in the enclave, and if it was the last
// one of its token the process is logged out of it (base §5.6: C_CloseSession). After Logout:
// private objects' handles are invalid, private session objects destroyed.
#pragma once

#include "pkcs11/module.h"

namespace keyclave::pkcs11 {

// `session` has been taken out of the table already.
void EndSession(Module& module, const SessionPtr& session);
void EndAllSessions(Module& module, const SlotPtr& slot);  // nullptr: of every slot

Status Logout(Module& module, Slot& slot, const wire::TokenId& token) KC_REQUIRES(slot.login_mutex);

}  // namespace keyclave::pkcs11
