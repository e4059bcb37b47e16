// Trustee's evidence becomes the bytes that the TEE made, and these verify.

#include "enclave/kbs/evidence.h"

#include <gtest/gtest.h>

#include "attest/snp/certificate_table.h"
#include "tests/fakes/fake_snp.h"
#include "tests/unit/kbs/sev_json.h"

namespace keyclave::kbs {
namespace {

using test::FakeSnp;
using test::FakeSnpOptions;

constexpr UnixTime kNow = 1'790'000'000;

attest::ReportData SomeReportData() {
  attest::ReportData data{};
  data.fill(0x42);
  return data;
}

FakeSnpOptions OfVersion(uint32_t version) {
  FakeSnpOptions options;
  options.version = version;
  if (version == 5) {
    options.cpu = {0x1a, 0x02, 0x01};
    options.product = "Turin-B0";
    options.line = "Turin";
    options.turin = true;
    options.reported_tcb = options.current_tcb = {1, 2, 3, 4, 0, 0, 0, 82};
    options.chip_id = {};
    std::fill_n(options.chip_id.begin(), 8, uint8_t{0x7a});
    options.launch_mit_vector = 0x1122334455667788;
  }
  return options;
}

std::string CodeOf(std::string_view tee, const Json& json) {
  const auto evidence = ParseEvidence(tee, json);
  return evidence.ok() ? "ok" : std::string(CodeName(evidence.code()));
}

TEST(SnpEvidence, IsTheReportThatItSpells) {
  for (const uint32_t version : {2U, 3U, 5U}) {
    const Bytes report = FakeSnp(OfVersion(version)).Report(SomeReportData());
    const auto bytes = SnpReportBytes(SevReportJson(report));
    ASSERT_TRUE(bytes.ok()) << bytes.error().Text();
    EXPECT_EQ(ToHex(*bytes), ToHex(report)) << version;
  }
}

TEST(SnpEvidence, VerifiesWithItsCertificates) {
  const FakeSnp snp(OfVersion(3));
  const Bytes report = snp.Report(SomeReportData());
  const Json evidence = {{"attestation_report", SevReportJson(report)},
                         {"cert_chain",
                          {{{"cert_type", "ARK"}, {"data", List(snp.ark().certificate().der())}},
                           {{"cert_type", "ASK"}, {"data", List(snp.ask().certificate().der())}},
                           {{"cert_type", {{"OTHER", "92f81bc3"}}}, {"data", List(Bytes(3))}},
                           {{"cert_type", "VCEK"}, {"data", List(snp.leaf().certificate().der())}},
                           {{"cert_type", "VCEK"}, {"data", List(Bytes(3))}},
                           {{"cert_type", "Empty"}, {"data", Json::array()}}}}};
  const auto parsed = ParseEvidence("snp", evidence);
  ASSERT_TRUE(parsed.ok()) << parsed.error().Text();
  EXPECT_EQ(parsed->type, "sev-snp");
  const auto unverified = attest::ParseEvidence(parsed->type, parsed->bytes);
  ASSERT_TRUE(unverified.ok()) << unverified.error().Text();
  const attest::Trust trust = snp.OwnTrust();
  const auto verified = attest::VerifyEvidence(
      *unverified, {.trust = trust, .now = kNow, .binding = SomeReportData()});
  ASSERT_TRUE(verified.ok()) << verified.error().Text();
  EXPECT_EQ(attest::ToText(verified->claims().Find("measurement")->value), snp.Measurement());
}

TEST(SnpEvidence, EveryFieldIsWantedAndOfItsSize) {
  const Bytes report = FakeSnp(OfVersion(3)).Report(SomeReportData());
  const Json good = {{"attestation_report", SevReportJson(report)}, {"cert_chain", nullptr}};
  ASSERT_EQ(CodeOf("snp", good), "ok");
  const Json& fields = good.at("attestation_report");
  for (const auto& [name, value] : fields.items()) {
    Json without = good;
    without["attestation_report"].erase(name);
    const bool optional = name.starts_with("cpuid_") || name.ends_with("_mit_vector");
    EXPECT_EQ(CodeOf("snp", without), optional ? "ok" : "Malformed") << name;
    for (const Json& other :
         {Json(-1), Json("1"), Json(1.5), Json::array({1}), Json::object(), Json(true)}) {
      Json changed = good;
      changed["attestation_report"][name] = other;
      EXPECT_EQ(CodeOf("snp", changed), "Malformed") << name << " = " << other;
    }
  }
  for (const char* name : {"report_data", "signature"}) {
    Json changed = good;
    Json& list = changed["attestation_report"][name];
    (list.is_array() ? list : list["r"])[3] = 256;
    EXPECT_EQ(CodeOf("snp", changed), "Malformed") << name;
  }
  Json more = good;
  more["attestation_report"]["new_field"] = 1;
  EXPECT_EQ(CodeOf("snp", more), "ok");
}

TEST(SnpEvidence, CertificatesAreListsOfBytes) {
  const Bytes report = FakeSnp(OfVersion(3)).Report(SomeReportData());
  const auto code = [&](const Json& chain) {
    return CodeOf("snp", {{"attestation_report", SevReportJson(report)}, {"cert_chain", chain}});
  };
  EXPECT_EQ(code(Json::array()), "ok");
  EXPECT_EQ(code(1), "Malformed");
  EXPECT_EQ(code(Json::array({1, "a", Json::object()})), "ok") << "no certificates of AMD's";
  EXPECT_EQ(code(Json::array({{{"cert_type", "VCEK"}}})), "Malformed");
  EXPECT_EQ(code(Json::array({{{"cert_type", "VCEK"}, {"data", "AA=="}}})), "Malformed");
  EXPECT_EQ(code(Json::array({{{"cert_type", "VCEK"}, {"data", {256}}}})), "Malformed");
  EXPECT_EQ(code(Json(std::vector<int>(17))), "Malformed");
  const Json large = {{"cert_type", "VCEK"}, {"data", std::vector<int>(16385)}};
  EXPECT_EQ(code(Json::array({large})), "Malformed");
}

TEST(CertificateTable, IsReadBackAsItWasWritten) {
  const std::vector<attest::SnpTableEntry> entries = {
      {.name = "VCEK", .guid = {}, .bytes = Bytes(5, 1)},
      {.name = "ARK", .guid = {}, .bytes = Bytes()},
      {.name = "ASK", .guid = {}, .bytes = Bytes(7, 3)}};
  const auto table = attest::EncodeSnpTable(entries);
  ASSERT_TRUE(table.ok());
  const auto parsed = attest::ParseSnpTable(*table);
  ASSERT_TRUE(parsed.ok()) << parsed.error().Text();
  ASSERT_EQ(parsed->size(), entries.size());
  for (size_t i = 0; i < entries.size(); ++i) {
    EXPECT_EQ(parsed->at(i).name, entries[i].name);
    EXPECT_EQ(parsed->at(i).bytes, entries[i].bytes);
  }
  EXPECT_FALSE(attest::EncodeSnpTable({{.name = "other", .guid = {}, .bytes = {}}}).ok());
  EXPECT_FALSE(attest::EncodeSnpTable({entries[0], entries[0]}).ok());
  EXPECT_EQ(attest::EncodeSnpTable({{.name = "VCEK", .guid = {}, .bytes = Bytes(70'000)}}).code(),
            Code::kTooLarge);
}

TEST(Quotes, AreBase64) {
  for (const auto& [tee, type] : {std::pair("tdx", "tdx"), {"sgx", "sgx"}}) {
    const auto evidence = ParseEvidence(tee, {{"quote", "AAEC/w=="}, {"cc_eventlog", nullptr}});
    ASSERT_TRUE(evidence.ok());
    EXPECT_EQ(evidence->type, type);
    EXPECT_EQ(ToHex(evidence->bytes), "000102ff");
    EXPECT_EQ(CodeOf(tee, {{"quote", "AA EC"}}), "Malformed");
    EXPECT_EQ(CodeOf(tee, {{"quote", 1}}), "Malformed");
    EXPECT_EQ(CodeOf(tee, Json::object()), "Malformed");
    EXPECT_EQ(CodeOf(tee, Json()), "Malformed");
  }
}

TEST(OtherTees, AreNotServed) {
  for (const char* tee : {"sample", "az-snp-vtpm", "se", "simulated", "sev-snp", ""}) {
    EXPECT_FALSE(IsKnownTee(tee)) << tee;
    EXPECT_EQ(CodeOf(tee, {{"quote", "AA=="}}), "Unsupported") << tee;
  }
}

}  // namespace
}  // namespace keyclave::kbs
