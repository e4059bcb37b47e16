// What must hold for every expression and every set of claims, tried on many random ones.

#include <gtest/gtest.h>

#include <random>

#include "attest/expression.h"

namespace keyclave::attest {
namespace {

constexpr int kRounds = 4000;

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  size_t Below(size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(engine_); }
  bool Coin() { return Below(2) == 0; }
  template <class List>
  std::string Of(const List& list) {
    return *(std::begin(list) + static_cast<ptrdiff_t>(Below(std::size(list))));
  }

 private:
  std::mt19937 engine_;
};

constexpr const char* kTerms[] = {"tee: {is: simulated}",
                                  "tee: {in: [sgx, tdx]}",
                                  "measurement: {is: aa}",
                                  "measurement: {in: [aa, bb]}",
                                  "signer: {is: cc}",
                                  "svn: {min: 3}",
                                  "svn: {max: 3}",
                                  "svn: {is: 3}",
                                  "debug: {is: false}",
                                  "debug: {is: true}",
                                  "tcb_status: {in: [up-to-date, sw-hardening-needed]}",
                                  "tcb_date: {after: 2026-01-01}",
                                  "tcb_date: {before: 2026-01-01T10:00:00Z}",
                                  "advisories: {in: [SA-1]}",
                                  "product_id: {matches: \"a*\"}",
                                  "product_id: {is: \"true\"}",
                                  "platform_id: {exists: true}",
                                  "sgx.attributes: {is: 3}",
                                  "sgx.attributes: {is: \"3\"}",
                                  "token.sub: {matches: \"sp iffe:*\"}",
                                  "tls.san: {matches: \"*.x\"}",
                                  "peer.uid: {in: [0, 33]}",
                                  "svn: {min: 1, max: 4}",
                                  "token.iss: {is: \"quote \\\" and \\\\\"}"};

std::string RandomExpression(Random& random, int depth) {
  if (depth == 0 || random.Below(3) == 0) return std::string("{") + random.Of(kTerms) + "}";
  const size_t count = 1 + random.Below(3);
  std::string list = "[";
  for (size_t i = 0; i < count; ++i)
    list.append(i == 0 ? "" : ", ").append(RandomExpression(random, depth - 1));
  list += "]";
  switch (random.Below(4)) {
    case 0: return "{all: " + list + "}";
    case 1: return "{any: " + list + "}";
    case 2: return "{not: " + RandomExpression(random, depth - 1) + "}";
    default:
      return "{at-least: {n: " + std::to_string(1 + random.Below(count)) + ", of: " + list + "}}";
  }
}

ClaimSet RandomClaims(Random& random) {
  ClaimSet claims;
  const auto text = [&](const char* name, std::initializer_list<const char*> values) {
    if (random.Coin()) claims.Set(name, random.Of(values));
  };
  text("tee", {"simulated", "sgx", "nitro"});
  text("measurement", {"aa", "bb", "dd"});
  text("signer", {"cc", "dd"});
  text("tcb_status", {"up-to-date", "out-of-date"});
  text("tcb_date", {"2026-01-01", "2027-01-01", "2025-05-05", "not a time"});
  text("product_id", {"abc", "true", "x"});
  text("platform_id", {"ee"});
  text("token.sub", {"sp iffe:x", "y"});
  if (random.Coin()) claims.Set("svn", static_cast<int64_t>(random.Below(6)));
  if (random.Coin()) claims.Set("debug", random.Coin());
  if (random.Coin()) claims.Set("sgx.attributes", int64_t{3});
  if (random.Coin()) claims.Set("advisories", std::vector<std::string>{"SA-1", random.Of(kTerms)});
  if (random.Coin()) claims.Set("tls.san", std::vector<std::string>{"a.x"}, Origin::kTransport);
  if (random.Coin()) claims.Set("peer.uid", int64_t{33}, Origin::kTransport);
  return claims;
}

ClaimSet Without(const ClaimSet& claims, std::string_view name) {
  ClaimSet fewer;
  for (const auto& [key, claim] : claims) {
    if (key != name) fewer.Set(key, claim.value, claim.origin);
  }
  return fewer;
}

Expression MustParse(const std::string& text) {
  const auto yaml = ParseYaml(text, "x");
  EXPECT_TRUE(yaml.ok()) << text;
  auto parsed = Expression::Parse(*yaml);
  EXPECT_TRUE(parsed.ok()) << text << "\n" << parsed.error().Text();
  return *std::move(parsed);
}

TEST(ExpressionProperty, RemovingAClaimNeverSatisfies) {
  Random random(1);
  int satisfied = 0;
  for (int i = 0; i < kRounds; ++i) {
    const Expression expression = MustParse(RandomExpression(random, 4));
    const ClaimSet claims = RandomClaims(random);
    const bool before = expression.Satisfied(claims, 0);
    satisfied += before ? 1 : 0;
    for (const auto& [name, claim] : claims) {
      const bool after = expression.Satisfied(Without(claims, name), 0);
      EXPECT_LE(after, before) << expression.Print() << " without " << name;
    }
  }
  EXPECT_GT(satisfied, kRounds / 20);  // the property was not tried on refusals only
}

TEST(ExpressionProperty, LosingAttestationOfAClaimNeverSatisfies) {
  Random random(2);
  for (int i = 0; i < kRounds; ++i) {
    const Expression expression = MustParse(RandomExpression(random, 4));
    const ClaimSet claims = RandomClaims(random);
    const bool before = expression.Satisfied(claims, 0);
    for (const auto& [name, claim] : claims) {
      ClaimSet weaker = claims;
      weaker.Set(name, claim.value, Origin::kTransport);
      EXPECT_LE(expression.Satisfied(weaker, 0), before) << expression.Print() << " " << name;
    }
  }
}

TEST(ExpressionProperty, AnUnknownClaimChangesNothing) {
  Random random(3);
  for (int i = 0; i < kRounds; ++i) {
    const Expression expression = MustParse(RandomExpression(random, 4));
    ClaimSet claims = RandomClaims(random);
    const bool before = expression.Satisfied(claims, 0);
    claims.Set("nobody.asked", std::string("x"));
    EXPECT_EQ(expression.Satisfied(claims, 0), before) << expression.Print();
  }
}

TEST(ExpressionProperty, PrintedAndParsedAgainItIsTheSame) {
  Random random(4);
  for (int i = 0; i < kRounds; ++i) {
    const Expression expression = MustParse(RandomExpression(random, 4));
    const Expression again = MustParse(expression.Print());
    EXPECT_EQ(expression.Print(), again.Print());
    const ClaimSet claims = RandomClaims(random);
    EXPECT_EQ(expression.Satisfied(claims, 0), again.Satisfied(claims, 0)) << expression.Print();
    EXPECT_EQ(expression.RequiresAttested(), again.RequiresAttested());
  }
}

TEST(ExpressionProperty, AFailureIsNamedExactlyWhenThereIsOne) {
  Random random(5);
  for (int i = 0; i < kRounds; ++i) {
    const Expression expression = MustParse(RandomExpression(random, 4));
    const ClaimSet claims = RandomClaims(random);
    const auto failed = expression.FirstFailure(claims, 0);
    ASSERT_EQ(!failed.has_value(), expression.Satisfied(claims, 0));
    if (!failed.has_value()) continue;
    EXPECT_FALSE(failed->term.empty() || failed->wanted.empty() || failed->got.empty());
  }
}

TEST(ExpressionProperty, WithoutTheWorkloadsClaimsNothingThatNamesItIsSatisfied) {
  Random random(6);
  for (int i = 0; i < kRounds; ++i) {
    const Expression expression = MustParse(RandomExpression(random, 4));
    if (!expression.RequiresAttested()) continue;
    const ClaimSet claims = Without(Without(RandomClaims(random), "measurement"), "signer");
    EXPECT_FALSE(expression.Satisfied(claims, 0)) << expression.Print();
  }
}

}  // namespace
}  // namespace keyclave::attest
