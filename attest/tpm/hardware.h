// The hardware's report under a virtual TPM: verified by the type's own code, without a look at
// what it is bound to. That is the vTPM's key; the quote made with it carries the session.
#pragma once

#include "attest/evidence.h"

namespace keyclave::attest::tpm {

struct HardwareReport {
  ClaimSet claims;
  Bytes report_data;
};

// `certificates`: the VCEK and what evidence brings of its chain. Errors as in VerifyEvidence.
Result<HardwareReport> VerifySnp(ByteSpan report, const std::vector<Certificate>& certificates,
                                 const VerifyContext& context);
Result<HardwareReport> VerifyTdx(ByteSpan quote, const VerifyContext& context);

// What these need beside the evidence; nothing where the report cannot even be parsed.
std::vector<CollateralNeed> SnpNeeds(ByteSpan report, const std::vector<Certificate>& certificates,
                                     const VerifyContext& context);
std::vector<CollateralNeed> TdxNeeds(ByteSpan quote, const VerifyContext& context);

}  // namespace keyclave::attest::tpm
