// The values that a TPM's registers (PCR) have now.
#pragma once

#include "attest/tpm/connection.h"

namespace keyclave::attest::tpm {

// The registers of a choice, ascending, each once. kInvalidArgument for a bank that is not known,
// for none, and for one above 23.
inline constexpr unsigned kRegisters = 24;
Result<PcrSelection> Select(const PcrChoice& choice);
TPML_PCR_SELECTION AsTss2(const PcrSelection& selection);

// All at one moment. kIo if the TPM does not have one of them.
Result<PcrValues> ReadRegisters(Connection& tpm, const PcrSelection& selection);

}  // namespace keyclave::attest::tpm
