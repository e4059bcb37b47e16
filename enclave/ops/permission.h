// The permissions that rows of the dispatch table are made with. Enforce gives the proof or the
// refusal.
#pragma once

#include "enclave/mech/mech_type.h"
#include "enclave/ops/access.h"
#include "enclave/ops/release.h"

namespace keyclave::ops {

// Operations that every connected process may call: they open sessions, or tell nothing about
// objects.
struct Anyone {
  struct Proof {};
  template <class Request>
  static Result<Proof> Enforce(Call& /*call*/, const Request& /*request*/) {
    return Proof{};
  }
};

struct OperatorOnly {
  class Proof {
    friend struct OperatorOnly;
    Proof() = default;
  };
  template <class Request>
  static Result<Proof> Enforce(Call& call, const Request& /*request*/) {
    KC_CHECK_OK(RequireOperator(call));
    return Proof();
  }
};

// Owners' signatures, whoever of them it was: what is carried out depends on that.
struct SignedBySomebody {
  class Proof {
   public:
    const wire::Owner& signer() const { return signer_; }

   private:
    friend struct SignedBySomebody;
    explicit Proof(wire::Owner signer) : signer_(std::move(signer)) {}
    wire::Owner signer_;
  };
  template <class Request>
  static Result<Proof> Enforce(Call& call, const Request& /*request*/) {
    if (!call.authority || !call.signer) return Fail(Code::kOwnersOnly);
    return Proof(*call.signer);
  }
};

// Operators, who have the files anyway, and whoever logged in as an owner or auditor of a token.
struct AuditReader {
  class Proof {
    friend struct AuditReader;
    Proof() = default;
  };
  template <class Request>
  static Result<Proof> Enforce(Call& call, const Request& /*request*/) {
    if (call.is_operator) return Proof();
    for (const keys::Token& token : call.service.store.Tokens()) {
      if (call.session.RoleIn(token.id).has_value()) return Proof();
    }
    return Fail(Code::kOperatorOnly);
  }
};

// Any enclave or workload that has proved itself, whatever it is.
struct AttestedCaller {
  class Proof {
    friend struct AttestedCaller;
    Proof() = default;
  };
  template <class Request>
  static Result<Proof> Enforce(Call& call, const Request& /*request*/) {
    if (!call.identity->attested) return Fail(Code::kNotAttested);
    return Proof();
  }
};

// One of those whose witness this enclave is.
struct MarkKeeper {
  class Proof {
    friend struct MarkKeeper;
    Proof() = default;
  };
  template <class Request>
  static Result<Proof> Enforce(Call& call, const Request& /*request*/) {
    KC_CHECK_OK(RequireMarkKeeper(call));
    return Proof();
  }
};

struct SeeToken {
  using Proof = VisibleToken;
  template <class Request>
  static Result<Proof> Enforce(Call& call, const Request& request) {
    return AuthorizeTokenSight(call, request.token);
  }
};

// To initialise an existing token one administers it (and knows its SO PIN, which the handler
// asks); to make one by C_InitToken one is an operator.
struct InitialiseToken {
  class Proof {
   public:
    const std::optional<keys::Token>& existing() const { return existing_; }

   private:
    friend struct InitialiseToken;
    explicit Proof(std::optional<keys::Token> existing) : existing_(std::move(existing)) {}
    std::optional<keys::Token> existing_;
  };
  static Result<Proof> Enforce(Call& call, const wire::InitTokenRequest& request) {
    if (!request.token) {
      KC_CHECK_OK(RequireOperator(call));
      return Proof(std::nullopt);
    }
    KC_ASSIGN(const AuthorizedToken managed, AuthorizeToken(call, *request.token));
    // It removes every key: where there are owners `manage` is not enough.
    KC_CHECK_OK(RequireHighestQuorum(call, managed.token()));
    return Proof(managed.token());
  }
};

// The security officer is logged in to the token.
struct SecurityOfficer {
  using Proof = VisibleToken;
  template <class Request>
  static Result<Proof> Enforce(Call& call, const Request& request) {
    KC_ASSIGN(VisibleToken token, AuthorizeTokenSight(call, request.token));
    if (call.session.LoginOf(request.token) != wire::LoginState::kSecurityOfficer)
      return Fail(Code::kNotLoggedIn);
    return token;
  }
};

// The token's owners signed the request; where it has none, operators.
struct OwnersOf {
  using Proof = AuthorizedToken;
  template <class Request>
  static Result<Proof> Enforce(Call& call, const Request& request) {
    return AuthorizeOwners(call, request.token);
  }
};

struct InspectToken {
  using Proof = InspectedToken;
  template <class Request>
  static Result<Proof> Enforce(Call& call, const Request& request) {
    return AuthorizeInspection(call, request.token);
  }
};

struct ManageToken {
  using Proof = AuthorizedToken;
  template <class Request>
  static Result<Proof> Enforce(Call& call, const Request& request) {
    return AuthorizeToken(call, request.token);
  }
};

struct CreateIn {
  using Proof = AuthorizedCreation;
  template <class Request>
  static Result<Proof> Enforce(Call& call, const Request& request) {
    return AuthorizeCreation(call, request.token);
  }
};

// The member of a request that names the object which the operation is about.
inline const wire::ObjectRef& SubjectOf(const wire::SignRequest& r) { return r.key; }
inline const wire::ObjectRef& SubjectOf(const wire::VerifyRequest& r) { return r.key; }
inline const wire::ObjectRef& SubjectOf(const wire::WrapKeyRequest& r) { return r.wrapping_key; }
inline const wire::ObjectRef& SubjectOf(const wire::UnwrapKeyRequest& r) {
  return r.unwrapping_key;
}
inline const wire::ObjectRef& SubjectOf(const wire::DeriveKeyRequest& r) { return r.base_key; }
inline const wire::ObjectRef& SubjectOf(const wire::EncapsulateKeyRequest& r) {
  return r.public_key;
}
inline const wire::ObjectRef& SubjectOf(const wire::DecapsulateKeyRequest& r) {
  return r.private_key;
}
inline const wire::ObjectRef& SubjectOf(const wire::CertifyRequest& r) { return r.key; }
inline const wire::ObjectRef& SubjectOf(const wire::ExplainRequest& r) { return r.key; }
inline const wire::ObjectRef& SubjectOf(const wire::CopyObjectRequest& r) { return r.object; }
inline const wire::ObjectRef& SubjectOf(const wire::DestroyObjectRequest& r) { return r.object; }
inline const wire::ObjectRef& SubjectOf(const wire::SetAttributesRequest& r) { return r.object; }
inline const wire::ObjectRef& SubjectOf(const wire::GetObjectRequest& r) { return r.object; }
inline const wire::ObjectRef& SubjectOf(const wire::AttestKeyRequest& r) { return r.key; }
inline const wire::ObjectRef& SubjectOf(const wire::ReauthenticateRequest& r) { return r.key; }

// Use of a key: the policy must grant the operation with the request's mechanism.
template <authz::Operation operation>
struct Use {
  using Proof = AuthorizedObject;
  template <class Request>
  static Result<Proof> Enforce(Call& call, const Request& request) {
    KC_ASSIGN(const mech::MechEntry entry, mech::FindMechanism(request.mechanism.type));
    UseOf use{
        .operation = operation, .family = entry.family->name, .mechanism = &request.mechanism};
    if constexpr (operation == authz::Operation::kSign) use.input = request.input;
    return AuthorizeUse(call, SubjectOf(request), use);
  }
};

// To have an object wrapped for a recipient: `release` of a key; a data object goes where it may be
// read. What the caller does not see is refused as a release.
struct ReleaseTo {
  class Proof {
   public:
    const keys::Object& object() const { return object_.object(); }
    size_t permit() const { return object_.permit(); }
    const mech::ReleaseForm& form() const { return *form_; }
    const Recipient& recipient() const { return recipient_; }

   private:
    friend struct ReleaseTo;
    Proof(AuthorizedObject object, const mech::ReleaseForm* form, Recipient recipient)
        : object_(std::move(object)), form_(form), recipient_(std::move(recipient)) {}
    AuthorizedObject object_;
    const mech::ReleaseForm* form_;
    Recipient recipient_;
  };
  static Result<Proof> Enforce(Call& call, const wire::ReleaseRequest& request) {
    if (request.form >= authz::kWrapFormCount) return Fail(Code::kWrapRefused, "no such form");
    const auto form = static_cast<authz::WrapForm>(request.form);
    const mech::ReleaseForm* how = mech::FindReleaseForm(authz::WrapFormName(form));
    if (how == nullptr) return Fail(Code::kWrapRefused, "token-key is C_WrapKey's form");
    const bool relayed = call.identity->is_relayed;
    if (relayed && !how->jwe)
      return Fail(Code::kWrapRefused, "evidence was relayed: a JWE form it has to be");
    // Before the grant is asked: a limit is not to be counted for what cannot be done.
    KC_ASSIGN(Recipient recipient, FindRecipient(call, request.recipient));
    const auto seen = AuthorizeSight(call, request.object);
    // Who only relays evidence reads nothing; what its maker gets, a permit for release has to
    // name.
    const bool reads = !relayed && seen.ok() && seen->object().Class() == CKO_DATA;
    const auto operation = reads ? authz::Operation::kRead : authz::Operation::kRelease;
    KC_ASSIGN(AuthorizedObject object,
              AuthorizeUse(call, request.object,
                           {.operation = operation, .family = how->family, .form = form}));
    return Proof(std::move(object), how, std::move(recipient));
  }
};

// To have a certificate issued by the key of a CA.
struct IssueUnder {
  class Proof {
   public:
    const keys::Object& object() const { return object_.object(); }
    size_t permit() const { return object_.permit(); }
    const WantedCertificate& wanted() const { return wanted_; }

   private:
    friend struct IssueUnder;
    Proof(AuthorizedObject object, WantedCertificate wanted)
        : object_(std::move(object)), wanted_(std::move(wanted)) {}
    AuthorizedObject object_;
    WantedCertificate wanted_;
  };
  static Result<Proof> Enforce(Call& call, const wire::IssueCertificateRequest& request) {
    WantedCertificate wanted(request);
    // A permit may name the mechanisms: the family follows from the key.
    const auto seen = AuthorizeSight(call, request.key);
    const auto type = seen.ok() ? seen->object().attributes.Ulong(CKA_KEY_TYPE) : std::nullopt;
    const std::string_view family = type ? mech::IssuingFamily(*type) : std::string_view();
    KC_ASSIGN(AuthorizedObject object, AuthorizeUse(call, request.key,
                                                    {.operation = authz::Operation::kIssue,
                                                     .family = family,
                                                     .certificate = &wanted}));
    return Proof(std::move(object), std::move(wanted));
  }
};

// To become a member of the fleet: the policy of the fleet's object permits `join`.
struct JoinTheFleet {
  class Proof {
   public:
    const keys::Object& object() const { return object_.object(); }
    size_t permit() const { return object_.permit(); }

   private:
    friend struct JoinTheFleet;
    explicit Proof(AuthorizedObject object) : object_(std::move(object)) {}
    AuthorizedObject object_;
  };
  static Result<Proof> Enforce(Call& call, const wire::JoinFleetRequest& /*request*/) {
    const auto object = call.service.store.fleet_object();
    if (!object.has_value() || call.service.fleet == nullptr)
      return Fail(Code::kWrongState, "this enclave is no member of a fleet");
    wire::ObjectRef ref;
    ref.id = *object;
    KC_ASSIGN(AuthorizedObject authorized,
              AuthorizeUse(call, ref, {.operation = authz::Operation::kJoin}));
    return Proof(std::move(authorized));
  }
};

struct ChangeObject {
  using Proof = AuthorizedObject;
  template <class Request>
  static Result<Proof> Enforce(Call& call, const Request& request) {
    return AuthorizeChange(call, SubjectOf(request));
  }
};

struct ExplainObject {
  using Proof = AuthorizedObject;
  template <class Request>
  static Result<Proof> Enforce(Call& call, const Request& request) {
    return AuthorizeExplanation(call, SubjectOf(request));
  }
};

struct SeeObject {
  using Proof = AuthorizedObject;
  template <class Request>
  static Result<Proof> Enforce(Call& call, const Request& request) {
    return AuthorizeSight(call, SubjectOf(request));
  }
};

}  // namespace keyclave::ops
