// Sessions and logins.
#include "pkcs11/args.h"
#include "pkcs11/calls.h"
#include "pkcs11/out_buffer.h"
#include "pkcs11/pins.h"
#include "pkcs11/session_end.h"

namespace keyclave::pkcs11::call {
namespace {

// Counts the session in, unless the token's login forbids it.
Result<SessionPtr> OpenIn(Module& module, const SlotPtr& slot, const wire::TokenInfo& token,
                          bool read_write) {
  const MutexLock lock(slot->login_mutex);
  if (slot->owes_logout) {
    KC_CHECK_OK(module.client().Logout(token.id));
    slot->owes_logout = false;
  }
  if (slot->login() == wire::LoginState::kSecurityOfficer && !read_write) {
    return Fail(Code::kP11SessionReadWriteSoExists);
  }
  SessionPtr session = module.sessions().Open(slot, token.id, read_write);
  ++slot->sessions;
  if (read_write) ++slot->read_write_sessions;
  return session;
}

Status CheckLogin(Slot& slot, wire::LoginState wanted) KC_REQUIRES(slot.login_mutex) {
  if (slot.login() == wanted) return Fail(Code::kAlreadyLoggedIn);
  if (slot.login() != wire::LoginState::kNone) return Fail(Code::kOtherUserLoggedIn);
  // Base §5.6: the security officer has no read-only sessions.
  if (wanted == wire::LoginState::kSecurityOfficer && slot.sessions != slot.read_write_sessions) {
    return Fail(Code::kP11SessionReadOnlyExists);
  }
  return Done{};
}

// A user of a token without PINs proves itself by evidence: any answer of the enclave came over a
// channel on which it was accepted. The answer also says whether the token is still one without
// PINs.
Status PresentEvidence(Module& module, const Slot& slot) {
  KC_CHECK_OK(module.slots().Refresh());
  KC_ASSIGN(const wire::TokenInfo token, slot.Token());
  if (NeedsPin(token)) return Fail(Code::kP11ArgumentsBad, "the token has a PIN");
  return Done{};
}

Status LoginWithPin(client::Client& client, const wire::TokenInfo& token, wire::LoginState user,
                    const CK_UTF8CHAR* pin, CK_ULONG pin_size) {
  auto read = ReadPin(pin, pin_size, false);
  if (!read.ok()) {
    // A PIN that is longer than any: C_Login has no other answer for it.
    if (read.code() == Code::kPinLenRange) return Fail(Code::kPinIncorrect);
    return read.error();
  }
  return client.Login(token.id, user, std::move(read).value());
}

Status Login(const SessionPtr& session, Module& module, CK_USER_TYPE user, const CK_UTF8CHAR* pin,
             CK_ULONG pin_size) {
  const auto wanted = user == CKU_SO ? wire::LoginState::kSecurityOfficer : wire::LoginState::kUser;
  Slot& slot = *session->slot();
  const MutexLock lock(slot.login_mutex);
  KC_CHECK_OK(CheckLogin(slot, wanted));
  KC_ASSIGN(const wire::TokenInfo token, slot.Token());
  if (wanted == wire::LoginState::kUser && !NeedsPin(token) && pin == nullptr) {
    KC_CHECK_OK(PresentEvidence(module, slot));
  } else {
    KC_CHECK_OK(LoginWithPin(module.client(), token, wanted, pin, pin_size));
  }
  slot.SetLogin(wanted);
  return Done{};
}

// v3.2 §4.9: after C_SignInit and the like with a key of CKA_ALWAYS_AUTHENTICATE, for that
// operation alone.
Status LoginForUse(CK_SESSION_HANDLE session, const CK_UTF8CHAR* pin, CK_ULONG pin_size) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  KC_ASSIGN(const Operations::Waiting waiting, call.operations().WaitingForLogin());
  wire::ReauthenticateRequest request;
  request.key.id = waiting.key->info.id;
  if (pin != nullptr) {
    auto read = ReadPin(pin, pin_size, false);
    if (!read.ok()) {
      return read.code() == Code::kPinLenRange ? Fail(Code::kPinIncorrect)
                                               : std::move(read).error();
    }
    request.pin = std::move(read).value();
  }
  const auto reply = call.client().Call<wire::Op::kReauthenticate>(request);
  if (reply.ok()) {
    *waiting.login = reply->login;
    return Done{};
  }
  if (reply.code() == Code::kPinLocked) {
    Slot& slot = *call.session->slot();
    const MutexLock lock(slot.login_mutex);
    slot.owes_logout = !Logout(*call.module, slot, call.session->token()).ok();
  }
  return reply.error();
}

}  // namespace

Status C_OpenSession(CK_SLOT_ID slot, CK_FLAGS flags, CK_VOID_PTR /*application*/,
                     CK_NOTIFY /*notify*/, CK_SESSION_HANDLE_PTR session) {
  KC_ASSIGN(const ModulePtr module, Module::Current());
  KC_CHECK_OK(NotNull(session));
  if ((flags & CKF_SERIAL_SESSION) == 0) return Fail(Code::kP11SessionParallel);
  if ((flags & CKF_ASYNC_SESSION) != 0) return Fail(Code::kP11SessionAsync);
  module->slots().RefreshIfUnknown();
  KC_ASSIGN(const SlotPtr found, module->slots().Find(slot));
  KC_ASSIGN(const wire::TokenInfo token, found->Token());
  KC_ASSIGN(const SessionPtr opened, OpenIn(*module, found, token, (flags & CKF_RW_SESSION) != 0));
  *session = opened->handle();
  return Done{};
}

Status C_CloseSession(CK_SESSION_HANDLE session) {
  KC_ASSIGN(const ModulePtr module, Module::Current());
  KC_ASSIGN(const SessionPtr closed, module->sessions().Remove(session));
  EndSession(*module, closed);
  return Done{};
}

Status C_CloseAllSessions(CK_SLOT_ID slot) {
  KC_ASSIGN(const ModulePtr module, Module::Current());
  auto found = module->slots().Find(slot);
  if (!found.ok()) {
    module->slots().RefreshIfUnknown();
    found = module->slots().Find(slot);
  }
  if (!found.ok()) return found.error();
  EndAllSessions(*module, *found);
  return Done{};
}

Status C_GetSessionInfo(CK_SESSION_HANDLE session, CK_SESSION_INFO_PTR info) {
  KC_ASSIGN(const ModulePtr module, Module::Current());
  // Not EnterSession: this must answer while an operation of the session is at the enclave.
  KC_ASSIGN(const SessionPtr found, module->sessions().Find(session));
  KC_CHECK_OK(NotNull(info));
  *info = {};
  info->slotID = found->slot()->id();
  info->state = found->State();
  info->flags = CKF_SERIAL_SESSION;
  if (found->read_write()) info->flags |= CKF_RW_SESSION;
  return Done{};
}

Status C_Login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR_PTR pin,
               CK_ULONG pin_size) {
  KC_ASSIGN(const ModulePtr module, Module::Current());
  KC_ASSIGN(const SessionPtr found, module->sessions().Find(session));
  switch (user) {
    case CKU_SO:
    case CKU_USER: return Login(found, *module, user, pin, pin_size);
    case CKU_CONTEXT_SPECIFIC: return LoginForUse(session, pin, pin_size);
    default: return Fail(Code::kP11UserTypeInvalid);
  }
}

// The users of a token are its security officer and its user: there are no names to choose among.
Status C_LoginUser(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR_PTR pin,
                   CK_ULONG pin_size, CK_UTF8CHAR_PTR name, CK_ULONG name_size) {
  KC_ASSIGN(const ModulePtr module, Module::Current());
  KC_ASSIGN(const SessionPtr found, module->sessions().Find(session));
  KC_ASSIGN(const ByteSpan user_name, InBytes(name, name_size));
  if (!user_name.empty()) return Fail(Code::kP11ArgumentsBad, "no named users");
  return C_Login(session, user, pin, pin_size);
}

Status C_Logout(CK_SESSION_HANDLE session) {
  KC_ASSIGN(const ModulePtr module, Module::Current());
  KC_ASSIGN(const SessionPtr found, module->sessions().Find(session));
  Slot& slot = *found->slot();
  const MutexLock lock(slot.login_mutex);
  if (slot.login() == wire::LoginState::kNone) return Fail(Code::kNotLoggedIn);
  return Logout(*module, slot, found->token());
}

// 3.0 §5.6.8: what of the named kinds is active ends; what is not active is not an error.
Status C_SessionCancel(CK_SESSION_HANDLE session, CK_FLAGS flags) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  call.operations().Cancel(flags);
  return Done{};
}

// No operation here meets a validation's requirements, for none was validated (3.2 §4.16.3).
Status C_GetSessionValidationFlags(CK_SESSION_HANDLE session, CK_SESSION_VALIDATION_FLAGS_TYPE type,
                                   CK_FLAGS* flags) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  KC_CHECK_OK(NotNull(flags));
  if (type != CKS_LAST_VALIDATION_OK)
    return Fail(Code::kP11ArgumentsBad, "no such validation flags");
  *flags = 0;
  return Done{};
}

}  // namespace keyclave::pkcs11::call
