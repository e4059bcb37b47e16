// Access: the one place where a request meets policy. Each function returns a proof that only it
// can make, and handlers take the proof as an argument: an operation cannot run without its check.
#pragma once

#include "enclave/ops/service.h"

namespace keyclave::ops {

// The caller may use this object for one operation with one mechanism family (or holds it as its
// own session object).
class AuthorizedObject {
 public:
  const keys::Object& object() const { return *object_; }

 private:
  friend Result<AuthorizedObject> AuthorizeUse(Call&, const wire::ObjectRef&, authz::Operation,
                                               std::string_view);
  friend Result<AuthorizedObject> AuthorizeChange(Call&, const wire::ObjectRef&);
  friend Result<AuthorizedObject> AuthorizeSight(Call&, const wire::ObjectRef&);
  explicit AuthorizedObject(keys::ObjectPtr object) : object_(std::move(object)) {}
  keys::ObjectPtr object_;
};

// The caller has some grant under some policy of this token, or is an operator: it may know that
// the token exists.
class VisibleToken {
 public:
  const keys::Token& token() const { return token_; }

 private:
  friend Result<VisibleToken> AuthorizeTokenSight(Call&, const wire::TokenId&);
  explicit VisibleToken(keys::Token token) : token_(std::move(token)) {}
  keys::Token token_;
};

// The caller may administer this token: it is an operator, or the token's default policy grants it
// `manage`.
class AuthorizedToken {
 public:
  const keys::Token& token() const { return token_; }

 private:
  friend Result<AuthorizedToken> AuthorizeToken(Call&, const wire::TokenId&);
  explicit AuthorizedToken(keys::Token token) : token_(std::move(token)) {}
  keys::Token token_;
};

// The caller may make objects in this token: session objects with any grant of the token's default
// policy, token objects where it may administer.
class AuthorizedCreation {
 public:
  const keys::Token& token() const { return token_; }
  bool may_persist() const { return may_persist_; }

 private:
  friend Result<AuthorizedCreation> AuthorizeCreation(Call&, const wire::TokenId&);
  AuthorizedCreation(keys::Token token, bool may_persist)
      : token_(std::move(token)), may_persist_(may_persist) {}
  keys::Token token_;
  bool may_persist_;
};

// kDenied (or kNotAttested, kEvidenceExpired where fresh evidence could help), kMechanismDenied,
// kNotLoggedIn, kObjectNotFound, kObjectAmbiguous. Denials are recorded and audited; the first use
// of a key by a session too. A caller without any grant in the token cannot tell a forbidden object
// from one that does not exist.
Result<AuthorizedObject> AuthorizeUse(Call& call, const wire::ObjectRef& ref,
                                      authz::Operation operation, std::string_view family);
// To destroy, change, certify or explain an object: operators, callers with `manage`, and the owner
// of a session object.
Result<AuthorizedObject> AuthorizeChange(Call& call, const wire::ObjectRef& ref);
// To read an object's public attributes: whoever would find it.
Result<AuthorizedObject> AuthorizeSight(Call& call, const wire::ObjectRef& ref);
// kTokenNotFound and kDenied look alike to a caller without grants.
Result<VisibleToken> AuthorizeTokenSight(Call& call, const wire::TokenId& token);
Result<AuthorizedToken> AuthorizeToken(Call& call, const wire::TokenId& token);
Result<AuthorizedCreation> AuthorizeCreation(Call& call, const wire::TokenId& token);
Status RequireOperator(Call& call);

// Whether the caller finds the object: it has some grant for it, and is logged in where a PIN
// guards private objects. `needs_evidence` is set if fresh evidence could change a no.
bool IsVisible(Call& call, const keys::Object& object, bool* needs_evidence);
// kNotLoggedIn if the token has a user PIN, the object is private and the session has not given the
// PIN.
Status RequireLogin(Call& call, const keys::Token& token, bool private_object);
// What the caller may see of an object: data objects keep their value unless `read` is granted.
wire::ObjectInfo DescribeFor(Call& call, const keys::Object& object);

// "measurement 6f…, uid 33, session 12": how logs and audit name a caller.
std::string CallerName(const Call& call);

}  // namespace keyclave::ops
