// Logins and PINs of tokens: the second factor beside evidence.

#include "enclave/ops/handlers.h"
#include "enclave/ops/pin.h"

namespace keyclave::ops {
namespace {

using wire::LoginState;

Status CheckLoginState(const Call& call, const wire::LoginRequest& request) {
  if (request.user == LoginState::kNone) return Fail(Code::kInvalidArgument, "no such user type");
  const LoginState current = call.session.LoginOf(request.token);
  if (current == LoginState::kNone) return Done{};
  return Fail(current == request.user ? Code::kAlreadyLoggedIn : Code::kOtherUserLoggedIn);
}

Status CheckTicket(Call& call, const keys::Token& token, const wire::LoginRequest& request) {
  KC_ASSIGN(const Bytes expected, MakeTicket(call, token, request.user));
  if (!EqualConstantTime(expected, *request.ticket))
    return Fail(Code::kNotLoggedIn, "the login has ended");
  return Done{};
}

}  // namespace

ReplyOf<Op::kLogin> Login(Call& call, const wire::LoginRequest& request,
                          const VisibleToken& proof) {
  KC_CHECK_OK(CheckLoginState(call, request));
  call.audit_fields = {{"token", proof.token().Serial()},
                       {"user", request.user == LoginState::kUser ? "user" : "security officer"}};
  keys::Token token = proof.token();
  const bool has_pin = !PinOf(token, request.user).salt.empty();
  if (has_pin && request.ticket) {
    KC_CHECK_OK(CheckTicket(call, token, request));
  } else if (has_pin) {
    // Without a PIN nothing is tried: callers that rely on evidence alone never lock a token.
    if (!request.pin) return Fail(Code::kPinIncorrect, "the token has a PIN");
    KC_CHECK_OK(CheckPin(call, request.token, request.user, *request.pin));
  } else if (request.user == LoginState::kSecurityOfficer || request.pin) {
    return Fail(Code::kPinNotSet);
  }
  call.session.SetLogin(request.token, request.user);
  KC_ASSIGN(Bytes ticket, MakeTicket(call, token, request.user));
  return wire::LoginReply{std::move(ticket)};
}

ReplyOf<Op::kLogout> Logout(Call& call, const wire::LogoutRequest& request,
                            const VisibleToken& /*proof*/) {
  if (call.session.LoginOf(request.token) == LoginState::kNone) return Fail(Code::kNotLoggedIn);
  call.session.SetLogin(request.token, LoginState::kNone);
  return wire::Empty{};
}

ReplyOf<Op::kReauthenticate> Reauthenticate(Call& call, const wire::ReauthenticateRequest& request,
                                            const AuthorizedObject& key) {
  const keys::Object& object = key.object();
  if (!object.attributes.IsTrue(CKA_ALWAYS_AUTHENTICATE))
    return Fail(Code::kInvalidArgument, "the key has no CKA_ALWAYS_AUTHENTICATE");
  const bool has_pin = call.service.store.HasUserPin(object.token);
  if (!has_pin && request.pin) return Fail(Code::kPinNotSet);
  if (has_pin && !request.pin) return Fail(Code::kPinIncorrect, "the token has a PIN");
  if (has_pin) {
    const Status pin = CheckPin(call, object.token, LoginState::kUser, *request.pin);
    // A PIN that got locked logs its user out (v3.2 §4.9).
    if (pin.code() == Code::kPinLocked) call.session.SetLogin(object.token, LoginState::kNone);
    KC_CHECK_OK(pin);
  }
  return wire::ReauthenticateReply{call.session.AddUseLogin(object.id)};
}

ReplyOf<Op::kInitPin> InitPin(Call& call, const wire::InitPinRequest& request,
                              const VisibleToken& proof) {
  keys::Token token = proof.token();
  KC_ASSIGN(token.user_pin, MakePin(request.pin, token.user_pin));
  KC_CHECK_OK(call.service.store.UpdateToken(token));
  call.audit_fields = {{"token", token.Serial()}};
  return wire::Empty{};
}

ReplyOf<Op::kSetPin> SetPin(Call& call, const wire::SetPinRequest& request,
                            const VisibleToken& proof) {
  const bool officer = call.session.LoginOf(request.token) == LoginState::kSecurityOfficer;
  const LoginState user = officer ? LoginState::kSecurityOfficer : LoginState::kUser;
  KC_CHECK_OK(CheckPin(call, request.token, user, request.old_pin));
  KC_ASSIGN(keys::Token token, call.service.store.FindToken(request.token));
  keys::PinRecord& record = PinOf(token, user);
  KC_ASSIGN(record, MakePin(request.new_pin, record));
  KC_CHECK_OK(call.service.store.UpdateToken(token));
  call.audit_fields = {{"token", proof.token().Serial()}};
  return wire::Empty{};
}

}  // namespace keyclave::ops
