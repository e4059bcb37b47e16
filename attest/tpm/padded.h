// Certificates as they lie in a TPM's NV memory.
#pragma once

#include "attest/x509.h"

namespace keyclave::attest::tpm {

// One DER certificate; zeros may follow it. kMalformed, kTruncated, kTrailingBytes.
Result<Certificate> ParsePadded(ByteSpan bytes);

}  // namespace keyclave::attest::tpm
