// Tokens: listing, making, initialising, deleting.

#include "enclave/ops/documents.h"
#include "enclave/ops/handlers.h"
#include "enclave/ops/owners.h"
#include "enclave/ops/pin.h"

namespace keyclave::ops {
namespace {

constexpr size_t kMaxLabel = 32;  // bytes: what CK_TOKEN_INFO holds

wire::TokenInfo Describe(const Call& call, const keys::Token& token) {
  wire::TokenInfo info;
  info.id = token.id;
  info.slot = token.slot;
  info.label = token.label;
  info.serial = token.Serial();
  info.initialized = true;
  info.has_user_pin = !token.user_pin.salt.empty();
  info.has_so_pin = !token.so_pin.salt.empty();
  info.user_tries_left = token.user_pin.tries_left;
  info.so_tries_left = token.so_pin.tries_left;
  info.default_policy = token.default_policy;
  info.login = call.session.LoginOf(token.id);
  if (token.HasOwners()) info.owners = token.owners->size();
  return info;
}

struct FirstPolicy {
  authz::Policy policy;
  keys::Document document;
};

Result<FirstPolicy> ParsePolicy(const Call& call, const std::string& text, std::string_view where) {
  KC_ASSIGN(authz::Policy policy, authz::Policy::Parse(text, where));
  auto document = NewDocument(call, policy.name(), policy.version(), text, policy.digest());
  return FirstPolicy{std::move(policy), std::move(document)};
}

Result<FirstPolicy> ConfiguredPolicy(const Call& call) {
  if (call.service.config.default_policy.empty()) {
    return Fail(Code::kPolicyNotFound, "name a policy, or set default_policy in keyclaved.yaml");
  }
  return ParsePolicy(call, call.service.config.default_policy,
                     call.service.config.default_policy_file);
}

Status CheckLabel(const std::string& label) {
  if (label.empty() || label.size() > kMaxLabel) {
    return Fail(Code::kInvalidArgument, "a token's label has 1 to 32 bytes");
  }
  return Done{};
}

void ForgetLogins(Call& call, const wire::TokenId& token) {
  call.service.sessions.ForEach([&](session::Session& session) {
    session.ForgetLogins(token);
    session.ForgetRoles(token, {});
  });
}

// C_InitToken of a token that exists: all objects go, policies stay, the label and the user's PIN
// are new.
ReplyOf<Op::kInitToken> Reinitialise(Call& call, const wire::InitTokenRequest& request,
                                     const keys::Token& existing) {
  if (!existing.so_pin.salt.empty()) {
    KC_CHECK_OK(CheckPin(call, existing.id, wire::LoginState::kSecurityOfficer, request.so_pin));
  }
  const std::vector<keys::Document> policies = call.service.store.Policies(existing.id);
  KC_CHECK_OK(call.service.store.ClearToken(existing.id));
  for (const keys::Document& policy : policies) {
    if (call.service.store.FindPolicy(existing.id, policy.name).ok()) continue;
    KC_CHECK_OK(call.service.store.PutPolicy(existing.id, policy));
  }
  KC_ASSIGN(keys::Token token, call.service.store.FindToken(existing.id));
  token.label = request.label;
  token.user_pin = {
      .salt = {}, .verifier = {}, .tries_left = 0, .generation = token.user_pin.generation + 1};
  if (token.so_pin.salt.empty()) {
    KC_ASSIGN(token.so_pin, MakePin(request.so_pin, token.so_pin));
  }
  KC_CHECK_OK(call.service.store.UpdateToken(token));
  ForgetLogins(call, token.id);
  return wire::CreateTokenReply{Describe(call, token)};
}

}  // namespace

ReplyOf<Op::kListTokens> ListTokens(Call& call, const wire::Empty& /*request*/,
                                    const Anyone::Proof& /*proof*/) {
  wire::ListTokensReply reply;
  reply.can_create = call.is_operator && !call.service.config.default_policy.empty();
  for (const keys::Token& token : call.service.store.Tokens()) {
    const auto visible = AuthorizeTokenSight(call, token.id);
    if (visible.ok()) {
      reply.tokens.push_back(Describe(call, token));
    } else if (visible.code() == Code::kEvidenceExpired) {
      return visible.error();
    }
  }
  return reply;
}

ReplyOf<Op::kCreateToken> CreateToken(Call& call, const wire::CreateTokenRequest& request,
                                      const OperatorOnly::Proof& /*proof*/) {
  KC_CHECK_OK(CheckLabel(request.label));
  KC_ASSIGN(const FirstPolicy first, request.policy.empty()
                                         ? ConfiguredPolicy(call)
                                         : ParsePolicy(call, request.policy, "policy"));
  const keys::Document& policy = first.document;
  keys::Token token;
  token.label = request.label;
  token.default_policy = policy.name;
  token.created = call.now;
  if (request.owners) {
    KC_ASSIGN(token.owners, FirstOwners(call, request));
    token.quorum = FirstQuorum(request, *token.owners);
  }
  KC_CHECK_OK(CheckPolicyOwners(token, first.policy));
  if (request.so_pin) {
    KC_ASSIGN(token.so_pin, MakePin(*request.so_pin, {}));
  }
  if (request.user_pin) {
    if (!request.so_pin)
      return Fail(Code::kInvalidArgument, "a user PIN needs an SO PIN, which can reset it");
    KC_ASSIGN(token.user_pin, MakePin(*request.user_pin, {}));
  }
  KC_ASSIGN(token, call.service.store.CreateToken(std::move(token), policy));
  call.audit_fields = {
      {"token", token.Serial()}, {"policy", policy.name}, {"digest", ToHex(policy.digest)}};
  return wire::CreateTokenReply{Describe(call, token)};
}

ReplyOf<Op::kInitToken> InitToken(Call& call, const wire::InitTokenRequest& request,
                                  const InitialiseToken::Proof& proof) {
  KC_CHECK_OK(CheckLabel(request.label));
  if (proof.existing()) {
    call.audit_fields = {{"token", proof.existing()->Serial()}};
    return Reinitialise(call, request, *proof.existing());
  }
  KC_ASSIGN(const FirstPolicy first, ConfiguredPolicy(call));
  const keys::Document& policy = first.document;
  keys::Token token;
  token.label = request.label;
  token.default_policy = policy.name;
  token.created = call.now;
  KC_ASSIGN(token.so_pin, MakePin(request.so_pin, {}));
  KC_ASSIGN(token, call.service.store.CreateToken(std::move(token), policy));
  call.audit_fields = {
      {"token", token.Serial()}, {"policy", policy.name}, {"digest", ToHex(policy.digest)}};
  return wire::CreateTokenReply{Describe(call, token)};
}

ReplyOf<Op::kDeleteToken> DeleteToken(Call& call, const wire::DeleteTokenRequest& request,
                                      const AuthorizedToken& proof) {
  const keys::Token& token = proof.token();
  KC_CHECK_OK(RequireHighestQuorum(call, token));
  KC_CHECK_OK(call.service.store.DeleteToken(request.token));
  ForgetLogins(call, request.token);
  call.audit_fields = {{"token", token.Serial()}};
  return wire::Empty{};
}

}  // namespace keyclave::ops
