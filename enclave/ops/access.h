// Access: the one place where a request meets policy. Each function returns a proof that only it
// can make, and handlers take the proof as an argument: an operation cannot run without its check.
#pragma once

#include "enclave/mech/issue.h"
#include "enclave/ops/service.h"

namespace keyclave::ops {

// A certificate that somebody asks for. What it would say is read when a permit asks for it: nobody
// has requests parsed who would not be served.
class WantedCertificate {
 public:
  explicit WantedCertificate(const wire::IssueCertificateRequest& request) : request_(request) {}
  const wire::IssueCertificateRequest& request() const { return request_; }
  // As mech::DraftLeaf, once.
  Status Draft() const;
  const mech::Leaf* leaf() const { return leaf_ ? &*leaf_ : nullptr; }  // null: not drafted

 private:
  const wire::IssueCertificateRequest& request_;
  mutable std::optional<mech::Leaf> leaf_;
};

// What a request wants to do with an object.
struct UseOf {
  authz::Operation operation{};
  std::string_view family = {};                    // of the mechanism; empty: any
  const wire::Mechanism* mechanism = nullptr;      // of the request
  ByteSpan input = {};                             // of a signature: message or digest
  std::optional<authz::WrapForm> form = {};        // of a release
  const WantedCertificate* certificate = nullptr;  // to be issued
};

// The caller may use this object for one operation with one mechanism family (or holds it as its
// own session object).
class AuthorizedObject {
 public:
  const keys::Object& object() const { return *object_; }
  // Of the object's policy, from 1; 0 for what needs none.
  size_t permit() const { return permit_; }

 private:
  friend Result<AuthorizedObject> AuthorizeUse(Call&, const wire::ObjectRef&, const UseOf&);
  friend Result<AuthorizedObject> AuthorizeChange(Call&, const wire::ObjectRef&);
  friend Result<AuthorizedObject> AuthorizeSight(Call&, const wire::ObjectRef&);
  friend Result<AuthorizedObject> AuthorizeExplanation(Call&, const wire::ObjectRef&);
  explicit AuthorizedObject(keys::ObjectPtr object, size_t permit = 0)
      : object_(std::move(object)), permit_(permit) {}
  keys::ObjectPtr object_;
  size_t permit_;
};

// The caller has some grant under some policy of this token, administers it, or is an operator: it
// may know that the token exists.
class VisibleToken {
 public:
  const keys::Token& token() const { return token_; }

 private:
  friend Result<VisibleToken> AuthorizeTokenSight(Call&, const wire::TokenId&);
  explicit VisibleToken(keys::Token token) : token_(std::move(token)) {}
  keys::Token token_;
};

// The caller administers this token: its owners signed the request; where it has none, the caller
// is an operator, or the token's default policy grants it `manage`.
class AuthorizedToken {
 public:
  const keys::Token& token() const { return token_; }

 private:
  friend Result<AuthorizedToken> AuthorizeToken(Call&, const wire::TokenId&);
  friend Result<AuthorizedToken> AuthorizeOwners(Call&, const wire::TokenId&);
  explicit AuthorizedToken(keys::Token token) : token_(std::move(token)) {}
  keys::Token token_;
};

// The caller may read what a token says of itself (policies, sets, owners …): it administers it, or
// has logged in as one of its owners.
class InspectedToken {
 public:
  const keys::Token& token() const { return token_; }

 private:
  friend Result<InspectedToken> AuthorizeInspection(Call&, const wire::TokenId&);
  explicit InspectedToken(keys::Token token) : token_(std::move(token)) {}
  keys::Token token_;
};

// The caller may make objects in this token: session objects with any grant of the token's default
// policy, token objects where it administers the token or has a grant of `create`.
class AuthorizedCreation {
 public:
  const keys::Token& token() const { return token_; }
  bool may_persist() const { return may_persist_; }
  // Under another policy than the default one it would stand among other callers' objects, and
  // could be taken for theirs.
  bool any_policy() const { return any_policy_; }

 private:
  friend Result<AuthorizedCreation> AuthorizeCreation(Call&, const wire::TokenId&);
  AuthorizedCreation(keys::Token token, bool may_persist, bool any_policy)
      : token_(std::move(token)), may_persist_(may_persist), any_policy_(any_policy) {}
  keys::Token token_;
  bool may_persist_;
  bool any_policy_;
};

// kDenied (or kNotAttested, kEvidenceExpired where fresh evidence could help), kMechanismDenied,
// kNotLoggedIn, kObjectNotFound, kObjectAmbiguous; kPolicyDigest where the reference pins policies
// and the object's is none of them. Denials are recorded and audited; the first use
// of a key by a session too. A caller without any grant in the token cannot tell a forbidden object
// from one that does not exist.
Result<AuthorizedObject> AuthorizeUse(Call& call, const wire::ObjectRef& ref, const UseOf& use);
// To destroy, change or certify an object: those who administer its token, callers with `manage`,
// and the owner of a session object.
Result<AuthorizedObject> AuthorizeChange(Call& call, const wire::ObjectRef& ref);
// To be told why it refused: those, and whoever inspects its token.
Result<AuthorizedObject> AuthorizeExplanation(Call& call, const wire::ObjectRef& ref);
// To read an object's public attributes: whoever would find it.
Result<AuthorizedObject> AuthorizeSight(Call& call, const wire::ObjectRef& ref);
// kTokenNotFound and kDenied look alike to a caller without grants.
Result<VisibleToken> AuthorizeTokenSight(Call& call, const wire::TokenId& token);
Result<AuthorizedToken> AuthorizeToken(Call& call, const wire::TokenId& token);
// The same without `manage`: what only owners may do, and operators while there are none.
// kOwnersOnly, kOperatorOnly.
Result<AuthorizedToken> AuthorizeOwners(Call& call, const wire::TokenId& token);
Result<InspectedToken> AuthorizeInspection(Call& call, const wire::TokenId& token);
Result<AuthorizedCreation> AuthorizeCreation(Call& call, const wire::TokenId& token);
Status RequireOperator(Call& call);
// Whether this enclave is the caller's witness (keep_marks in keyclaved.yaml).
Status RequireMarkKeeper(Call& call);
// Whether the request comes from those who administer the token: its owners, by their signatures;
// an operator where it has none.
bool Administers(const Call& call, const keys::Token& token);
// The same for reading: an owner's login is enough.
bool Inspects(const Call& call, const keys::Token& token);
// Enough owners signed: as `change` says; without it one. Nothing where the token has no owners.
// kQuorum.
Status RequireQuorum(const Call& call, const keys::Token& token,
                     const std::optional<authz::Quorum>& change);
// The same for what changes who decides: as many as any policy, set or approval of the token asks
// for, and as the token itself does.
Status RequireHighestQuorum(Call& call, const keys::Token& token);

// Whether the caller finds the object: it has some grant for it, and is logged in where a PIN
// guards private objects. `needs_evidence` is set if fresh evidence could change a no.
bool IsVisible(Call& call, const keys::Object& object, bool* needs_evidence);
// kNotLoggedIn if the token has a user PIN, the object is private and the session has not given the
// PIN.
Status RequireLogin(Call& call, const wire::TokenId& token, bool private_object);
// What the caller may see of an object: data objects keep their value unless `read` is granted.
wire::ObjectInfo DescribeFor(Call& call, keys::Object object);

// "measurement 6f…, uid 33, session 12": how logs and audit name a caller.
std::string CallerName(const Call& call);

}  // namespace keyclave::ops
