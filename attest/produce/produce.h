// Evidence about the calling process or machine, from whatever interface it has for that. What
// comes back has the form that the type's verifier parses, and carries the report data; for the
// formats whose field is at a fixed place that was looked at, so that nobody is sent evidence that
// another thread or process diverted.
// Every failure is kEvidenceUnavailable and says what was looked for, what the operating system
// answered, and what an operator can do about it.
#pragma once

#include "attest/tee_type.h"

namespace keyclave::attest {

// A DCAP quote. Inside Occlum by /dev/sgx, inside Gramine by /dev/attestation.
Result<Bytes> ProduceSgx(const ReportData& report_data, const ProducerConfig& config);
// A DCAP quote by configfs-tsm (Linux 6.7). /dev/tdx_guest alone is not enough: what it gives is no
// quote yet.
Result<Bytes> ProduceTdx(const ReportData& report_data, const ProducerConfig& config);
// An attestation report and, where the host has them, the table of certificates behind it; by
// configfs-tsm, else by /dev/sev-guest (Linux 5.19).
Result<Bytes> ProduceSevSnp(const ReportData& report_data, const ProducerConfig& config);
// An Arm CCA token by configfs-tsm (Linux 6.13).
Result<Bytes> ProduceCca(const ReportData& report_data, const ProducerConfig& config);
// An attestation document (COSE_Sign1) by /dev/nsm.
Result<Bytes> ProduceNitro(const ReportData& report_data, const ProducerConfig& config);
// A JSON web token: of config.token_file as it lies there, or what config.token_command prints. The
// command finds the report data in its environment (kReportDataVariable, lower-case hexadecimal)
// and has ten seconds; it must exit with 0 and print the token and nothing else.
Result<Bytes> ProduceToken(const ReportData& report_data, const ProducerConfig& config);
inline constexpr std::string_view kReportDataVariable = "KEYCLAVE_REPORT_DATA";

// A TPM's quote over config.tpm.pcrs, by tpm2-tss (tpm/device.h). By the attestation key at
// config.tpm.key_handle, with its certificate and chain where there is a certificate_file, else for
// verifiers that have enrolled it. On a machine that has no such key but an Azure HCL report, by
// Azure's key (0x81000003) and with that report; certificate_file is then the VCEK and its chain.
Result<Bytes> ProduceTpm(const ReportData& report_data, const ProducerConfig& config);

// The field of a Nitro document that carries the report data.
inline constexpr std::string_view kNitroReportDataField = "user_data";

// The evidence type whose interface is there. Looked for, in this order: Occlum (sgx), Gramine
// (sgx), /dev/sev-guest (sev-snp), /dev/tdx_guest (tdx), what configfs-tsm says (sev-snp, tdx,
// cca), /dev/nsm (nitro), a configured token (token), the TPM's device or a configured TPM of
// another kind (tpm): what is about the smallest thing first, and hardware before what is only
// configured. An interface that is there but may not be used counts: its producer will say why.
Result<std::string> DetectTee(const ProducerConfig& config);

// The ioctls that the producer of this type makes on Linux, for who lets a process make no others.
std::span<const unsigned long> ProducerIoctls(std::string_view type);

// The host that the configuration names.
Host& HostOf(const ProducerConfig& config);

}  // namespace keyclave::attest
