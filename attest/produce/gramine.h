// The interface of Gramine, an SGX library OS: pseudo-files under /dev/attestation (Gramine's
// documentation, "Attestation and Secret Provisioning").
#pragma once

#include "attest/binding.h"
#include "attest/produce/io.h"

namespace keyclave::attest {

// What kind of attestation the enclave was configured for: "dcap", "epid", "none".
Sys<std::string> GramineAttestationType(Io& io);
// A quote that carries the report data.
Result<Bytes> GramineQuote(Io& io, const ReportData& report_data);

}  // namespace keyclave::attest
