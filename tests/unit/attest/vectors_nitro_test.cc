// Real attestation documents of Nitro Enclaves, with what each must give. Two are at the edge: a
// document with the COSE tag is accepted (its signature and meaning are the same), one with a byte
// behind it is refused (a file has one meaning, and nothing hides in it).

#include "tests/unit/attest/vector_folder.h"

namespace keyclave::attest {
namespace {

using test::ClaimText;
using test::Vector;

std::string VerdictOf(const Result<ClaimSet>& claims) {
  if (!claims.ok()) return "reject";
  return ClaimText(*claims, "debug") == "true" ? "policy" : "accept";
}

std::string WantedVerdict(const Vector& vector) {
  if (vector.name == "edge-cose-tag-18") return "accept";
  if (vector.name == "mut-trailing-byte") return "reject";
  return vector.Verdict();
}

void ExpectClaims(const ClaimSet& claims, const nlohmann::json& wanted) {
  EXPECT_EQ(ClaimText(claims, "tee"), "nitro");
  EXPECT_EQ(ClaimText(claims, "measurement"), wanted["pcrs"]["0"].get<std::string>());
  EXPECT_EQ(ClaimText(claims, "tcb_status"), "up-to-date");
  EXPECT_EQ(ClaimText(claims, "debug"), wanted["debug_mode"].get<bool>() ? "true" : "false");
  EXPECT_EQ(ClaimText(claims, "nitro.module_id"), wanted["module_id"].get<std::string>());
  EXPECT_EQ(ClaimText(claims, "nitro.timestamp"),
            std::to_string(wanted["timestamp_ms"].get<int64_t>()));
  for (const auto& [index, value] : wanted["pcrs"].items())
    EXPECT_EQ(ClaimText(claims, "nitro.pcr" + index), value.get<std::string>());
  for (const char* name : {"public_key", "user_data", "nonce"}) {
    const auto& value = wanted[name];
    const std::string text = value.is_string() ? value.get<std::string>() : "";
    EXPECT_EQ(ClaimText(claims, std::string("nitro.") + name), text.empty() ? "(absent)" : text);
  }
}

TEST(NitroVectors, EachGivesWhatItMust) {
  const auto vectors = test::Vectors("nitro");
  if (vectors.empty()) GTEST_SKIP() << "KEYCLAVE_EVIDENCE_DIR names no folder with nitro/";
  constexpr UnixTime kAnyTime = 1'700'000'000;
  size_t right = 0;
  for (const Vector& vector : vectors) {
    SCOPED_TRACE(vector.name);
    const Bytes document = vector.Read("document.cbor");
    const auto claims = test::Examine("nitro", document, Trust(), vector.VerifyAt(kAnyTime));
    const std::string why = claims.ok() ? "" : claims.error().Text();
    EXPECT_EQ(VerdictOf(claims), WantedVerdict(vector)) << why;
    EXPECT_TRUE(FindTeeType("nitro")->recognises(document));
    if (!claims.ok()) std::cout << vector.name << ": " << why << "\n";
    if (claims.ok()) ExpectClaims(*claims, vector.meta["claims"]);
    if (VerdictOf(claims) == WantedVerdict(vector)) ++right;
  }
  std::cout << right << " of " << vectors.size() << "\n";
}

}  // namespace
}  // namespace keyclave::attest
