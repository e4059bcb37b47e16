// How new objects come into a token: one way for all operations that make them.
#pragma once

#include "enclave/keys/attributes.h"
#include "enclave/mech/key.h"
#include "enclave/ops/access.h"

namespace keyclave::ops {

// Where the secret of new objects was before. What the enclave kept must not become readable by
// passing through a session.
enum class Source {
  kMade,  // generated here, brought by the caller, or derived for it
  kKept,  // a copy, or what a key of the enclave unwrapped
};

// The security officer of a token alone may set CKA_TRUSTED (base §4.6.3, §4.8, §4.10).
inline bool IsSecurityOfficer(const Call& call, const wire::TokenId& token) {
  return call.session.LoginOf(token) == wire::LoginState::kSecurityOfficer;
}

using PolicyByName = std::function<Result<PolicyCache::PolicyPtr>(const std::string&)>;

// Whether the caller may put an object, complete but for its id, where it is to stand: under its
// policy, in the token or (session not 0) in its session.
Status CheckNewObject(Call& call, const AuthorizedCreation& creation, const keys::Object& object,
                      Source source, const PolicyByName& policies);
// The policies that have to grant beside the object's own.
void SetInherited(keys::Object& object, std::set<std::string> policies);

// Puts objects (attributes complete, except policy, token and session) into the token that was
// authorized: a token object needs the right to administer, a private one needs a login where there
// is a PIN. The policy is the object's own, else the template's kCkaPolicy, else the parent's, else
// the token's default. What is made from other keys (`parents`) inherits their policies: they have
// to grant, too. kTemplateInconsistent for an extractable key that its policies never release.
Result<std::vector<keys::ObjectPtr>> InsertObjects(
    Call& call, const AuthorizedCreation& creation, std::vector<keys::NewObject> objects,
    std::span<const keys::Object* const> parents = {}, Source source = Source::kMade);

// A template with the class that the operation implies; kTemplateInconsistent if it names another.
Result<wire::AttributeList> WithClass(wire::AttributeList attributes, uint64_t object_class);

// One object of a template and what its key material gave, put in by InsertObjects.
Result<wire::ObjectReply> InsertOne(Call& call, const AuthorizedCreation& creation,
                                    wire::AttributeList requested, mech::NewKey made,
                                    keys::Origin origin, uint64_t mechanism,
                                    std::span<const keys::Object* const> parents = {},
                                    Source source = Source::kMade);

}  // namespace keyclave::ops
