// Real SEV-SNP reports, with what each must give.

#include "tests/unit/attest/vector_folder.h"

namespace keyclave::attest {
namespace {

using test::ClaimText;
using test::Vector;

constexpr std::string_view kType = "sev-snp";

Trust TrustOf(const Vector& vector) {
  auto collateral = std::make_shared<Collateral>();
  for (const char* file : {"vcek.der", "vlek.der", "cert_chain.pem"}) {
    if (vector.Has(file)) {
      EXPECT_TRUE(collateral->Add(vector.Read(file), file).ok()) << vector.name;
    }
  }
  Trust trust;
  trust.accepted_types = {std::string(kType)};
  trust.collateral = std::move(collateral);
  return trust;
}

std::string Number(const nlohmann::json& value) { return std::to_string(value.get<int64_t>()); }

// accept, policy (debug) or reject.
std::string VerdictOf(const Result<ClaimSet>& claims) {
  if (!claims.ok()) return "reject";
  return ClaimText(*claims, "debug") == "true" ? "policy" : "accept";
}

void ExpectClaims(const ClaimSet& claims, const nlohmann::json& wanted) {
  EXPECT_EQ(ClaimText(claims, "tee"), kType);
  EXPECT_EQ(ClaimText(claims, "svn"), Number(wanted["guest_svn"]));
  for (const char* name : {"measurement", "host_data"})
    EXPECT_EQ(ClaimText(claims, name), wanted[name].get<std::string>()) << name;
  for (const char* name : {"family_id", "image_id", "report_data", "report_id", "report_id_ma"})
    EXPECT_EQ(ClaimText(claims, std::string("sev-snp.") + name), wanted[name].get<std::string>());
  for (const char* name : {"version", "policy", "vmpl", "platform_info"})
    EXPECT_EQ(ClaimText(claims, std::string("sev-snp.") + name), Number(wanted[name])) << name;
  for (const char* tcb : {"reported_tcb", "current_tcb", "committed_tcb", "launch_tcb"}) {
    for (const auto& [part, value] : wanted[tcb].items())
      EXPECT_EQ(ClaimText(claims, std::string("sev-snp.") + tcb + "_" + part), Number(value));
  }
  EXPECT_EQ(ClaimText(claims, "tcb_status"),
            wanted["reported_tcb"] == wanted["current_tcb"] ? "up-to-date" : "out-of-date");
  const std::string zeros(96, '0');
  const std::string id_key = wanted["id_key_digest"];
  EXPECT_EQ(ClaimText(claims, "signer"), id_key == zeros ? "(absent)" : id_key);
  const bool vlek = wanted["signing_key"] == "VLEK";
  EXPECT_EQ(ClaimText(claims, "sev-snp.signing_key"), vlek ? "vlek" : "vcek");
  EXPECT_EQ(ClaimText(claims, "platform_id"),
            vlek ? "(absent)" : wanted["chip_id"].get<std::string>());
}

TEST(SnpVectors, EachGivesWhatItMust) {
  const auto vectors = test::Vectors("snp");
  if (vectors.empty()) GTEST_SKIP() << "KEYCLAVE_EVIDENCE_DIR names no folder with snp/";
  constexpr UnixTime kAnyTime = 1'700'000'000;
  size_t right = 0;
  for (const Vector& vector : vectors) {
    SCOPED_TRACE(vector.name);
    const Bytes report = vector.Read("report.bin");
    const auto claims = test::Examine(kType, report, TrustOf(vector), vector.VerifyAt(kAnyTime));
    const std::string why = claims.ok() ? "" : claims.error().Text();
    EXPECT_EQ(VerdictOf(claims), vector.Verdict()) << why;
    if (vector.Verdict() == "reject") std::cout << vector.name << ": " << why << "\n";
    EXPECT_TRUE(FindTeeType(kType)->recognises(report));
    if (claims.ok()) ExpectClaims(*claims, vector.meta["claims"]);
    if (VerdictOf(claims) == vector.Verdict()) ++right;
  }
  std::cout << right << " of " << vectors.size() << "\n";
}

// The chain is built in, so the VCEK alone will do.
TEST(SnpVectors, NeedNoCertificatesButTheLeaf) {
  const auto vectors = test::Vectors("snp");
  if (vectors.empty()) GTEST_SKIP() << "KEYCLAVE_EVIDENCE_DIR names no folder with snp/";
  for (const Vector& vector : vectors) {
    if (vector.Verdict() != "accept") continue;
    SCOPED_TRACE(vector.name);
    auto collateral = std::make_shared<Collateral>();
    for (const char* file : {"vcek.der", "vlek.der"}) {
      if (vector.Has(file)) {
        ASSERT_TRUE(collateral->Add(vector.Read(file), file).ok());
      }
    }
    Trust trust;
    const Bytes report = vector.Read("report.bin");
    const auto without = test::Examine(kType, report, trust, vector.VerifyAt(0));
    ASSERT_EQ(without.code(), Code::kCollateralMissing);
    trust.collateral = collateral;
    EXPECT_TRUE(test::Examine(kType, report, trust, vector.VerifyAt(0)).ok());
  }
}

}  // namespace
}  // namespace keyclave::attest
