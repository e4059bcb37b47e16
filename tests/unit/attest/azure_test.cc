// The Azure form of `tpm`: a vTPM's quote, by a key that the hardware's report is about.

#include <gtest/gtest.h>

#include "attest/tee_type.h"
#include "tests/fakes/fake_azure.h"

namespace keyclave::attest {
namespace {

using test::FakeKeyKind;
using test::FakeSnp;
using test::FakeTpm;
using test::HclReport;
using test::RuntimeData;

constexpr UnixTime kNow = 1'790'000'000;

ReportData SomeReportData() {
  ReportData data;
  data.fill(0x42);
  return data;
}

class Azure : public testing::Test {
 protected:
  tpm::Evidence Parts(ByteSpan qualifying = SomeReportData()) const {
    return test::AzureParts(snp_, vtpm_, qualifying.first(32));
  }
  Bytes Report(const std::string& runtime) const { return test::ReportOn(snp_, runtime); }
  Result<ClaimSet> Check(const tpm::Evidence& evidence) const {
    Trust trust = snp_.OwnTrust();
    trust.accepted_types = {"tpm"};
    return Check(evidence, trust);
  }
  static Result<ClaimSet> Check(const tpm::Evidence& evidence, const Trust& trust) {
    KC_ASSIGN(const Unverified parsed, ParseEvidence("tpm", EncodeEvidence(evidence)));
    KC_ASSIGN(const Verified verified, VerifyEvidence(parsed, {trust, kNow, SomeReportData()}));
    return verified.claims();
  }

  FakeSnp snp_;
  FakeTpm vtpm_ = FakeTpm({.key = FakeKeyKind::kRsa2048, .certified = false});
  std::string runtime_ = RuntimeData(vtpm_);
};

TEST_F(Azure, ClaimsAreOfTheHardwareAndOfTheVirtualTpm) {
  const auto claims = Check(Parts());
  ASSERT_TRUE(claims.ok()) << claims.error().Text();
  const auto text = [&](const char* name) {
    const Claim* claim = claims->Find(name);
    return claim == nullptr ? "absent" : ToText(claim->value);
  };
  EXPECT_EQ(text("tee"), "sev-snp");
  EXPECT_EQ(text("tpm.form"), "azure-cvm");
  EXPECT_EQ(text("measurement"), snp_.Measurement());
  EXPECT_EQ(text("tpm.azure_pcr7"), ToHex(Bytes(32, 0xa7)));
  EXPECT_EQ(text("tpm.secure_boot"), "true");
  EXPECT_EQ(text("tpm.vm_unique_id"), "A-B");
  EXPECT_EQ(text("platform_id"), ToHex(Bytes(64, 0xc1)));
  EXPECT_EQ(text("tpm.ak"), ToHex(Sha256(vtpm_.ak().key().Public().spki())));
}

TEST_F(Azure, OnlyTheReportsKeyMayQuote) {
  // Another key's quote under a genuine report; and that key in runtime data nobody signed.
  const FakeTpm other({.key = FakeKeyKind::kRsa2048, .certified = false});
  tpm::Evidence evidence = Parts();
  evidence.attest = other.Attest(Bytes(32, 0x42));
  evidence.signature = other.Sign(evidence.attest);
  EXPECT_EQ(Check(evidence).code(), Code::kEvidenceSignature);
  evidence.hcl_report = HclReport(Report(runtime_), RuntimeData(other));
  EXPECT_EQ(Check(evidence).code(), Code::kEvidenceSignature);
  // An enrolled key does not stand in for it.
  Trust trust = snp_.OwnTrust();
  trust.accepted_types = {"tpm"};
  trust.keys["tpm"] = {other.ak().key().Public().spki()};
  evidence = Parts();
  evidence.key = other.ak().key().Public().spki();
  EXPECT_EQ(Check(evidence, trust).code(), Code::kEvidenceIdentity);
}

TEST_F(Azure, TheReportsOwnRefusalsAreKept) {
  tpm::Evidence evidence = Parts();
  evidence.hcl_report[32 + 0x90] ^= 1;  // in the measurement
  EXPECT_EQ(Check(evidence).code(), Code::kEvidenceSignature);
  evidence = Parts();
  evidence.hcl_report[32] = 9;  // a version that is none
  EXPECT_EQ(Check(evidence).code(), Code::kEvidenceMalformed);
  evidence = Parts();
  evidence.hardware_chain.clear();
  EXPECT_EQ(Check(evidence).code(), Code::kCollateralMissing);
  Trust none;
  none.accepted_types = {"tpm"};
  EXPECT_EQ(Check(Parts(), none).code(), Code::kEvidenceChain);
}

TEST_F(Azure, ATdReportNeedsItsQuote) {
  tpm::Evidence evidence = Parts();
  evidence.hcl_report = HclReport(Bytes(1184, 1), runtime_, 4);
  evidence.hardware_chain.clear();
  EXPECT_EQ(Check(evidence).code(), Code::kEvidenceSignature);
  evidence.td_quote = Bytes(100, 4);
  EXPECT_EQ(Check(evidence).code(), Code::kEvidenceMalformed);
}

// lesson 1: the report may be old; the quote is of this session.
TEST_F(Azure, TheQuoteIsWhatIsBound) {
  EXPECT_EQ(Check(Parts(Bytes(32, 0x43))).code(), Code::kEvidenceBinding);
}

}  // namespace
}  // namespace keyclave::attest
