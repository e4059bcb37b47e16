#include "enclave/ops/access.h"

#include "enclave/base/log.h"

namespace keyclave::ops {
namespace {

using GrantPtr = std::shared_ptr<const authz::Grant>;

// A policy that cannot be read grants nothing.
GrantPtr NoGrant() {
  static const auto* const kNone = new std::shared_ptr<const authz::Grant>(
      std::make_shared<const authz::Grant>(std::vector<authz::Grant::Entry>{}));
  return *kNone;
}

GrantPtr GrantFor(Call& call, const keys::Object& object) {
  const auto policy = call.service.policies.OfObject(call.service.store, object);
  return policy.ok() ? call.session.GrantFor(**policy, call.now) : NoGrant();
}

GrantPtr DefaultGrant(Call& call, const keys::Token& token) {
  const auto policy =
      call.service.policies.Named(call.service.store, token.id, token.default_policy);
  return policy.ok() ? call.session.GrantFor(**policy, call.now) : NoGrant();
}

// Whether some operation would be granted if only the evidence were newer.
bool NeedsFreshEvidence(const authz::Grant& grant, UnixTime now) {
  for (size_t i = 0; i < authz::kOperationCount; ++i) {
    const Status verdict = grant.Check(static_cast<authz::Operation>(i), {}, now);
    if (!verdict.ok() && verdict.code() == Code::kEvidenceExpired) return true;
  }
  return false;
}

bool IsOwn(const Call& call, const keys::Object& object) {
  return object.session != 0 && object.session == call.session.id();
}

// What a refused caller is told: that evidence is missing or old if it is, else no more than the
// denial.
Error Refusal(Call& call, const Error& denial) {
  if (denial.code() == Code::kDenied && !call.session.identity()->attested)
    return Fail(Code::kNotAttested);
  return denial;
}

// Records a denial before the caller hears of it. An audit log that cannot be written changes
// nothing of the refusal.
Error Deny(Call& call, const keys::Object& object, authz::Operation operation,
           std::string_view family, const Error& reason) {
  const Error refusal = Refusal(call, reason);
  if (refusal.code() == Code::kEvidenceExpired)
    return refusal;  // the caller will come back with fresh evidence
  call.service.counts.denied.fetch_add(1, std::memory_order_relaxed);
  call.service.denials.Record(object.id, {call.now, operation, std::string(family),
                                          CallerName(call), call.session.identity()});
  const Status written =
      call.service.audit.Write("denial", {{"object", ToHex(object.id)},
                                          {"policy", object.policy},
                                          {"operation", std::string(OperationName(operation))},
                                          {"mechanism", std::string(family)},
                                          {"code", std::string(CodeName(refusal.code()))},
                                          {"caller", CallerName(call)}});
  if (!written.ok()) Log(LogLevel::kError, written.error().Text());
  return refusal;
}

// A disk that is full stops changes, but not the servers that use their keys: the daemon's log then
// has the grant.
void AuditFirstUse(Call& call, const keys::Object& object, authz::Operation operation,
                   std::string_view family) {
  const auto identity = call.session.identity();
  if (!call.service.uses.Note(call.session.id(), identity->verified_at, {object.id, operation}))
    return;
  const Status written =
      call.service.audit.Write("grant", {{"object", ToHex(object.id)},
                                         {"policy", object.policy},
                                         {"operation", std::string(OperationName(operation))},
                                         {"mechanism", std::string(family)},
                                         {"caller", CallerName(call)}});
  if (!written.ok()) {
    Log(LogLevel::kError,
        "grant of " + ToHex(object.id) + " to " + CallerName(call) + ": " + written.error().Text());
  }
}

// The object that `ref` names among those that the caller may see; what it may not see is found out
// only to record the denial.
Result<keys::ObjectPtr> ResolveFor(Call& call, const wire::ObjectRef& ref,
                                   authz::Operation operation, std::string_view family) {
  const keys::ObjectStore& store = call.service.store;
  const auto granted = [&](const keys::Object& object) {
    return object.session != 0 ? IsOwn(call, object)
                               : GrantFor(call, object)->AllowsAnything(call.now);
  };
  auto found = store.Resolve(ref, granted);
  if (found.ok() || found.code() == Code::kObjectAmbiguous) return found;
  const auto hidden =
      store.Resolve(ref, [](const keys::Object& object) { return object.session == 0; });
  if (hidden.ok()) {
    const Status verdict = GrantFor(call, **hidden)->Check(operation, family, call.now);
    return Deny(call, **hidden, operation, family,
                verdict.ok() ? Fail(Code::kDenied) : verdict.error());
  }
  // Unknown: said openly only to those who have a grant in the token anyway.
  if (call.is_operator) return found;
  std::optional<keys::Token> token;
  for (const keys::Token& candidate : store.Tokens()) {
    const bool named = (!ref.token_label || *ref.token_label == candidate.label) &&
                       (!ref.token_serial || *ref.token_serial == candidate.Serial());
    if (named && DefaultGrant(call, candidate)->AllowsAnything(call.now)) return found;
  }
  return Refusal(call, Fail(Code::kDenied));
}

}  // namespace

std::string CallerName(const Call& call) {
  const auto identity = call.session.identity();
  std::string name;
  if (const attest::Claim* measurement = identity->claims.Find("measurement");
      measurement != nullptr) {
    name = "measurement " + attest::ToText(measurement->value) + ", ";
  } else {
    name = "unattested, ";
  }
  const session::Peer& peer = call.connection.peer;
  name += peer.is_unix ? "uid " + std::to_string(peer.uid) + ", pid " + std::to_string(peer.pid)
                       : peer.address;
  return name + ", session " + std::to_string(call.session.id());
}

Status RequireLogin(Call& call, const keys::Token& token, bool private_object) {
  if (!private_object || token.user_pin.salt.empty()) return Done{};
  if (call.session.LoginOf(token.id) == wire::LoginState::kUser) return Done{};
  return Fail(Code::kNotLoggedIn);
}

bool IsVisible(Call& call, const keys::Object& object, bool* needs_evidence) {
  const auto token = call.service.store.FindToken(object.token);
  if (!token.ok() || !RequireLogin(call, *token, object.IsPrivate()).ok()) return false;
  if (object.session != 0) return IsOwn(call, object);
  const GrantPtr grant = GrantFor(call, object);
  if (grant->AllowsAnything(call.now)) return true;
  if (needs_evidence != nullptr)
    *needs_evidence = *needs_evidence || NeedsFreshEvidence(*grant, call.now);
  return false;
}

Result<AuthorizedObject> AuthorizeUse(Call& call, const wire::ObjectRef& ref,
                                      authz::Operation operation, std::string_view family) {
  KC_ASSIGN(keys::ObjectPtr object, ResolveFor(call, ref, operation, family));
  if (!IsOwn(call, *object)) {
    const Status verdict = GrantFor(call, *object)->Check(operation, family, call.now);
    if (!verdict.ok()) return Deny(call, *object, operation, family, verdict.error());
  }
  KC_ASSIGN(const keys::Token token, call.service.store.FindToken(object->token));
  KC_CHECK_OK(RequireLogin(call, token, object->IsPrivate()));
  AuditFirstUse(call, *object, operation, family);
  return AuthorizedObject(std::move(object));
}

Result<AuthorizedObject> AuthorizeChange(Call& call, const wire::ObjectRef& ref) {
  if (!call.is_operator) return AuthorizeUse(call, ref, authz::Operation::kManage, {});
  const auto others = [&](const keys::Object& object) {
    return object.session == 0 || IsOwn(call, object);
  };
  KC_ASSIGN(keys::ObjectPtr object, call.service.store.Resolve(ref, others));
  KC_ASSIGN(const keys::Token token, call.service.store.FindToken(object->token));
  KC_CHECK_OK(RequireLogin(call, token, object->IsPrivate()));
  return AuthorizedObject(std::move(object));
}

Result<AuthorizedObject> AuthorizeSight(Call& call, const wire::ObjectRef& ref) {
  bool needs_evidence = false;
  const auto visible = [&](const keys::Object& object) {
    return IsVisible(call, object, &needs_evidence) || (call.is_operator && object.session == 0);
  };
  auto found = call.service.store.Resolve(ref, visible);
  if (found.ok()) return AuthorizedObject(std::move(found).value());
  if (needs_evidence) return Fail(Code::kEvidenceExpired);
  return std::move(found).error();
}

Status RequireOperator(Call& call) {
  if (call.is_operator) return Done{};
  return Fail(Code::kOperatorOnly);
}

Result<VisibleToken> AuthorizeTokenSight(Call& call, const wire::TokenId& id) {
  auto token = call.service.store.FindToken(id);
  if (call.is_operator) {
    if (!token.ok()) return std::move(token).error();
    return VisibleToken(*std::move(token));
  }
  if (!token.ok()) return Refusal(call, Fail(Code::kDenied));
  bool expired = false;
  for (const keys::PolicyText& text : call.service.store.Policies(id)) {
    const auto policy = call.service.policies.Named(call.service.store, id, text.name);
    if (!policy.ok()) continue;
    const GrantPtr grant = call.session.GrantFor(**policy, call.now);
    if (grant->AllowsAnything(call.now)) return VisibleToken(*std::move(token));
    expired = expired || NeedsFreshEvidence(*grant, call.now);
  }
  return expired ? Fail(Code::kEvidenceExpired) : Refusal(call, Fail(Code::kDenied));
}

Result<AuthorizedToken> AuthorizeToken(Call& call, const wire::TokenId& id) {
  auto token = call.service.store.FindToken(id);
  if (call.is_operator) {
    if (!token.ok()) return std::move(token).error();
    return AuthorizedToken(*std::move(token));
  }
  if (!token.ok()) return Fail(Code::kDenied);
  const Status verdict = DefaultGrant(call, *token)->Check(authz::Operation::kManage, {}, call.now);
  if (!verdict.ok()) return Refusal(call, verdict.error());
  return AuthorizedToken(*std::move(token));
}

Result<AuthorizedCreation> AuthorizeCreation(Call& call, const wire::TokenId& id) {
  if (const auto managed = AuthorizeToken(call, id); managed.ok()) {
    return AuthorizedCreation(managed->token(), /*may_persist=*/true);
  }
  auto token = call.service.store.FindToken(id);
  if (!token.ok()) return Fail(Code::kDenied);
  const GrantPtr grant = DefaultGrant(call, *token);
  if (grant->AllowsAnything(call.now))
    return AuthorizedCreation(*std::move(token), /*may_persist=*/false);
  const Status verdict = grant->Check(authz::Operation::kManage, {}, call.now);
  return Refusal(call, verdict.ok() ? Fail(Code::kDenied) : verdict.error());
}

wire::ObjectInfo DescribeFor(Call& call, const keys::Object& object) {
  wire::ObjectInfo info{object.id, object.token, object.attributes};
  const bool guarded = object.Class() == CKO_DATA && !IsOwn(call, object);
  if (guarded && !GrantFor(call, object)->Check(authz::Operation::kRead, {}, call.now).ok()) {
    info.attributes.Remove(CKA_VALUE);
  }
  return info;
}

}  // namespace keyclave::ops
