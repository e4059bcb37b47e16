// The part of the client's state that keeps logins: the enclave's tickets, presented again to a
// daemon that was restarted, and to another member of the fleet. The PIN is never kept.
#include "enclave/client/state.h"

namespace keyclave::client {

void Client::State::KeepLogin(const wire::TokenId& token, Login login) {
  const MutexLock lock(mutex_);
  logins_.insert_or_assign(token, std::move(login));
  ever_logged_in_.insert(token);
}

bool Client::State::ForgetLogin(const wire::TokenId& token) {
  const MutexLock lock(mutex_);
  return logins_.erase(token) != 0;
}

// A session of an earlier stay still has the logins of that time, and what became of them since it
// does not know.
Status Client::State::EndLogins(Channel& channel, Deadline deadline) {
  std::set<wire::TokenId> tokens;
  {
    const MutexLock lock(mutex_);
    tokens = ever_logged_in_;
  }
  for (const wire::TokenId& token : tokens) {
    KC_CHECK_OK(channel.Exchange(
        wire::Op::kLogout, wire::OpCodec<wire::Op::kLogout>::EncodeRequest({token}), deadline));
  }
  return Done{};
}

Result<bool> Client::State::RestoreLogins(Channel& channel, Deadline deadline) {
  Logins logins;
  {
    const MutexLock lock(mutex_);
    logins = logins_;
  }
  bool any = false;
  for (const auto& [token, login] : logins) {
    bool accepted = false;
    KC_CHECK_OK(PresentTicket(channel, token, login, deadline, accepted));
    any = any || accepted;
  }
  return any;
}

Status Client::State::PresentTicket(Channel& channel, const wire::TokenId& token,
                                    const Login& login, Deadline deadline, bool& accepted) {
  wire::LoginRequest request;
  request.token = token;
  request.user = login.user;
  request.ticket = login.ticket;
  KC_ASSIGN(const Channel::Reply reply,
            channel.Exchange(wire::Op::kLogin,
                             wire::OpCodec<wire::Op::kLogin>::EncodeRequest(request), deadline));
  accepted = reply.code == 0 || reply.code == static_cast<uint64_t>(Code::kAlreadyLoggedIn);
  std::optional<Login> renewed;
  if (reply.code == 0) {
    KC_ASSIGN(wire::LoginReply fields, wire::OpCodec<wire::Op::kLogin>::DecodeReply(reply.fields));
    renewed = Login{.user = login.user, .ticket = std::move(fields.ticket)};
  }
  {
    const MutexLock lock(mutex_);
    const auto held = logins_.find(token);
    if (held != logins_.end()) {
      // A login that another thread made meanwhile stays as it is.
      if (held->second == login && renewed.has_value()) held->second = *std::move(renewed);
      if (held->second == login && !accepted) logins_.erase(held);
      return Done{};
    }
  }
  // Another thread has logged out while the ticket was on its way.
  if (!accepted) return Done{};
  accepted = false;
  KC_CHECK_OK(channel.Exchange(wire::Op::kLogout,
                               wire::OpCodec<wire::Op::kLogout>::EncodeRequest({token}), deadline));
  return Done{};
}

}  // namespace keyclave::client
