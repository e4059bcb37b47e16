// Random handle -> session. A call that has found its session keeps it alive, whoever closes it
// meanwhile.
#pragma once

#include <unordered_map>

#include "pkcs11/session.h"

namespace keyclave::pkcs11 {

class SessionTable {
 public:
  SessionPtr Open(SlotPtr slot, const wire::TokenId& token, bool read_write);
  Result<SessionPtr> Find(CK_SESSION_HANDLE handle) const;  // kP11SessionHandleInvalid
  Result<SessionPtr> Remove(CK_SESSION_HANDLE handle);     // exactly one of several callers gets it
  std::vector<SessionPtr> RemoveAll(const SlotPtr& slot);  // nullptr: of every slot

 private:
  mutable SharedMutex mutex_;
  std::unordered_map<CK_SESSION_HANDLE, SessionPtr> sessions_ KC_GUARDED_BY(mutex_);
};

}  // namespace keyclave::pkcs11
