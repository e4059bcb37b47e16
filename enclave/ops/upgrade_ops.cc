// What owners say about the enclaves that may have their keys later.
#include "enclave/ops/handlers.h"

namespace keyclave::ops {
namespace {

// Of this enclave; 0 where its evidence names none.
uint64_t OwnVersion(const Service& service) {
  for (const wire::ClaimText& claim : service.claims) {
    const bool is_number = !claim.value.empty() && claim.value.size() <= 10 &&
                           claim.value.find_first_not_of("0123456789") == std::string::npos;
    if (claim.name == "svn" && claim.attested && is_number) return std::stoull(claim.value);
  }
  return 0;
}

}  // namespace

// Above its own version the enclave that is asked would lock everybody out at the next start.
ReplyOf<Op::kRequireVersion> RequireVersion(Call& call, const wire::RequireVersionRequest& request,
                                            const OwnersOf::Proof& proof) {
  keys::ObjectStore& store = call.service.store;
  const auto object = store.fleet_object();
  if (!object.has_value())
    return Fail(Code::kWrongState, "no fleet was founded: there are no owners of all keys");
  KC_ASSIGN(const keys::ObjectPtr fleet, store.Get(*object));
  if (fleet->token != proof.token().id)
    return Fail(Code::kWrongState, "the owners of the fleet's token decide, not those of this one");
  KC_CHECK_OK(RequireHighestQuorum(call, proof.token()));
  if (const uint64_t own = OwnVersion(call.service); request.svn > own)
    return Fail(Code::kVersionTooLow, "this enclave is of version " + std::to_string(own) +
                                          " itself: upgrade first, then require it");
  KC_CHECK_OK(store.RequireVersion(request.svn));
  call.audit_fields = {{"svn", std::to_string(request.svn)}};
  return wire::Empty{};
}

}  // namespace keyclave::ops
