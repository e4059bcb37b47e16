// Who issued a token, and whether that is one of those whose word counts here.
#pragma once

#include "attest/evidence.h"
#include "attest/jwk.h"
#include "attest/token/jose.h"

namespace keyclave::attest::token {

// The configured issuer under whose pinned keys or roots the token verifies. Keys that the token
// brings in its header or payload (jwk, jku, x5u) count for nothing; its certificates (x5c) count
// where the issuer is configured by roots alone, and lead to one.
// kEvidenceChain (nobody here is configured for that issuer, it has no such key, or the key's
// certificates lead to no root), kEvidenceTime (they do not hold now), kEvidenceSignature,
// kEvidenceIdentity (audience); kCollateralInvalid for a configured key set that cannot be read.
Result<const TokenIssuer*> VerifyIssuer(const Token& token, const VerifyContext& context);

}  // namespace keyclave::attest::token
