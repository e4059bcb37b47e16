#include "attest/tpm/hardware.h"

#include "attest/dcap/verify.h"
#include "attest/snp/report.h"
#include "attest/snp/verify.h"

namespace keyclave::attest::tpm {
namespace {

// What a parser of bytes says, as a verifier of evidence does.
Error AsEvidence(const Error& error) {
  switch (error.code()) {
    case Code::kMalformed:
    case Code::kTruncated:
    case Code::kTrailingBytes:
    case Code::kTooLarge: return Fail(Code::kEvidenceMalformed, error.Text());
    default: return error;
  }
}

}  // namespace

Result<HardwareReport> VerifySnp(ByteSpan report, const std::vector<Certificate>& certificates,
                                 const VerifyContext& context) {
  const auto parsed = ParseSnpReport(report);
  if (!parsed.ok()) return AsEvidence(parsed.error());
  KC_ASSIGN(ClaimSet claims,
            VerifySnpReport(*parsed, certificates, context.trust, context.CollateralAt()));
  return HardwareReport{std::move(claims), ToBytes(parsed->report_data)};
}

Result<HardwareReport> VerifyTdx(ByteSpan quote, const VerifyContext& context) {
  HardwareReport report;
  auto claims =
      dcap::VerifyTdQuote(quote, context.trust, context.CollateralAt(), &report.report_data);
  if (!claims.ok()) return AsEvidence(claims.error());
  report.claims = *std::move(claims);
  return report;
}

std::vector<CollateralNeed> SnpNeeds(ByteSpan report, const std::vector<Certificate>& certificates,
                                     const VerifyContext& context) {
  const auto parsed = ParseSnpReport(report);
  if (!parsed.ok()) return {};
  return SnpCollateralNeeds(*parsed, certificates, context.trust, context.now);
}

std::vector<CollateralNeed> TdxNeeds(ByteSpan quote, const VerifyContext& context) {
  const auto parsed = dcap::ParseQuote(quote, dcap::Tee::kTdx);
  if (!parsed.ok()) return {};
  return dcap::QuoteCollateralNeeds(*parsed, context.trust, context.now);
}

}  // namespace keyclave::attest::tpm
