// TPM 2.0 quotes, of machines' own TPMs and of virtual ones (attest/tpm/evidence.h).
//
// A TPM has no debug mode, and its makers publish no status of its firmware: `debug` is always
// false and `tcb_status` up-to-date, so that policies for several types can be written; a policy
// that cares names tpm.firmware_version.

#include "attest/produce/produce.h"
#include "attest/tpm/attestation_key.h"
#include "attest/tpm/describe.h"
#include "attest/tpm/hardware.h"

namespace keyclave::attest {
namespace {

using tpm::Attest;
using tpm::AttestationKey;
using tpm::ParsedEvidence;

Result<std::any> Parse(ByteSpan bytes) {
  auto parsed = tpm::ParseTpmEvidence(bytes);
  if (!parsed.ok()) return Fail(Code::kEvidenceMalformed, "tpm: " + parsed.error().Text());
  return std::any(*std::move(parsed));
}

// The values are not signed; their digest is.
Status CheckPcrs(const ParsedEvidence& evidence, HashAlgorithm hash) {
  const Attest& attest = *evidence.attest;
  if (attest.pcr_digest.size() != HashSize(hash))
    return FailWanted(Code::kEvidenceSignature, "PCR digest",
                      std::to_string(HashSize(hash)) + " bytes",
                      std::to_string(attest.pcr_digest.size()) + " bytes");
  if (evidence.raw.pcrs.empty()) return Done{};
  if (tpm::OnlySelected(attest.selections, evidence.raw.pcrs) != evidence.raw.pcrs)
    return Fail(Code::kEvidenceSignature, "values of PCRs that the quote does not select");
  const auto digest = tpm::PcrDigest(attest.selections, evidence.raw.pcrs, hash);
  if (!digest.ok()) return Fail(Code::kEvidenceSignature, digest.error().Text());
  if (!Equal(*digest, attest.pcr_digest))
    return FailWanted(Code::kEvidenceSignature, "digest of the PCR values",
                      ToHex(attest.pcr_digest), ToHex(*digest));
  return Done{};
}

// Of several banks the strongest that was quoted: tpm.pcr_bank says which. The others' values are
// in the digest, too. On Azure the registers have another name, which names no workload by itself:
// on anybody's SNP machine the runtime data may say that a key of his own is the vTPM's.
void SetPcrClaims(const ParsedEvidence& evidence, ClaimSet& claims) {
  const std::string name = evidence.hcl_report.has_value() ? "tpm.azure_pcr" : "tpm.pcr";
  for (const tpm::Bank& bank : tpm::AllBanks()) {
    for (const tpm::PcrSelection& selection : evidence.attest->selections) {
      if (selection.bank != bank.id || selection.registers.empty()) continue;
      claims.Set("tpm.pcr_bank", std::string(bank.name));
      const auto values = evidence.raw.pcrs.find(bank.id);
      if (values == evidence.raw.pcrs.end()) return;
      for (const auto& [index, value] : values->second)
        claims.Set(name + std::to_string(index), ToHex(value));
      return;
    }
  }
}

void SetQuoteClaims(const ParsedEvidence& evidence, const PublicKey& key, ClaimSet& claims) {
  const Attest& attest = *evidence.attest;
  SetPcrClaims(evidence, claims);
  claims.Set("tpm.pcr_digest", ToHex(attest.pcr_digest));
  claims.Set("tpm.pcr_selection", tpm::SelectionText(attest.selections));
  claims.Set("tpm.clock", static_cast<int64_t>(attest.clock));
  claims.Set("tpm.reset_count", int64_t{attest.reset_count});
  claims.Set("tpm.restart_count", int64_t{attest.restart_count});
  claims.Set("tpm.safe", attest.safe);
  claims.Set("tpm.firmware_version", tpm::FirmwareText(attest.firmware_version));
  claims.Set("tpm.qualified_signer", ToHex(attest.qualified_signer));
  claims.Set("tpm.ak", ToHex(Sha256(key.spki())));
}

// `measurement` is the SHA-256 of TPMS_QUOTE_INFO: of the selection and of the digest. The digest
// alone would not do: whoever runs on the machine can bring a resettable register (16, 23) to the
// value that PCR 7 has elsewhere, by the same extensions, and quote it in PCR 7's place.
void SetTpmClaims(const ParsedEvidence& evidence, const PublicKey& key, ClaimSet& claims) {
  claims.Set("tee", std::string("tpm"));
  claims.Set("measurement", ToHex(Sha256(evidence.attest->quote_info)));
  claims.Set("debug", false);
  claims.Set("tcb_status", std::string("up-to-date"));
  claims.Set("platform_id", ToHex(Sha256(key.spki())));
  claims.Set("tpm.form", std::string("tpm"));
}

Result<ClaimSet> Verify(const std::any& parsed, const VerifyContext& context) {
  const auto& evidence = std::any_cast<const ParsedEvidence&>(parsed);
  if (!evidence.attest.has_value() || !evidence.signature.has_value())
    return Fail(Code::kEvidenceSignature, "a part of evidence without a signed quote");
  const bool azure = evidence.hcl_report.has_value();
  KC_ASSIGN(AttestationKey ak,
            azure ? TrustHclKey(evidence, context) : TrustKey(evidence, context));
  KC_ASSIGN(const HashAlgorithm hash,
            VerifySignature(*evidence.signature, ak.key, evidence.raw.attest));
  KC_CHECK_OK(CheckPcrs(evidence, hash));
  KC_CHECK_OK(context.binding.Check(evidence.attest->extra_data));
  ClaimSet claims = std::move(ak.claims);
  if (azure) {
    claims.Set("tpm.form", std::string("azure-cvm"));
  } else {
    SetTpmClaims(evidence, ak.key, claims);
  }
  SetQuoteClaims(evidence, ak.key, claims);
  return claims;
}

std::vector<Field> Describe(const std::any& parsed) {
  return tpm::DescribeEvidence(std::any_cast<const ParsedEvidence&>(parsed));
}

Result<Bytes> Produce(const ReportData& report_data, const ProducerConfig& config,
                      UnixTime /*now*/) {
  return ProduceTpm(report_data, config);
}

// What the hardware report of an Azure virtual machine needs.
std::vector<CollateralNeed> Needs(const std::any& parsed, const VerifyContext& context) {
  const auto& evidence = std::any_cast<const ParsedEvidence&>(parsed);
  if (!evidence.hcl_report.has_value()) return {};
  if (evidence.hcl_report->type == tpm::HclType::kTdx)
    return tpm::TdxNeeds(evidence.raw.td_quote, context);
  return tpm::SnpNeeds(evidence.hcl_report->hardware_report, evidence.hardware_chain, context);
}

}  // namespace

extern const TeeType kTpmTee;
const TeeType kTpmTee = {"tpm", tpm::LooksLikeTpmEvidence, Parse, Verify, Describe, Produce, Needs};

}  // namespace keyclave::attest
