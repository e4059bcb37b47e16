// Evidence of the `tpm` type for people, in the words of tpm2_print.
#pragma once

#include "attest/tee_type.h"
#include "attest/tpm/evidence.h"

namespace keyclave::attest::tpm {

std::vector<Field> DescribeEvidence(const ParsedEvidence& evidence);
// As tpm2_print and most logs show it: sixteen hexadecimal digits.
std::string FirmwareText(uint64_t version);

}  // namespace keyclave::attest::tpm
