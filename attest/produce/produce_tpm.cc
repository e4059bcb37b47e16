#include "attest/produce/produce.h"
#include "attest/tpm/quote.h"
#include "enclave/base/file.h"

namespace keyclave::attest {
namespace {

constexpr size_t kQualifyingData = 32;         // bytes: what every TPM takes
constexpr size_t kMaxFile = size_t{64} << 10;  // bytes

Result<std::vector<Certificate>> ReadChain(const std::string& path) {
  const auto bytes = ReadFile(path, kMaxFile);
  if (!bytes.ok())
    return Fail(Code::kEvidenceUnavailable, "tpm: certificate: " + bytes.error().Text());
  auto chain = Certificate::ListFrom(*bytes);
  if (!chain.ok() || chain->empty())
    return Fail(Code::kEvidenceUnavailable, "tpm: certificate: " + path + " holds no certificate");
  return chain;
}

// The certificate of the quote's key, and all others of the file behind it.
Status AddCertificate(const std::string& path, tpm::Evidence& evidence) {
  KC_ASSIGN(const std::vector<Certificate> chain, ReadChain(path));
  for (const Certificate& certificate : chain) {
    if (evidence.certificate.empty() && Equal(certificate.key().spki(), evidence.key)) {
      evidence.certificate = certificate.der();
    } else {
      evidence.chain.push_back(certificate.der());
    }
  }
  if (!evidence.certificate.empty()) return Done{};
  return Fail(Code::kEvidenceUnavailable, "tpm: certificate: none in " + path +
                                              " is of the attestation key (SHA-256 of its "
                                              "SubjectPublicKeyInfo " +
                                              ToHex(Sha256(evidence.key)) + ")");
}

Status AddHardware(const std::string& path, tpm::Evidence& evidence) {
  const auto report = tpm::ParseHclReport(evidence.hcl_report);
  if (!report.ok())
    return Fail(Code::kEvidenceUnavailable, "Azure's HCL report: " + report.error().Text());
  // A TDREPORT becomes a quote by a service of the host, over HTTP.
  if (report->type == tpm::HclType::kTdx)
    return Fail(Code::kEvidenceUnavailable,
                "Azure's HCL report is of TDX: its quote is to be had from Azure's services only; "
                "use evidence: token");
  if (path.empty()) return Done{};  // the verifier's collateral may have them
  KC_ASSIGN(const std::vector<Certificate> chain, ReadChain(path));
  for (const Certificate& certificate : chain) {
    evidence.hardware_chain.push_back(certificate.der());
  }
  return Done{};
}

}  // namespace

Result<Bytes> ProduceTpm(const ReportData& report_data, const ProducerConfig& config) {
  KC_ASSIGN(tpm::Evidence evidence,
            tpm::MakeQuote(config.tpm, ByteSpan(report_data).first(kQualifyingData)));
  const std::string& path = config.tpm.certificate_file;
  if (!evidence.hcl_report.empty()) {
    KC_CHECK_OK(AddHardware(path, evidence));
  } else if (!path.empty()) {
    KC_CHECK_OK(AddCertificate(path, evidence));
  }
  Bytes encoded = tpm::EncodeEvidence(evidence);
  // What no verifier would take is not sent.
  if (const auto parsed = tpm::ParseTpmEvidence(encoded); !parsed.ok())
    return Fail(Code::kEvidenceUnavailable, "tpm: " + parsed.error().Text());
  return encoded;
}

}  // namespace keyclave::attest
