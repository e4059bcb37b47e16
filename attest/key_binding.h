// What ties evidence to a key of the enclave: the report data of docs/attestation.md, "A key's own
// evidence".
#pragma once

#include "attest/binding.h"

namespace keyclave::attest {

// SHA-512("keyclave/key-attestation/1" | nonce | SHA-256(document)), each field preceded by its
// length as 32 bits, big-endian. The label keeps it apart from the report data of sessions.
ReportData ComputeKeyReportData(ByteSpan nonce, ByteSpan document);

}  // namespace keyclave::attest
