#include "attest/tpm/hardware.h"

namespace keyclave::attest::tpm {

Result<HardwareReport> VerifySnp(ByteSpan /*report*/,
                                 const std::vector<Certificate>& /*certificates*/,
                                 const VerifyContext& /*context*/) {
  return Fail(Code::kUnsupported, "SNP reports are not verified by this build");
}

Result<HardwareReport> VerifyTdx(ByteSpan /*quote*/, const VerifyContext& /*context*/) {
  return Fail(Code::kUnsupported, "TD quotes are not verified by this build");
}

}  // namespace keyclave::attest::tpm
