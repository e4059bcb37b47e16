// Evidence as Trustee's clients send it: a JSON object of its own for each TEE, around the bytes
// that the TEE made. Here it becomes the bytes again, and no more is asked of it: the enclave
// verifies them.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "enclave/base/bytes.h"

namespace keyclave::kbs {

struct Evidence {
  std::string type;  // as Keyclave calls it
  Bytes bytes;
};

// Whether there is evidence of this TEE (Trustee's name for it) that can be passed on.
bool IsKnownTee(std::string_view tee);
// snp: a report and its certificates; tdx, sgx: a quote. Members that are not used may be there.
// kMalformed, kTooLarge, kUnsupported for another TEE.
Result<Evidence> ParseEvidence(std::string_view tee, const nlohmann::json& json);

// The report of `snp`, which is spelt field by field there.
Result<Bytes> SnpReportBytes(const nlohmann::json& report);

}  // namespace keyclave::kbs
