#include "pkcs11/session_end.h"

#include "enclave/base/log.h"
#include "pkcs11/rv_map.h"

namespace keyclave::pkcs11 {
namespace {

// Stops at the first failure of the channel and says so: an enclave that is gone has no session
// objects either, or drops them with the attested session, and one deadline is enough to wait for.
template <class Ids>
bool DestroyObjects(Module& module, const Ids& ids, bool reachable) {
  for (const wire::ObjectId& id : ids) {
    module.objects().Remove(id);
    if (!reachable) continue;
    const auto reply = module.client().Call<wire::Op::kDestroyObject>({RefTo(id)});
    reachable = reply.ok() || ToRv(reply.code()) != CKR_DEVICE_ERROR;
  }
  return reachable;
}

// Whether the enclave could be reached for all that it was asked; it is not asked if `reachable` is
// false.
bool End(Module& module, const SessionPtr& session, bool reachable) {
  std::set<wire::ObjectId> objects;
  {
    const std::lock_guard<std::mutex> lock(session->mutex());
    session->operations = {};
    objects.swap(session->session_objects);
  }
  reachable = DestroyObjects(module, objects, reachable);

  Slot& slot = *session->slot();
  const MutexLock lock(slot.login_mutex);
  --slot.sessions;
  if (session->read_write()) --slot.read_write_sessions;
  if (slot.sessions != 0 || slot.login() == wire::LoginState::kNone) return reachable;
  // Closing cannot fail for the caller; what the enclave could not be told it is told before the
  // next session opens.
  slot.owes_logout = !reachable || !Logout(module, slot, session->token()).ok();
  slot.SetLogin(wire::LoginState::kNone);
  return !slot.owes_logout;
}

}  // namespace

void EndSession(Module& module, const SessionPtr& session) {
  if (!End(module, session, true)) Log(LogLevel::kInfo, "a session was closed without the enclave");
}

void EndAllSessions(Module& module, const SlotPtr& slot) {
  bool reachable = true;
  for (const SessionPtr& session : module.sessions().RemoveAll(slot))
    reachable = End(module, session, reachable);
}

Status Logout(Module& module, Slot& slot, const wire::TokenId& token) {
  // Private objects go first: after the logout the enclave would not show them to us any more.
  DestroyObjects(module, module.objects().ForgetPrivate(token), true);
  const Status status = module.client().Logout(token);
  // What the enclave does not know of (a login by evidence alone, one that its restart ended) is
  // over as well.
  if (!status.ok() && status.code() != Code::kNotLoggedIn) return status;
  slot.SetLogin(wire::LoginState::kNone);
  return Done{};
}

}  // namespace keyclave::pkcs11
