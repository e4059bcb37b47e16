// Arm CCA tokens of others' tests, under the platform keys that lie beside them.

#include "tests/unit/attest/vector_folder.h"

namespace keyclave::attest {
namespace {

using test::ClaimText;
using test::Vector;

TEST(CcaVectors, EachGivesWhatItMust) {
  const auto vectors = test::Vectors("cca");
  if (vectors.empty()) GTEST_SKIP() << "KEYCLAVE_EVIDENCE_DIR names no folder with cca/";
  size_t right = 0;
  for (const Vector& vector : vectors) {
    SCOPED_TRACE(vector.name);
    const Bytes token = vector.Read("token.cbor");
    const auto key = PublicKey::FromPem(vector.Read("cpak_pub.pem"));
    ASSERT_TRUE(key.ok());
    Trust trust;
    EXPECT_EQ(test::Examine("cca", token, trust, 0).code(), Code::kEvidenceChain);
    trust.keys["cca"] = {key->spki()};
    const auto claims = test::Examine("cca", token, trust, 0);
    EXPECT_EQ(claims.ok() ? "accept" : "reject", vector.Verdict())
        << (claims.ok() ? "" : claims.error().Text());
    EXPECT_TRUE(FindTeeType("cca")->recognises(token));
    if (!claims.ok()) continue;
    const auto& realm = vector.meta["claims"]["realm"];
    const auto& platform = vector.meta["claims"]["platform"];
    EXPECT_EQ(ClaimText(*claims, "measurement"), realm["44238"].get<std::string>());
    EXPECT_EQ(ClaimText(*claims, "host_data"), realm["44235"].get<std::string>());
    EXPECT_EQ(ClaimText(*claims, "cca.realm_challenge"), realm["10"].get<std::string>());
    EXPECT_EQ(ClaimText(*claims, "platform_id"), platform["256"].get<std::string>());
    EXPECT_EQ(ClaimText(*claims, "cca.platform_lifecycle"),
              std::to_string(platform["2395"].get<int>()));
    EXPECT_EQ(ClaimText(*claims, "debug"), "false");
    ++right;
  }
  std::cout << right << " of " << vectors.size() << "\n";
}

}  // namespace
}  // namespace keyclave::attest
