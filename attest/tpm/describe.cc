#include "attest/tpm/describe.h"

#include "enclave/base/byte_reader.h"

namespace keyclave::attest::tpm {
namespace {

std::string BankName(uint16_t id) {
  const Bank* bank = FindBank(id);
  return bank == nullptr ? std::to_string(id) : std::string(bank->name);
}

void DescribeAttest(const Attest& attest, std::vector<Field>& fields) {
  fields.push_back({"magic", "ff544347"});
  fields.push_back({"type", "8018"});
  fields.push_back({"qualifiedSigner", ToHex(attest.qualified_signer)});
  fields.push_back({"extraData", ToHex(attest.extra_data)});
  fields.push_back({"clockInfo.clock", std::to_string(attest.clock)});
  fields.push_back({"clockInfo.resetCount", std::to_string(attest.reset_count)});
  fields.push_back({"clockInfo.restartCount", std::to_string(attest.restart_count)});
  fields.push_back({"clockInfo.safe", attest.safe ? "1" : "0"});
  fields.push_back({"firmwareVersion", FirmwareText(attest.firmware_version)});
  fields.push_back({"attested.quote.pcrSelect.count", std::to_string(attest.selections.size())});
  for (size_t i = 0; i < attest.selections.size(); ++i) {
    const PcrSelection& selection = attest.selections[i];
    const std::string at = "attested.quote.pcrSelect.pcrSelections." + std::to_string(i) + ".";
    fields.push_back({at + "hash", BankName(selection.bank)});
    fields.push_back({at + "sizeofSelect", std::to_string(selection.bits.size())});
    fields.push_back({at + "pcrSelect", ToHex(selection.bits)});
  }
  fields.push_back({"attested.quote.pcrDigest", ToHex(attest.pcr_digest)});
}

void DescribeSignature(const Signature& signature, std::vector<Field>& fields) {
  fields.push_back({"signature.scheme", SchemeText(signature)});
  if (!signature.rsa.empty()) fields.push_back({"signature.sig", ToHex(signature.rsa)});
  if (!signature.r.empty()) fields.push_back({"signature.signatureR", ToHex(signature.r)});
  if (!signature.s.empty()) fields.push_back({"signature.signatureS", ToHex(signature.s)});
}

void DescribeCertificate(const std::string& at, const Certificate& certificate,
                         std::vector<Field>& fields) {
  fields.push_back({at + ".subject", certificate.SubjectText()});
  fields.push_back({at + ".issuer", certificate.IssuerText()});
  fields.push_back({at + ".serial", certificate.SerialHex()});
  fields.push_back({at + ".notBefore", FormatTime(certificate.not_before())});
  fields.push_back({at + ".notAfter", FormatTime(certificate.not_after())});
  fields.push_back({at + ".sha256", ToHex(Sha256(certificate.der()))});
}

void DescribeKey(const std::string& at, const PublicKey& key, std::vector<Field>& fields) {
  fields.push_back({at + ".bits", std::to_string(key.bits())});
  fields.push_back({at + ".sha256", ToHex(Sha256(key.spki()))});
}

void DescribeHcl(const HclReport& report, std::vector<Field>& fields) {
  fields.push_back({"hcl.version", std::to_string(report.version)});
  fields.push_back({"hcl.reportType", report.type == HclType::kSnp ? "2 (SNP)" : "4 (TDX)"});
  fields.push_back({"hcl.hardwareReport", ToHex(report.hardware_report)});
  // JSON that was parsed, and so is UTF-8.
  fields.push_back({"hcl.runtimeData", std::string(AsText(report.runtime_data))});
  fields.push_back({"hcl.runtimeData.sha256", ToHex(Sha256(report.runtime_data))});
  DescribeKey("hcl.HCLAkPub", report.attestation_key, fields);
}

}  // namespace

std::string FirmwareText(uint64_t version) {
  ByteWriter writer;
  writer.PutBe(version);
  return ToHex(writer.bytes());
}

std::vector<Field> DescribeEvidence(const ParsedEvidence& evidence) {
  std::vector<Field> fields;
  if (evidence.attest.has_value()) DescribeAttest(*evidence.attest, fields);
  if (evidence.signature.has_value()) DescribeSignature(*evidence.signature, fields);
  for (const auto& [bank, registers] : evidence.raw.pcrs) {
    for (const auto& [index, value] : registers)
      fields.push_back({"pcrs." + BankName(bank) + "." + std::to_string(index), ToHex(value)});
  }
  if (evidence.key.has_value()) DescribeKey("ak", *evidence.key, fields);
  if (evidence.certificate.has_value())
    DescribeCertificate("ak.certificate", *evidence.certificate, fields);
  for (size_t i = 0; i < evidence.chain.size(); ++i)
    DescribeCertificate("ak.chain." + std::to_string(i), evidence.chain[i], fields);
  if (evidence.hcl_report.has_value()) DescribeHcl(*evidence.hcl_report, fields);
  for (size_t i = 0; i < evidence.hardware_chain.size(); ++i)
    DescribeCertificate("hardware.chain." + std::to_string(i), evidence.hardware_chain[i], fields);
  if (!evidence.raw.td_quote.empty())
    fields.push_back({"hardware.tdQuote", ToHex(evidence.raw.td_quote)});
  return fields;
}

}  // namespace keyclave::attest::tpm
