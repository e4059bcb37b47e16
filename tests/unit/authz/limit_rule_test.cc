#include "enclave/authz/limit_rule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace keyclave::authz {
namespace {

using testing::HasSubstr;

Result<LimitRule> Parse(const std::string& text) {
  KC_ASSIGN(const YamlValue yaml, ParseYaml(text, "p.yaml"));
  return ParseLimitRule(yaml);
}

TEST(LimitRule, ReadsEveryMember) {
  const auto rule = Parse("{rate: 5000/s, burst: 10000, uses: 100000000, per: caller}");
  ASSERT_TRUE(rule.ok()) << rule.error().Text();
  EXPECT_EQ(rule->rate, (LimitRule::Rate{.count = 5000, .seconds = 1}));
  EXPECT_EQ(rule->burst, 10000U);
  EXPECT_EQ(rule->uses, 100000000U);
  EXPECT_EQ(rule->per, LimitRule::Per::kCaller);
}

TEST(LimitRule, CountsPerKeyAndBurstsTheRateUnlessTold) {
  const auto rule = Parse("{rate: 10/d}");
  ASSERT_TRUE(rule.ok()) << rule.error().Text();
  EXPECT_EQ(rule->rate, (LimitRule::Rate{.count = 10, .seconds = 86400}));
  EXPECT_EQ(rule->burst, 10U);
  EXPECT_EQ(rule->uses, std::nullopt);
  EXPECT_EQ(rule->per, LimitRule::Per::kKey);
}

TEST(LimitRule, RefusesWhatItDoesNotUnderstand) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{}", "limits nothing"},
      {"{per: key}", "limits nothing"},
      {"{burst: 5, uses: 3}", "a burst is of a rate"},
      {"{rate: 5, uses: 3}", "wanted a rate"},
      {"{rate: 0/s}", "wanted a rate"},
      {"{rate: 05/s}", "wanted a rate"},
      {"{rate: -5/s}", "wanted a rate"},
      {"{rate: 5/w}", "wanted a rate"},
      {"{rate: 5/}", "wanted a rate"},
      {"{rate: /s}", "wanted a rate"},
      {"{rate: \"\"}", "wanted a rate"},
      {"{rate: 5/ss}", "wanted a rate"},
      {"{rate: 5 /s}", "wanted a rate"},
      {"{rate: 1000000001/s}", "wanted a rate"},
      {"{rate: 99999999999999999999/s}", "wanted a rate"},
      {"{rate: 5/s, burst: 0}", "wanted 1 to"},
      {"{rate: 5/s, burst: 1000000001}", "wanted 1 to"},
      {"{rate: 1/d, burst: 1000000}", "a hundred years"},
      {"{uses: 0}", "wanted 1 to"},
      {"{uses: 9007199254740993}", "wanted 1 to"},
      {"{uses: 1, per: session}", "wanted key"},
      {"{uses: 1, each: key}", "each"},
      {"[1]", "a mapping"},
  };
  for (const auto& [text, part] : cases) {
    const auto rule = Parse(text);
    ASSERT_FALSE(rule.ok()) << text;
    EXPECT_THAT(rule.error().Text(), HasSubstr(part)) << text;
    EXPECT_THAT(rule.error().Text(), HasSubstr("p.yaml:1")) << text;
  }
}

TEST(LimitRule, PrintsWhatItReads) {
  for (const std::string text :
       {"{rate: 1/s, burst: 1, per: key}", "{rate: 7/m, burst: 9, uses: 1, per: caller}",
        "{rate: 1000000000/h, burst: 1000000000, per: key}", "{rate: 2/d, burst: 2, per: caller}",
        "{uses: 9007199254740992, per: key}"}) {
    const auto rule = Parse(text);
    ASSERT_TRUE(rule.ok()) << rule.error().Text();
    EXPECT_EQ(Print(*rule), text);
  }
}

}  // namespace
}  // namespace keyclave::authz
