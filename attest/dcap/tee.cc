#include "attest/dcap/tee.h"

#include "attest/dcap/verify.h"

namespace keyclave::attest::dcap {

Result<std::any> ParseAny(ByteSpan bytes, Tee tee) {
  KC_ASSIGN(Quote quote, ParseQuote(bytes, tee));
  return std::any(std::move(quote));
}

Result<ClaimSet> VerifyAny(const std::any& parsed, const VerifyContext& context) {
  const auto& quote = std::any_cast<const Quote&>(parsed);
  KC_ASSIGN(const VerifiedQuote verified,
            VerifyQuote(quote, context.trust, context.CollateralAt()));
  KC_CHECK_OK(context.binding.Check(quote.report_data()));
  return ClaimsOf(quote, verified);
}

std::vector<Field> DescribeAny(const std::any& parsed) {
  return DescribeQuote(std::any_cast<const Quote&>(parsed));
}

std::vector<CollateralNeed> NeedsOfAny(const std::any& parsed, const VerifyContext& context) {
  return QuoteCollateralNeeds(std::any_cast<const Quote&>(parsed), context.trust, context.now);
}

}  // namespace keyclave::attest::dcap
