// Type `sev-snp`: a report, alone or followed by the host's certificate table (snp/report.h,
// snp/certificate_table.h). snp/verify.h says what is verified and claimed.

#include "attest/produce/produce.h"
#include "attest/snp/certificate_table.h"
#include "attest/snp/verify.h"
#include "enclave/base/byte_reader.h"

namespace keyclave::attest {
namespace {

struct Parsed {
  SnpReport report;
  std::vector<SnpTableEntry> table;
  std::vector<Certificate> certificates;
};

// What a list of that name holds is the host's: it may not make verification depend on its word.
bool IsCertificate(std::string_view name) { return !name.empty() && name != "CRL"; }

Result<Parsed> ParseAll(ByteSpan bytes) {
  ByteReader reader(bytes);
  KC_ASSIGN(const ByteSpan report, reader.Take(kSnpReportSize));
  Parsed parsed;
  KC_ASSIGN(parsed.report, ParseSnpReport(report));
  if (reader.remaining() == 0) return parsed;
  auto table = ParseSnpTable(reader.rest());
  if (!table.ok()) return table.error().In("certificate table");
  parsed.table = *std::move(table);
  for (const SnpTableEntry& entry : parsed.table) {
    if (!IsCertificate(entry.name)) continue;
    auto certificate = Certificate::FromDer(entry.bytes);
    if (!certificate.ok()) return certificate.error().In(entry.name);
    parsed.certificates.push_back(*std::move(certificate));
  }
  return parsed;
}

Result<std::any> Parse(ByteSpan bytes) {
  auto parsed = ParseAll(bytes);
  if (!parsed.ok()) return Fail(Code::kEvidenceMalformed, "sev-snp: " + parsed.error().Text());
  return std::any(*std::move(parsed));
}

Result<ClaimSet> Verify(const std::any& parsed, const VerifyContext& context) {
  const auto& evidence = std::any_cast<const Parsed&>(parsed);
  KC_ASSIGN(ClaimSet claims, VerifySnpReport(evidence.report, evidence.certificates, context.trust,
                                             context.CollateralAt()));
  KC_CHECK_OK(context.binding.Check(evidence.report.report_data));
  return claims;
}

std::vector<CollateralNeed> Needs(const std::any& parsed, const VerifyContext& context) {
  const auto& evidence = std::any_cast<const Parsed&>(parsed);
  return SnpCollateralNeeds(evidence.report, evidence.certificates, context.trust, context.now);
}

// VERSION, VMPL and SIGNATURE_ALGO, so that a damaged report is still taken for one.
bool Recognises(ByteSpan bytes) {
  ByteReader reader(bytes);
  const auto version = reader.TakeLe<uint32_t>();
  const bool known = version.ok() && *version >= 2 && *version <= 5;
  if (!known || !reader.Take(0x2c).ok()) return false;
  const auto vmpl = reader.TakeLe<uint32_t>();
  const auto algorithm = reader.TakeLe<uint32_t>();
  return vmpl.ok() && *vmpl <= 3 && algorithm.ok() && *algorithm == 1;
}

std::vector<Field> Describe(const std::any& parsed) {
  const auto& evidence = std::any_cast<const Parsed&>(parsed);
  std::vector<Field> fields = DescribeSnpReport(evidence.report);
  for (const SnpTableEntry& entry : evidence.table) {
    const std::string name(entry.name.empty() ? std::string_view(entry.guid) : entry.name);
    fields.push_back({"certificates." + name + ".size", std::to_string(entry.bytes.size())});
    if (!IsCertificate(entry.name)) continue;
    const auto certificate = Certificate::FromDer(entry.bytes);
    if (!certificate.ok()) continue;
    fields.push_back({"certificates." + name + ".subject", certificate->SubjectText()});
    fields.push_back({"certificates." + name + ".issuer", certificate->IssuerText()});
    fields.push_back(
        {"certificates." + name + ".not_before", FormatTime(certificate->not_before())});
    fields.push_back({"certificates." + name + ".not_after", FormatTime(certificate->not_after())});
  }
  return fields;
}

Result<Bytes> Produce(const ReportData& report_data, const ProducerConfig& config,
                      UnixTime /*now*/) {
  return ProduceSevSnp(report_data, config);
}

}  // namespace

extern const TeeType kSevSnpTee;
const TeeType kSevSnpTee = {"sev-snp", Recognises, Parse, Verify, Describe, Produce, Needs};

}  // namespace keyclave::attest
