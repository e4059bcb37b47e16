// What a session may do with an object: the grants of its policy and of those that it inherits,
// each of which has to allow all that is done.
#pragma once

#include "enclave/ops/access.h"

namespace keyclave::ops {

class ObjectGrants {
 public:
  static ObjectGrants Of(Call& call, const keys::Object& object);

  // As Grant::Check for each policy, with that policy's conditions. Gives the permit (from 1) of
  // the object's own policy. kRevoked where the object was.
  Result<size_t> Check(Call& call, const keys::Object& object, const UseOf& use) const;
  // The same, without asking for what only a request can tell.
  bool Permits(authz::Operation operation, UnixTime now) const;
  // Whether the caller may know of the object: a revoked one stays in sight, and says so when used.
  bool AllowsAnything(UnixTime now) const;
  // Whether some operation would be granted if only the evidence were newer.
  bool NeedsFreshEvidence(UnixTime now) const;

 private:
  using GrantPtr = std::shared_ptr<const authz::Grant>;
  template <class Holds>
  bool All(const Holds& holds) const;

  GrantPtr own_;
  std::vector<GrantPtr> inherited_;  // in the order of the object's policies
  bool revoked_ = false;
  bool maker_ = true;  // of the object, where that matters
};

// The grant of a policy of the token, by name. A policy that cannot be read grants nothing.
std::shared_ptr<const authz::Grant> GrantOf(Call& call, const wire::TokenId& token,
                                            const std::string& policy);
bool NeedsFreshEvidence(const authz::Grant& grant, UnixTime now);

}  // namespace keyclave::ops
