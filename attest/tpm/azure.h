// The attestation report that the paravisor (HCL) of Azure's confidential virtual machines keeps in
// the vTPM's NV memory: a report of the hardware, and the runtime data that its report data is the
// hash of. Among them is the vTPM's attestation key.
//
//   0     "HCLA", version, report size, request type, status, 12 reserved bytes
//   32    hardware report, 1184 bytes: an SNP report, or a TDREPORT
//   1216  size of the rest, version, report type, hash type, size of the runtime data
//   1236  runtime data (JSON); zeros fill the buffer
//
// What it proves depends on the hardware report's measurement: the keys in the runtime data are
// the vTPM's only if the paravisor that put them there is Microsoft's. A policy about the `tpm.`
// claims of this form must name the measurement (or id_key_digest), too.
#pragma once

#include "attest/claims.h"
#include "attest/public_key.h"

namespace keyclave::attest::tpm {

enum class HclType : uint32_t { kSnp = 2, kTdx = 4 };

struct HclReport {
  uint32_t version;
  HclType type;
  Bytes hardware_report;
  Bytes runtime_data;         // JSON, exactly as it was hashed
  PublicKey attestation_key;  // of `HCLAkPub`
  ClaimSet configuration;     // `vm-configuration`
};

inline constexpr size_t kMaxHclReport = 8192;  // bytes; the NV index has 2600
// kMalformed, kTruncated.
Result<HclReport> ParseHclReport(ByteSpan bytes);
bool LooksLikeHclReport(ByteSpan bytes);

// That these runtime data are what the hardware signed: SHA-256 of them, and zeros.
// kEvidenceSignature.
Status CheckRuntimeData(const HclReport& report, ByteSpan report_data);

}  // namespace keyclave::attest::tpm
