// What a token says beside its policies: reference-value sets, and what was revoked.
#pragma once

#include "attest/expression.h"
#include "enclave/base/bytes.h"

namespace keyclave::authz {

// Callers whose claims satisfy `whom` are refused everything, whatever policies say.
struct Revocation {
  attest::Expression whom;
  std::string reason;
  UnixTime at = 0;
};

// Immutable: a change makes another one, with a higher generation.
struct TokenRules {
  ByteArray<16> token{};
  uint64_t generation = 0;
  attest::ReferenceSets sets;
  std::vector<Revocation> revocations;
};

}  // namespace keyclave::authz
