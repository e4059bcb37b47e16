#include "pkcs11/session_end.h"

#include <algorithm>

namespace keyclave::pkcs11 {
namespace {

// Stops at the first failure of the channel: an enclave that is gone has no session objects either,
// or drops them with the attested session, and one deadline is enough to wait for.
template <class Ids>
void DestroyObjects(Module& module, const Ids& ids) {
  for (const wire::ObjectId& id : ids) {
    module.objects().Remove(id);
    const auto reply = module.client().Call<wire::Op::kDestroyObject>({RefTo(id)});
    if (!reply.ok() && reply.code() != Code::kObjectNotFound) return;
  }
}

}  // namespace

void EndSession(Module& module, const SessionPtr& session) {
  std::set<wire::ObjectId> objects;
  {
    const std::lock_guard<std::mutex> lock(session->mutex());
    session->operations = {};
    objects.swap(session->session_objects);
  }
  DestroyObjects(module, objects);

  Slot& slot = *session->slot();
  const MutexLock lock(slot.login_mutex);
  --slot.sessions;
  if (session->read_write()) --slot.read_write_sessions;
  if (slot.sessions != 0 || slot.login() == wire::LoginState::kNone) return;
  // Closing cannot fail for the caller; what the enclave could not be told it is told before the
  // next session opens.
  slot.owes_logout = !Logout(module, slot, session->token()).ok();
  slot.SetLogin(wire::LoginState::kNone);
}

void EndAllSessions(Module& module, const SlotPtr& slot) {
  for (const SessionPtr& session : module.sessions().RemoveAll(slot)) EndSession(module, session);
}

Status Logout(Module& module, Slot& slot, const wire::TokenId& token) {
  // Private objects go first: after the logout the enclave would not show them to us any more.
  DestroyObjects(module, module.objects().ForgetPrivate(token));
  const Status status = module.client().Logout(token);
  // What the enclave does not know of (a login by evidence alone, one that its restart ended) is
  // over as well.
  if (!status.ok() && status.code() != Code::kNotLoggedIn) return status;
  slot.SetLogin(wire::LoginState::kNone);
  return Done{};
}

}  // namespace keyclave::pkcs11
