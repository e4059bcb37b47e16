// Evidence that the machine's TPM makes.
#pragma once

#include "attest/tpm/device.h"
#include "attest/tpm/evidence.h"

namespace keyclave::attest::tpm {

// A quote over config.pcrs by the key at config.key_handle, the values of the registers at that
// moment, and the key (SubjectPublicKeyInfo). Where there is no such key, but Azure's HCL report:
// by Azure's key, and the report in the key's place. kEvidenceUnavailable.
inline constexpr uint32_t kAzureKey = 0x8100'0003;
inline constexpr uint32_t kAzureReport = 0x0140'0001;
Result<Evidence> MakeQuote(const DeviceConfig& config, ByteSpan qualifying_data);

}  // namespace keyclave::attest::tpm
