// /dev/sev-guest, the SEV-SNP guest driver's own device (Documentation/virt/coco/sev-guest.rst,
// since Linux 5.19): requests to the AMD secure processor (SEV-SNP Firmware ABI, chapter 7).
#pragma once

#include "attest/binding.h"
#include "attest/produce/abi.h"
#include "attest/produce/io.h"
#include "enclave/base/secret_bytes.h"

namespace keyclave::attest {

inline constexpr const char* kSevGuestDevice = "/dev/sev-guest";

struct SnpReport {
  Bytes report;        // ATTESTATION_REPORT
  Bytes certificates;  // the host's table of certificates; empty where there is none
};

Result<OpenFile> OpenSevGuest(Io& io);
// A report that carries the report data, of the most privileged level that this guest may name,
// which is its own.
Result<SnpReport> RequestSnpReport(Io& io, const OpenFile& device, const ReportData& report_data);
// The key that the secure processor derives for this request: 32 bytes.
Result<SecretBytes> RequestSnpKey(Io& io, const OpenFile& device,
                                  abi::SnpDerivedKeyRequest& request);

inline constexpr size_t kSnpReportSize = 0x4A0;
// Whether a report carries these report data.
bool SnpCarriesReportData(ByteSpan report, const ReportData& report_data);
// The table without what lies behind its last certificate; empty if it has no certificate, or one
// that lies outside.
Bytes CutCertificates(ByteSpan table);

}  // namespace keyclave::attest
