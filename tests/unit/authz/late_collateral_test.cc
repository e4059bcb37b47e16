// Evidence that was verified with collateral past its nextUpdate: only for policies that say so,
// and for as long as they say.
#include <gtest/gtest.h>

#include "attest/evidence.h"
#include "enclave/authz/authorize.h"

namespace keyclave::authz {
namespace {

constexpr UnixTime kNow = 1'790'000'000;
constexpr UnixTime kHour = 3600;

Policy MustParse(const std::string& trouble, const std::string& more = "") {
  auto parsed = Policy::Parse("policy: p\nversion: 1\n" + trouble +
                                  "permit:\n  - operations: [sign]\n    mechanisms: [ecdsa]\n" +
                                  more + "    when: {measurement: {is: aa}}\n",
                              "p.yaml");
  EXPECT_TRUE(parsed.ok()) << parsed.error().Text();
  return *std::move(parsed);
}

attest::ClaimSet Claims(std::optional<UnixTime> expired_at) {
  attest::ClaimSet claims;
  claims.Set("tee", std::string("tdx"));
  claims.Set("measurement", std::string("aa"));
  claims.Set("debug", false);
  if (expired_at.has_value())
    claims.Set(std::string(attest::kCollateralExpiredAt), FormatTime(*expired_at));
  return claims;
}

Status Asked(const Policy& policy, const attest::ClaimSet& claims, UnixTime now) {
  return Evaluate(policy, claims, kNow, kNow, {}).Check(Operation::kSign, "ecdsa", now);
}

TEST(LateCollateral, IsForPoliciesThatSaySo) {
  const auto claims = Claims(kNow - kHour);
  for (const std::string& trouble : std::vector<std::string>{
           "", "on_verifier_trouble: deny\n", "on_verifier_trouble: use_cached(1h)\n"}) {
    EXPECT_EQ(Asked(MustParse(trouble), claims, kNow).code(), Code::kDenied) << trouble;
    EXPECT_TRUE(Asked(MustParse(trouble), Claims({}), kNow).ok()) << trouble;
  }
  EXPECT_TRUE(Asked(MustParse("on_verifier_trouble: use_cached(2h)\n"), claims, kNow).ok());
}

TEST(LateCollateral, AllowUnattestedDoesNotMeanIt) {
  EXPECT_EQ(Asked(MustParse("", "    allow_unattested: true\n"), Claims(kNow - 1), kNow).code(),
            Code::kDenied);
}

TEST(LateCollateral, AGrantEndsWithIt) {
  const Policy policy = MustParse("on_verifier_trouble: use_cached(2h)\n");
  const auto claims = Claims(kNow - kHour);
  EXPECT_TRUE(Asked(policy, claims, kNow + kHour - 1).ok());
  EXPECT_EQ(Asked(policy, claims, kNow + kHour).code(), Code::kDenied);
  // Newer evidence changes nothing: the collateral is what is old.
  const Policy aged = MustParse("on_verifier_trouble: use_cached(2h)\n", "    max_age: 3h\n");
  EXPECT_EQ(Asked(aged, claims, kNow + kHour).code(), Code::kDenied);
}

TEST(LateCollateral, ExplainNamesIt) {
  const auto verdicts = Explain(MustParse(""), Claims(kNow - kHour), kNow, kNow, Operation::kSign,
                                "ecdsa", {}, nullptr);
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_EQ(verdicts[0].term, "collateral");
  EXPECT_NE(verdicts[0].got.find(FormatTime(kNow - kHour)), std::string::npos);
}

TEST(LateCollateral, PoliciesPrintWhatTheyRead) {
  const Policy policy = MustParse("on_verifier_trouble: use_cached(36h)\n");
  EXPECT_EQ(policy.collateral_grace(), 129600U);
  const auto again = Policy::Parse(policy.Print(), "p.yaml");
  ASSERT_TRUE(again.ok()) << again.error().Text();
  EXPECT_EQ(again->collateral_grace(), 129600U);
  EXPECT_EQ(again->Print(), policy.Print());
}

}  // namespace
}  // namespace keyclave::authz
