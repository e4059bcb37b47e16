// Requests about upgrades of the enclave itself.
#pragma once

#include "enclave/wire/message_parts.h"

namespace keyclave::wire {

// Owners of the fleet's token: from now on no enclave with a lower security version number has the
// keys. It only rises.
struct RequireVersionRequest {
  TokenId token{};
  uint64_t svn = 0;
  KC_FIELDS_2(token, svn)
};
using RequireVersionReply = Empty;

}  // namespace keyclave::wire
