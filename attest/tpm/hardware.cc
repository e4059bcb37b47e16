#include "attest/tpm/hardware.h"

#include "attest/dcap/verify.h"
#include "attest/snp/report.h"
#include "attest/snp/verify.h"

namespace keyclave::attest::tpm {

Result<HardwareReport> VerifySnp(ByteSpan report, const std::vector<Certificate>& certificates,
                                 const VerifyContext& context) {
  KC_ASSIGN(const SnpReport parsed, ParseSnpReport(report));
  HardwareReport verified;
  KC_ASSIGN(verified.claims, VerifySnpReport(parsed, certificates, context.trust, context.now));
  verified.report_data = ToBytes(parsed.report_data);
  return verified;
}

Result<HardwareReport> VerifyTdx(ByteSpan quote, const VerifyContext& context) {
  HardwareReport verified;
  KC_ASSIGN(verified.claims,
            dcap::VerifyTdQuote(quote, context.trust, context.now, &verified.report_data));
  return verified;
}

}  // namespace keyclave::attest::tpm
