// SGX and TDX evidence of real machines, and what each must give. The folder that the environment
// names holds it (KEYCLAVE_EVIDENCE_DIR); it is no part of this repository.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "attest/dcap/verify.h"
#include "enclave/base/file.h"

namespace keyclave::attest {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr size_t kMaxFile = size_t{1} << 20;
// A vector that must be refused at any time says none.
constexpr UnixTime kAnyTime = 1'654'041'600;  // 2022-06-01

Bytes Read(const fs::path& path) {
  auto bytes = ReadFile(path.string(), kMaxFile);
  EXPECT_TRUE(bytes.ok()) << path;
  return bytes.ok() ? *std::move(bytes) : Bytes();
}

// One verification that META.json expects: a set of collateral and its time.
struct Case {
  std::string folder;  // empty: no collateral
  UnixTime at = kAnyTime;
  std::string tcb_status;  // as Intel spells it; empty: not said
  Json platform_date;      // tcbDate of the platform's level
};

UnixTime TimeIn(const Json& value) {
  return value.is_string() ? ParseTime(value.get<std::string>()).value() : kAnyTime;
}

std::vector<Case> CasesOf(const fs::path& folder, const Json& meta) {
  const Json& expected = meta["expected"];
  std::vector<Case> cases;
  if (meta.contains("collateral") && meta["collateral"].is_array()) {
    for (const Json& set : meta["collateral"]) {
      const auto name = set["dir"].get<std::string>();
      cases.push_back({name, TimeIn(set["verify_at"]), expected["tcb_status"][name],
                       set["status"]["platform_level_tcb_date"]});
    }
  }
  if (!cases.empty()) return cases;
  const bool has_collateral = fs::exists(folder / "collateral");
  const Json at = expected.contains("verify_at") ? expected["verify_at"] : Json();
  return {{has_collateral ? "collateral" : "", TimeIn(at), "", {}}};
}

Result<ClaimSet> Examine(const std::string& type, const fs::path& folder, const Case& one) {
  Trust trust;
  if (!one.folder.empty()) {
    KC_ASSIGN(Collateral collateral, Collateral::Load((folder / one.folder).string()));
    trust.collateral = std::make_shared<const Collateral>(std::move(collateral));
  }
  KC_ASSIGN(const Unverified evidence, ParseEvidence(type, Read(folder / "quote.bin")));
  return ExamineEvidence(evidence, {trust, one.at, ExpectedBinding::None()});
}

std::string ClaimOf(std::string_view intel) {
  const std::map<std::string_view, std::string> names = {
      {"UpToDate", "up-to-date"},
      {"SWHardeningNeeded", "sw-hardening-needed"},
      {"ConfigurationAndSWHardeningNeeded", "configuration-and-sw-hardening-needed"},
      {"OutOfDate", "out-of-date"}};
  const auto found = names.find(intel);
  return found == names.end() ? "unknown" : found->second;
}

std::string Text(const ClaimSet& claims, const std::string& name) {
  const Claim* claim = claims.Find(name);
  return claim == nullptr ? "(absent)" : ToText(claim->value);
}

std::string TextOf(const Json& value) {
  if (value.is_boolean()) return value.get<bool>() ? "true" : "false";
  if (value.is_number()) return std::to_string(value.get<int64_t>());
  std::string text = value.get<std::string>();
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

void ExpectClaims(const Json& meta, const std::string& type, const ClaimSet& claims) {
  if (!meta.contains("claims") || !meta["claims"].is_object()) return;
  const std::set<std::string> elsewhere = {
      // What our claims say under other names (checked below), or what is no claim.
      "tee_type",
      "att_key_type",
      "cert_data_type",
      "trailing_bytes_after_signature_data",
      "body_type",
      "qe_svn",
      "pce_svn",
      "qe_isv_svn",
      "pck",
      "qe_report_mr_signer",
      "pck_ca",
      "debug"};
  for (const auto& [name, value] : meta["claims"].items()) {
    if (elsewhere.contains(name)) continue;
    EXPECT_EQ(Text(claims, type + "." + name), TextOf(value)) << name;
  }
  const Json& of = meta["claims"];
  EXPECT_EQ(Text(claims, "debug"), TextOf(of["debug"]));
  EXPECT_EQ(Text(claims, "measurement"), TextOf(of[type == "sgx" ? "mr_enclave" : "mrtd"]));
  EXPECT_EQ(Text(claims, type + ".qe_svn"), TextOf(of["qe_isv_svn"]));
  EXPECT_EQ(Text(claims, type + ".qe_mr_signer"), TextOf(of["qe_report_mr_signer"]));
  const Json& pck = of["pck"];
  for (const std::string name : {"fmspc", "pceid", "pcesvn", "ppid"})
    EXPECT_EQ(Text(claims, type + "." + name), TextOf(pck[name])) << name;
  EXPECT_EQ(Text(claims, type + ".pck_cpusvn"), TextOf(pck["cpusvn"]));
  if (!pck.contains("configuration") || !pck["configuration"].is_object()) return;
  const Json& configuration = pck["configuration"];
  const std::pair<std::string, std::string> flags[] = {{"dynamicPlatform", "dynamic_platform"},
                                                       {"cachedKeys", "cached_keys"},
                                                       {"smtEnabled", "smt_enabled"}};
  for (const auto& [theirs, ours] : flags) {
    if (configuration.contains(theirs)) {
      EXPECT_EQ(Text(claims, type + "." + ours), TextOf(configuration[theirs])) << ours;
    }
  }
}

void ExpectVerdict(const Json& meta, const std::string& type, const Case& one,
                   const Result<ClaimSet>& result) {
  const auto verdict = meta["expected"]["verdict_code"].get<std::string>();
  const std::string why = result.ok() ? "accepted" : result.error().Text();
  if (verdict == "edge") return;
  if (verdict == "reject") {
    EXPECT_FALSE(result.ok());
    if (one.tcb_status.starts_with("NotSupported") && !result.ok()) {
      EXPECT_EQ(result.code(), Code::kEvidenceTcb) << why;
    }
    return;
  }
  ASSERT_TRUE(result.ok()) << why;
  EXPECT_EQ(Text(*result, "tcb_status"), ClaimOf(one.tcb_status));
  EXPECT_EQ(Text(*result, "tee"), type);
  // What the default policy refuses.
  EXPECT_EQ(Text(*result, "debug"), verdict == "policy" ? "true" : "false");
  EXPECT_EQ("\"" + Text(*result, type + ".platform_tcb_date") + "\"", one.platform_date.dump());
  ExpectClaims(meta, type, *result);
}

class Vectors : public testing::TestWithParam<std::string> {};

TEST_P(Vectors, GiveWhatTheirMetaSays) {
  const char* root = std::getenv("KEYCLAVE_EVIDENCE_DIR");
  if (root == nullptr) GTEST_SKIP() << "KEYCLAVE_EVIDENCE_DIR is not set";
  const fs::path folder = fs::path(root) / GetParam();
  ASSERT_TRUE(fs::is_directory(folder)) << folder;
  size_t good = 0;
  size_t all = 0;
  std::set<fs::path> vectors(fs::directory_iterator(folder), fs::directory_iterator{});
  for (const fs::path& vector : vectors) {
    const Bytes text = Read(vector / "META.json");
    const Json meta = Json::parse(text.begin(), text.end());
    ++all;
    const auto failures = [] {
      return testing::UnitTest::GetInstance()->current_test_info()->result()->total_part_count();
    };
    const int before = failures();
    for (const Case& one : CasesOf(vector, meta)) {
      SCOPED_TRACE(vector.string() + " with " + one.folder);
      const auto result = Examine(GetParam(), vector, one);
      std::cout << "  " << vector.filename().string() << " " << one.folder << ": "
                << (result.ok() ? Text(*result, "tcb_status") : result.error().Text()) << "\n";
      ExpectVerdict(meta, GetParam(), one, result);
    }
    if (failures() == before) ++good;
  }
  std::cout << GetParam() << ": " << good << " of " << all << "\n";
  EXPECT_EQ(good, all);
  EXPECT_GT(all, 0U);
}

// Evidence of Azure's confidential VMs brings a TD quote along.
TEST(VectorsOfOthers, TdQuoteInAzuresEvidence) {
  const char* root = std::getenv("KEYCLAVE_EVIDENCE_DIR");
  if (root == nullptr) GTEST_SKIP() << "KEYCLAVE_EVIDENCE_DIR is not set";
  const fs::path folder = fs::path(root) / "azure-cvm" / "trustee-tdx";
  auto collateral = Collateral::Load((folder / "collateral").string());
  ASSERT_TRUE(collateral.ok()) << collateral.error().Text();
  Trust trust;
  trust.collateral = std::make_shared<const Collateral>(*std::move(collateral));
  const Bytes text = Read(folder / "META.json");
  const Json meta = Json::parse(text.begin(), text.end());
  const UnixTime at = TimeIn(meta["expected"]["collateral"]["verify_at"]);
  Bytes report_data;
  const auto claims = dcap::VerifyTdQuote(Read(folder / "td_quote.bin"), trust, at, &report_data);
  ASSERT_TRUE(claims.ok()) << claims.error().Text();
  EXPECT_EQ(report_data.size(), 64U);
  EXPECT_EQ(Text(*claims, "tcb_status"), "out-of-date");
}

INSTANTIATE_TEST_SUITE_P(Dcap, Vectors, testing::Values("sgx", "tdx"),
                         [](const auto& parameter) { return parameter.param; });

}  // namespace
}  // namespace keyclave::attest
