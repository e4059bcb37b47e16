// What `keyclave apply` makes: objects of this session, so that whatever happens before they are
// kept leaves nothing; and then all of them become the token's, with the policies, at once.
#pragma once

#include "enclave/ctl/apply_plan.h"
#include "enclave/ctl/enclave_link.h"

namespace keyclave::ctl {

class NewObjects {
 public:
  NewObjects(Enclave& enclave, wire::TokenInfo token)
      : enclave_(enclave), token_(std::move(token)) {}

  Status Make(const SecretStep& step);
  // With the policies of the plan. Errors say that nothing was changed.
  Result<wire::KeepObjectsReply> Keep(const Plan& plan);

 private:
  struct Pair {
    wire::ObjectInfo public_key;
    wire::ObjectInfo private_key;
  };
  Result<Pair> MakePair(const WantedSecret& wanted);
  Status MakeSecretKey(const WantedSecret& wanted);
  Status MakeCertificate(const SecretStep& step, const wire::ObjectInfo& key);
  Status MakeData(const WantedSecret& wanted);
  Result<wire::ObjectInfo> Create(wire::AttributeList attributes);
  void Add(const wire::ObjectInfo& object, const std::string& policy);

  Enclave& enclave_;
  const wire::TokenInfo token_;
  std::vector<wire::KeptObject> made_;
};

}  // namespace keyclave::ctl
