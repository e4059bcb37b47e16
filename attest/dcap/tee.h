// What the types sgx and tdx have in common: all but their names and where their evidence is made.
#pragma once

#include "attest/dcap/quote.h"
#include "attest/tee_type.h"

namespace keyclave::attest::dcap {

Result<std::any> ParseAny(ByteSpan bytes, Tee tee);
Result<ClaimSet> VerifyAny(const std::any& parsed, const VerifyContext& context);
std::vector<Field> DescribeAny(const std::any& parsed);
std::vector<CollateralNeed> NeedsOfAny(const std::any& parsed, const VerifyContext& context);

}  // namespace keyclave::attest::dcap
