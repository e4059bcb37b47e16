// The owners that a token is born with.
#pragma once

#include "enclave/ops/service.h"

namespace keyclave::ops {

// Each has proved that it holds its key; names and keys are distinct, and somebody may decide.
// kInvalidArgument, kStatementInvalid.
Result<std::vector<wire::Owner>> FirstOwners(const Call& call,
                                             const wire::CreateTokenRequest& request);
// How many of them must sign where no policy says: what was asked for, else a majority.
uint64_t FirstQuorum(const wire::CreateTokenRequest& request,
                     const std::vector<wire::Owner>& owners);

}  // namespace keyclave::ops
