// Evidence that a real TPM makes, in software, and what the verifier makes of it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "attest/produce/produce.h"
#include "attest/tpm/enroll.h"
#include "attest/tpm/enrolled_key.h"
#include "attest/tpm/quote.h"
#include "enclave/base/byte_reader.h"
#include "enclave/base/file.h"
#include "tests/fakes/fake_snp.h"
#include "tests/fakes/must.h"
#include "tests/fakes/soft_tpm.h"

namespace keyclave::attest {
namespace {

using test::FakeAuthority;
using test::FakeKeyKind;
using test::FakeSnp;
using test::Must;
using test::SoftTpm;
using testing::HasSubstr;

constexpr UnixTime kNow = 1'790'000'000;
constexpr uint32_t kEkCertificate = 0x01c0'000a;

ReportData SomeReportData() {
  ReportData data;
  data.fill(0x42);
  return data;
}

std::string Text(const ClaimSet& claims, std::string_view name) {
  const Claim* claim = claims.Find(name);
  return claim == nullptr ? "absent" : ToText(claim->value);
}

class TpmQuote : public testing::Test {
 protected:
  // Nobody looks at the certificate here: it only says which endorsement key to use.
  TpmQuote() { tpm_.WriteIndex(kEkCertificate, ToBytes("certificate")); }

  tpm::EnrolledKey Enroll(uint32_t handle = tpm::DeviceConfig().key_handle) {
    tpm::DeviceConfig config = tpm_.Config();
    config.key_handle = handle;
    const tpm::Endorsed endorsed = Must(tpm::MakeAttestationKey(config, std::nullopt));
    return Must(tpm::ParseEnrolledArea(endorsed.area));
  }
  ProducerConfig Config() const {
    ProducerConfig config;
    config.tpm = tpm_.Config();
    return config;
  }
  Result<ClaimSet> Verify(const Bytes& evidence, Trust trust,
                          const ReportData& binding = SomeReportData()) const {
    trust.accepted_types = {"tpm"};
    KC_ASSIGN(const Unverified parsed, ParseEvidence("tpm", evidence));
    KC_ASSIGN(const Verified verified, VerifyEvidence(parsed, {trust, kNow, binding}));
    return verified.claims();
  }
  Trust Enrolled(const tpm::EnrolledKey& key) const {
    Trust trust;
    trust.keys["tpm"] = {key.key.spki()};
    return trust;
  }

  SoftTpm tpm_;
  fakes::TemporaryDirectory folder_;
};

TEST_F(TpmQuote, TheVerifierBelievesAnEnrolledKey) {
  const tpm::EnrolledKey key = Enroll();
  const auto evidence = ProduceTpm(SomeReportData(), Config());
  ASSERT_TRUE(evidence.ok()) << evidence.error().Text();
  const auto claims = Verify(*evidence, Enrolled(key));
  ASSERT_TRUE(claims.ok()) << claims.error().Text();
  EXPECT_EQ(Text(*claims, "tpm.form"), "tpm");
  EXPECT_EQ(Text(*claims, "tpm.pcr_selection"), "sha256:0,2,4,7,8,9,11,12,14");
  EXPECT_EQ(Text(*claims, "tpm.pcr7"), std::string(64, '0'));
  EXPECT_EQ(Text(*claims, "tpm.ak"), ToHex(Sha256(key.key.spki())));
  ReportData other = SomeReportData();
  other[0] = 0;
  EXPECT_EQ(Verify(*evidence, Enrolled(key), other).code(), Code::kEvidenceBinding);
  EXPECT_EQ(Verify(*evidence, Trust()).code(), Code::kEvidenceChain);
}

// The owner's hierarchy would get them obfuscated: the key is under the endorsement key.
TEST_F(TpmQuote, CountersOfResetsAreTheTpmsOwn) {
  const tpm::EnrolledKey key = Enroll();
  const auto before = Verify(Must(ProduceTpm(SomeReportData(), Config())), Enrolled(key));
  tpm_.Restart();
  const auto after = Verify(Must(ProduceTpm(SomeReportData(), Config())), Enrolled(key));
  ASSERT_TRUE(before.ok() && after.ok());
  EXPECT_EQ(std::stoll(Text(*after, "tpm.reset_count")),
            std::stoll(Text(*before, "tpm.reset_count")) + 1);
}

TEST_F(TpmQuote, RegistersAreThoseThatAreConfiguredAndOfNow) {
  const tpm::EnrolledKey key = Enroll();
  ProducerConfig config = Config();
  config.tpm.pcrs = {.bank = "sha256", .registers = {7, 16, 0, 1, 2, 3, 4, 5, 6, 8, 9, 23}};
  const auto before = Verify(Must(ProduceTpm(SomeReportData(), config)), Enrolled(key));
  tpm_.Extend(9);
  const auto after = Verify(Must(ProduceTpm(SomeReportData(), config)), Enrolled(key));
  ASSERT_TRUE(before.ok() && after.ok());
  EXPECT_EQ(Text(*after, "tpm.pcr_selection"), "sha256:0,1,2,3,4,5,6,7,8,9,16,23");
  EXPECT_EQ(Text(*before, "tpm.pcr9"), std::string(64, '0'));
  EXPECT_NE(Text(*after, "tpm.pcr9"), Text(*before, "tpm.pcr9"));
  EXPECT_NE(Text(*after, "measurement"), Text(*before, "measurement"));
}

TEST_F(TpmQuote, ACertificateOfAnotherKeyIsNotSent) {
  const tpm::EnrolledKey key = Enroll();
  const auto root = FakeAuthority::Root(FakeKeyKind::kP256, {.name = "CN=Root", .authority = true});
  const auto other = root.Issue(FakeKeyKind::kP256, {.name = "CN=Other"});
  ProducerConfig config = Config();
  config.tpm.certificate_file = folder_.path() + "/ak.pem";
  ASSERT_TRUE(WriteNewFile(config.tpm.certificate_file, AsBytes(other.Pem()), 0644).ok());
  const auto refused = ProduceTpm(SomeReportData(), config);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.code(), Code::kEvidenceUnavailable);
  EXPECT_THAT(refused.error().detail(), HasSubstr(ToHex(Sha256(key.key.spki()))));
}

TEST_F(TpmQuote, SaysWhatIsMissing) {
  const auto no_key = ProduceTpm(SomeReportData(), Config());
  ASSERT_FALSE(no_key.ok());
  EXPECT_EQ(no_key.code(), Code::kEvidenceUnavailable);
  EXPECT_THAT(no_key.error().detail(), HasSubstr("enroll-tpm"));
  tpm_.Stop();
  const auto no_tpm = ProduceTpm(SomeReportData(), Config());
  ASSERT_FALSE(no_tpm.ok());
  EXPECT_EQ(no_tpm.code(), Code::kEvidenceUnavailable);
  EXPECT_THAT(no_tpm.error().detail(), HasSubstr(tpm_.tcti()));
}

TEST_F(TpmQuote, AKeyThatIsEnrolledTwiceStaysTheSame) {
  EXPECT_EQ(Enroll().key.spki(), Enroll().key.spki());
}

// The blob that Azure's paravisor keeps in NV memory, about a key of this TPM.
Bytes HclReport(const FakeSnp& snp, const tpm::EnrolledKey& key) {
  const Bytes& spki = key.key.spki();
  const ByteSpan point = ByteSpan(spki).last(64);
  const std::string runtime = nlohmann::json{{"keys",
                                              {{{"kid", "HCLAkPub"},
                                                {"kty", "EC"},
                                                {"crv", "P-256"},
                                                {"x", ToBase64Url(point.first(32))},
                                                {"y", ToBase64Url(point.last(32))}}}}}
                                  .dump();
  ReportData data{};
  const ByteArray<32> digest = Sha256(AsBytes(runtime));
  std::copy(digest.begin(), digest.end(), data.begin());
  const auto size = static_cast<uint32_t>(runtime.size());
  ByteWriter writer;
  writer.Put(AsBytes("HCLA"));
  for (const uint32_t word : {2U, 1236 + size, 2U, 0U, 0U, 0U, 0U}) writer.PutLe(word);
  writer.Put(snp.Report(data));
  for (const uint32_t word : {20 + size, 1U, 2U, 1U, size}) writer.PutLe(word);
  writer.Put(AsBytes(runtime));
  Bytes report = std::move(writer).Finish();
  report.resize(2048);  // the index is larger; zeros fill it
  return report;
}

TEST_F(TpmQuote, OnAzureTheHardwareVouchesForTheKey) {
  FakeSnp snp;
  snp.options().bring_table = false;
  tpm_.WriteIndex(tpm::kAzureReport, HclReport(snp, Enroll(tpm::kAzureKey)));
  ProducerConfig config = Config();
  config.tpm.certificate_file = folder_.path() + "/vcek.pem";
  ASSERT_TRUE(
      WriteNewFile(config.tpm.certificate_file, AsBytes(snp.leaf().Pem() + snp.ask().Pem()), 0644)
          .ok());
  const auto evidence = ProduceTpm(SomeReportData(), config);
  ASSERT_TRUE(evidence.ok()) << evidence.error().Text();
  const auto claims = Verify(*evidence, snp.OwnTrust());
  ASSERT_TRUE(claims.ok()) << claims.error().Text();
  EXPECT_EQ(Text(*claims, "tee"), "sev-snp");
  EXPECT_EQ(Text(*claims, "tpm.form"), "azure-cvm");
  EXPECT_EQ(Text(*claims, "tpm.azure_pcr7"), std::string(64, '0'));
  EXPECT_EQ(Text(*claims, "measurement"), snp.Measurement());
}

}  // namespace
}  // namespace keyclave::attest
