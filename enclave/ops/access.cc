// Who may do what with an object.
#include "enclave/ops/access.h"

#include "enclave/base/log.h"
#include "enclave/ops/audit_fields.h"
#include "enclave/ops/grants.h"

namespace keyclave::ops {
namespace {

bool IsOwn(const Call& call, const keys::Object& object) {
  return object.session != 0 && object.session == call.session.id();
}

// What a refused caller is told: that evidence is missing or old if it is, else no more than the
// denial.
Error Refusal(Call& call, const Error& denial) {
  if (denial.code() == Code::kDenied && !call.identity->attested) return Fail(Code::kNotAttested);
  return denial;
}

// Whether `operation` is a use that CKA_ALWAYS_AUTHENTICATE asks a login for: one of the key's
// secret (v3.2 §4.9).
bool NeedsUseLogin(const keys::Object& object, authz::Operation operation) {
  using authz::Operation;
  const bool about_the_object = operation == Operation::kManage || operation == Operation::kRead ||
                                operation == Operation::kRelease;
  return !about_the_object && object.attributes.IsTrue(CKA_ALWAYS_AUTHENTICATE);
}

// What a PIN guards: private objects by the session's login, and each use of some keys by one of
// its own.
Status RequireLogins(Call& call, const keys::Object& object, const wire::ObjectRef& ref,
                     authz::Operation operation) {
  KC_CHECK_OK(RequireLogin(call, object.token, object.IsPrivate()));
  if (!NeedsUseLogin(object, operation)) return Done{};
  if (ref.login && call.session.HasUseLogin(*ref.login, object.id)) return Done{};
  return Fail(Code::kNotLoggedIn, "the key asks for a login for each use");
}

// A key that is staged, or retired, is there for those who manage it, and does nothing for others.
Status CheckInService(const Call& call, const keys::Object& object, authz::Operation operation) {
  using authz::Operation;
  if (operation == Operation::kManage || operation == Operation::kRead) return Done{};
  if (object.attributes.IsTrue(kCkaStaged))
    return Fail(Code::kKeyNotInService, "keyclave key rotate --certificate puts it into service");
  const auto until = object.attributes.Ulong(kCkaUseUntil).value_or(0);
  if (until == 0 || call.now < static_cast<UnixTime>(until)) return Done{};
  return Fail(Code::kKeyRetired, FormatTime(static_cast<UnixTime>(until)));
}

// Records a denial before the caller hears of it. An audit log that cannot be written changes
// nothing of the refusal.
Error Deny(Call& call, const keys::Object& object, const UseOf& use, const Error& reason) {
  const Error refusal = Refusal(call, reason);
  if (refusal.code() == Code::kEvidenceExpired)
    return refusal;  // the caller will come back with fresh evidence
  call.service.counts.denied.fetch_add(1, std::memory_order_relaxed);
  call.service.denials.Record(object.id, {call.now, use.operation, std::string(use.family),
                                          CallerName(call), call.identity, reason.Text()});
  std::vector<audit::Field> fields = ObjectFields(object);
  fields.push_back({"operation", std::string(OperationName(use.operation))});
  fields.push_back({"mechanism", std::string(use.family)});
  if (use.certificate != nullptr) AddWanted(*use.certificate, fields);
  fields.push_back({"code", std::string(CodeName(refusal.code()))});
  AddCaller(call, fields);
  const Status written = call.service.audit.Write("denial", fields);
  if (!written.ok()) Log(LogLevel::kError, written.error().Text());
  return refusal;
}

// A disk that is full stops changes, but not the servers that use their keys: the daemon's log then
// has the grant.
void AuditFirstUse(Call& call, const keys::Object& object, const UseOf& use, size_t permit) {
  const UseLedger::Use noted{object.id, use.operation};
  if (!call.service.uses.Note(call.session.id(), call.identity, noted)) return;
  std::vector<audit::Field> fields = ObjectFields(object);
  fields.push_back({"permit", permit == 0 ? "own object" : std::to_string(permit)});
  fields.push_back({"operation", std::string(OperationName(use.operation))});
  fields.push_back({"mechanism", std::string(use.family)});
  AddCaller(call, fields);
  const Status written = call.service.audit.Write("grant", fields);
  if (!written.ok()) {
    Log(LogLevel::kError,
        "grant of " + ToHex(object.id) + " to " + CallerName(call) + ": " + written.error().Text());
  }
}

struct Resolved {
  keys::ObjectPtr object;
  ObjectGrants grants;  // empty for the caller's own session object
};

// The object that `ref` names among those that the caller may see; what it may not see is found out
// only to record the denial.
Result<Resolved> ResolveFor(Call& call, const wire::ObjectRef& ref, const UseOf& use) {
  const keys::ObjectStore& store = call.service.store;
  std::optional<std::pair<wire::ObjectId, ObjectGrants>> latest;
  const auto granted = [&](const keys::Object& object) {
    if (object.session != 0) return IsOwn(call, object);
    latest.emplace(object.id, ObjectGrants::Of(call, object));
    return latest->second.AllowsAnything(call.now);
  };
  auto found = store.Resolve(ref, granted);
  if (found.ok()) {
    // Nearly always the last one that was looked at; evaluated grants are cached in any case.
    if (latest && latest->first == (*found)->id)
      return Resolved{*std::move(found), std::move(latest->second)};
    if (IsOwn(call, **found)) return Resolved{*std::move(found), {}};
    ObjectGrants grants = ObjectGrants::Of(call, **found);
    return Resolved{*std::move(found), std::move(grants)};
  }
  if (found.code() == Code::kObjectAmbiguous) return std::move(found).error();
  const auto hidden =
      store.Resolve(ref, [](const keys::Object& object) { return object.session == 0; });
  if (hidden.ok()) {
    const auto verdict = ObjectGrants::Of(call, **hidden).Check(call, **hidden, use);
    return Deny(call, **hidden, use, verdict.ok() ? Fail(Code::kDenied) : verdict.error());
  }
  // Unknown: said openly only to those who have a grant in the token anyway, and to operators of
  // tokens that are nobody's.
  bool told = call.is_operator;
  for (const keys::Token& candidate : store.Tokens()) {
    const bool named = (!ref.token_label || *ref.token_label == candidate.label) &&
                       (!ref.token_serial || *ref.token_serial == candidate.Serial());
    if (!named) continue;
    if (Inspects(call, candidate) ||
        GrantOf(call, candidate.id, candidate.default_policy)->AllowsAnything(call.now))
      return std::move(found).error();
    told = false;
  }
  return told ? std::move(found).error() : Refusal(call, Fail(Code::kDenied));
}

// The object among those of tokens that the caller administers (or inspects), and its own.
Result<keys::ObjectPtr> ResolveOwned(Call& call, const wire::ObjectRef& ref,
                                     bool (*holds)(const Call&, const keys::Token&)) {
  return call.service.store.Resolve(ref, [&](const keys::Object& object) {
    if (object.session != 0) return IsOwn(call, object);
    const auto token = call.service.store.FindToken(object.token);
    return token.ok() && holds(call, *token);
  });
}

// What the caller pinned is checked where the object is used, so that nothing can change between.
// Only who may use the object learns that its policy is another.
Status CheckPinned(Call& call, const wire::ObjectRef& ref, const keys::Object& object) {
  if (!ref.policies) return Done{};
  if (ref.policies->empty() || ref.policies->size() > wire::kMaxPinnedPolicies)
    return Fail(Code::kBadMessage, "1 to 16 pinned policies");
  const auto policy = call.service.policies.OfObject(call.service.store, object);
  const bool fits = policy.ok() && std::find(ref.policies->begin(), ref.policies->end(),
                                             (*policy)->digest()) != ref.policies->end();
  if (fits) return Done{};
  return Fail(Code::kPolicyDigest, object.policy);
}

}  // namespace

Status WantedCertificate::Draft() const {
  if (leaf_) return Done{};
  KC_ASSIGN(leaf_, mech::DraftLeaf(request_));
  return Done{};
}

std::string CallerName(const Call& call) {
  const auto& identity = call.identity;
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

Status RequireLogin(Call& call, const wire::TokenId& token, bool private_object) {
  if (!private_object || !call.service.store.HasUserPin(token)) return Done{};
  if (call.session.LoginOf(token) == wire::LoginState::kUser) return Done{};
  return Fail(Code::kNotLoggedIn);
}

bool IsVisible(Call& call, const keys::Object& object, bool* needs_evidence) {
  if (!RequireLogin(call, object.token, object.IsPrivate()).ok()) return false;
  if (object.session != 0) return IsOwn(call, object);
  const ObjectGrants grants = ObjectGrants::Of(call, object);
  if (grants.AllowsAnything(call.now)) return true;
  if (needs_evidence != nullptr)
    *needs_evidence = *needs_evidence || grants.NeedsFreshEvidence(call.now);
  return false;
}

Result<AuthorizedObject> AuthorizeUse(Call& call, const wire::ObjectRef& ref, const UseOf& use) {
  KC_ASSIGN(Resolved resolved, ResolveFor(call, ref, use));
  const keys::Object& object = *resolved.object;
  // Before the grant is asked: a limit is not to be counted for what a missing PIN or a pin stops.
  const Status login = RequireLogins(call, object, ref, use.operation);
  const Status pinned = CheckPinned(call, ref, object);
  size_t permit = 0;
  if (!IsOwn(call, object)) {
    const bool stopped = !login.ok() || !pinned.ok();
    if (stopped && resolved.grants.Permits(use.operation, call.now))
      return login.ok() ? pinned.error() : login.error();
    const auto verdict = resolved.grants.Check(call, object, use);
    if (!verdict.ok()) return Deny(call, object, use, verdict.error());
    permit = *verdict;
  }
  KC_CHECK_OK(login);
  KC_CHECK_OK(pinned);
  KC_CHECK_OK(CheckInService(call, object, use.operation));
  // Only now, so that a caller who comes back with fresh evidence still has it.
  if (NeedsUseLogin(object, use.operation) && !call.session.TakeUseLogin(*ref.login, object.id))
    return Fail(Code::kNotLoggedIn, "the login was for one use");
  AuditFirstUse(call, object, use, permit);
  return AuthorizedObject(std::move(resolved.object), permit);
}

Result<AuthorizedObject> AuthorizeChange(Call& call, const wire::ObjectRef& ref) {
  auto owned = ResolveOwned(call, ref, Administers);
  if (!owned.ok() && owned.code() == Code::kObjectAmbiguous) return std::move(owned).error();
  if (!owned.ok()) {
    auto managed = AuthorizeUse(call, ref, {.operation = authz::Operation::kManage});
    if (managed.ok() || !(call.is_operator || call.authority)) return managed;
    const bool exists =
        call.service.store
            .Resolve(ref, [](const keys::Object& object) { return object.session == 0; })
            .ok();
    return exists ? Fail(Code::kOwnersOnly) : std::move(managed).error();
  }
  KC_CHECK_OK(CheckPinned(call, ref, **owned));
  KC_CHECK_OK(RequireLogin(call, (*owned)->token, (*owned)->IsPrivate()));
  return AuthorizedObject(*std::move(owned));
}

Result<AuthorizedObject> AuthorizeSight(Call& call, const wire::ObjectRef& ref) {
  bool needs_evidence = false;
  const auto visible = [&](const keys::Object& object) {
    if (IsVisible(call, object, &needs_evidence)) return true;
    const auto token = call.service.store.FindToken(object.token);
    return object.session == 0 && token.ok() && Inspects(call, *token);
  };
  auto found = call.service.store.Resolve(ref, visible);
  if (found.ok()) {
    KC_CHECK_OK(CheckPinned(call, ref, **found));
    return AuthorizedObject(std::move(found).value());
  }
  if (needs_evidence) return Fail(Code::kEvidenceExpired);
  return std::move(found).error();
}

Result<AuthorizedObject> AuthorizeExplanation(Call& call, const wire::ObjectRef& ref) {
  auto inspected = ResolveOwned(call, ref, Inspects);
  if (inspected.ok()) return AuthorizedObject(*std::move(inspected));
  return AuthorizeChange(call, ref);
}

wire::ObjectInfo DescribeFor(Call& call, keys::Object object) {
  const bool guarded = object.Class() == CKO_DATA && !IsOwn(call, object);
  const UseOf read{.operation = authz::Operation::kRead};
  const auto may_read = [&] {
    return RequireLogin(call, object.token, object.IsPrivate()).ok() &&
           ObjectGrants::Of(call, object).Check(call, object, read).ok();
  };
  if (guarded && !may_read()) object.attributes.Remove(CKA_VALUE);
  return {object.id, object.token, std::move(object.attributes)};
}

}  // namespace keyclave::ops
