#include "enclave/ops/approvals.h"

#include "enclave/authz/owner_key.h"

namespace keyclave::ops {

std::vector<std::string> SignersOf(const wire::AdministerRequest& authority) {
  std::vector<std::string> names;
  for (const wire::OwnerSignature& signature : authority.signatures)
    names.push_back(signature.owner);
  return names;
}

std::set<std::string, std::less<>> ApprovedBy(const keys::ObjectStore& store,
                                              const keys::Token& token, const ApprovedUse& use,
                                              UnixTime now) {
  std::set<std::string, std::less<>> owners;
  for (const keys::TokenRecord& record :
       store.TokenRecords(token.id, keys::RecordType::kApproval)) {
    const auto stored = wire::Decode<StoredApproval>(record.body);
    if (!stored.ok()) continue;
    const wire::ApproveRequest& approval = stored->approval;
    const bool fits = approval.object == use.object && approval.operation == use.operation &&
                      approval.tee == use.tee && approval.measurement == use.measurement &&
                      now < approval.expires;
    if (!fits) continue;
    for (const wire::OwnerSignature& signature : stored->authority.signatures) {
      const wire::Owner* owner = token.FindOwner(signature.owner);
      if (owner == nullptr || owner->role != wire::OwnerRole::kOwner) continue;
      if (authz::VerifyOwnerSignature(owner->spki, stored->authority.statement, signature.signature)
              .ok())
        owners.insert(signature.owner);
    }
  }
  return owners;
}

}  // namespace keyclave::ops
