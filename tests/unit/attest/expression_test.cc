#include "attest/expression.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "attest/glob.h"

namespace keyclave::attest {
namespace {

using testing::HasSubstr;

constexpr UnixTime kNow = 1'790'000'000;
const std::string kHexA(64, 'a');
const std::string kHexB(64, 'b');

Result<Expression> Parse(const std::string& text) {
  KC_ASSIGN(const YamlValue yaml, ParseYaml(text, "p.yaml"));
  return Expression::Parse(yaml);
}

Expression MustParse(const std::string& text) {
  auto parsed = Parse(text);
  if (!parsed.ok()) {
    ADD_FAILURE() << parsed.error().Text() << "\n" << text;
    return *Parse("tee: {is: sgx}");
  }
  return *std::move(parsed);
}

void ExpectRefused(const std::string& text, Code code, const std::string& part) {
  const auto parsed = Parse(text);
  ASSERT_FALSE(parsed.ok()) << text;
  EXPECT_EQ(CodeName(parsed.code()), CodeName(code)) << parsed.error().Text();
  EXPECT_THAT(parsed.error().Text(), HasSubstr(part));
}

ClaimSet Sample() {
  ClaimSet claims;
  claims.Set("tee", std::string("sev-snp"));
  claims.Set("measurement", kHexA);
  claims.Set("svn", int64_t{7});
  claims.Set("debug", false);
  claims.Set("tcb_status", std::string("up-to-date"));
  claims.Set("tcb_date", std::string("2026-05-01T00:00:00Z"));
  claims.Set("advisories", std::vector<std::string>{"SA-1", "SA-2"});
  claims.Set("product_id", std::string("edge"));
  claims.Set("sev-snp.vmpl", int64_t{0});
  claims.Set("tls.san", std::vector<std::string>{"a.edge.example", "b.core.example"},
             Origin::kTransport);
  claims.Set("peer.uid", int64_t{33}, Origin::kTransport);
  return claims;
}

bool Holds(const std::string& text, const ClaimSet& claims = Sample()) {
  return MustParse(text).Satisfied(claims, kNow);
}

TEST(Expression, ComparatorsOverEachType) {
  const std::vector<std::pair<std::string, bool>> table = {
      {"tee: {is: sev-snp}", true},
      {"tee: {is: tdx}", false},
      {"tee: {in: [tdx, sev-snp]}", true},
      {"tee: {in: [tdx]}", false},
      {"measurement: {is: " + kHexA + "}", true},
      {"measurement: {in: [" + kHexB + "]}", false},
      {"svn: {is: 7}", true},
      {"svn: {min: 7}", true},
      {"svn: {min: 8}", false},
      {"svn: {max: 7}", true},
      {"svn: {max: 6}", false},
      {"svn: {in: [1, 7]}", true},
      {"svn: {min: 7, max: 7}", true},
      {"svn: {min: 1, max: 6}", false},
      {"debug: {is: false}", true},
      {"debug: {is: true}", false},
      {"tcb_date: {after: 2026-04-30}", true},
      {"tcb_date: {after: 2026-05-01}", false},  // strictly after
      {"tcb_date: {before: 2026-05-01}", false},
      {"tcb_date: {before: 2026-05-01T00:00:01Z}", true},
      {"tcb_date: {is: 2026-05-01}", true},
      {"tcb_date: {in: [2026-05-02]}", false},
      {"product_id: {matches: \"e*e\"}", true},
      {"product_id: {matches: \"e?e\"}", false},
      {"product_id: {exists: true}", true},
      {"host_data: {exists: true}", false},
      {"sev-snp.vmpl: {is: 0}", true},
      {"sev-snp.vmpl: {is: \"0\"}", false},  // a text is not a number
      {"sev-snp.vmpl: {is: false}", false},
      {"sev-snp.vmpl: {max: 3}", true},
      {"sev-snp.vmpl: {after: 2020-01-01}", false},
      {"peer.uid: {is: 33}", true},
      {"peer.uid: {is: 34}", false},
  };
  for (const auto& [text, holds] : table) EXPECT_EQ(Holds(text), holds) << text;
}

TEST(Expression, OfAListOneElementIsEnoughButOfAdvisoriesNone) {
  EXPECT_TRUE(Holds("tls.san: {matches: \"*.edge.example\"}"));
  EXPECT_FALSE(Holds("tls.san: {matches: \"*.other.example\"}"));
  EXPECT_TRUE(Holds("advisories: {in: [SA-1, SA-2, SA-3]}"));
  EXPECT_FALSE(Holds("advisories: {in: [SA-1]}"));  // SA-2 was not accepted
  ClaimSet none = Sample();
  none.Set("advisories", std::vector<std::string>{});
  EXPECT_TRUE(Holds("advisories: {in: [SA-1]}", none));
  none.Set("tls.san", std::vector<std::string>{}, Origin::kTransport);
  EXPECT_FALSE(Holds("tls.san: {matches: \"*\"}", none));
}

TEST(Expression, CombinatorsCountWhatHolds) {
  const std::string yes = "{tee: {is: sev-snp}}";
  const std::string no = "{tee: {is: tdx}}";
  const auto list = [&](int holding, int failing) {
    std::string text = "[";
    for (int i = 0; i < holding + failing; ++i)
      text.append(i == 0 ? "" : ", ").append(i < holding ? yes : no);
    return text + "]";
  };
  for (int holding = 0; holding <= 3; ++holding) {
    for (int failing = 0; failing <= 3; ++failing) {
      if (holding + failing == 0) continue;
      const std::string terms = list(holding, failing);
      EXPECT_EQ(Holds("all: " + terms), failing == 0);
      EXPECT_EQ(Holds("any: " + terms), holding > 0);
      EXPECT_EQ(Holds("not: {all: " + terms + "}"), failing > 0);
      EXPECT_EQ(Holds("not: {any: " + terms + "}"), holding == 0);
      for (int n = 1; n <= holding + failing; ++n)
        EXPECT_EQ(Holds("at-least: {n: " + std::to_string(n) + ", of: " + terms + "}"),
                  holding >= n);
    }
  }
}

TEST(Expression, SeveralKeysOfOneMappingMustAllHold) {
  EXPECT_TRUE(Holds("tee: {is: sev-snp}\nsvn: {min: 7}\n"));
  EXPECT_FALSE(Holds("tee: {is: sev-snp}\nsvn: {min: 8}\n"));
  EXPECT_FALSE(Holds("tee: {is: tdx}\nany: [{svn: {min: 1}}]\n"));
}

// lesson 10: nothing is satisfied by what is not there, however it is negated.
TEST(Expression, AbsentClaimsSatisfyNothing) {
  const ClaimSet none;
  for (const char* term :
       {"tee: {is: sgx}", "svn: {min: 0}", "svn: {max: 99}", "debug: {is: false}",
        "product_id: {matches: \"*\"}", "product_id: {exists: true}",
        "tcb_date: {before: 2099-01-01}", "advisories: {in: [x]}"}) {
    const std::string text(term);
    EXPECT_FALSE(Holds(text, none)) << text;
    EXPECT_FALSE(Holds("not: {" + text + "}", none)) << text;
    EXPECT_FALSE(Holds("not: {not: {" + text + "}}", none)) << text;
    EXPECT_FALSE(Holds("not: {all: [{" + text + "}, {tee: {is: sgx}}]}", none)) << text;
    EXPECT_FALSE(Holds("not: {at-least: {n: 1, of: [{" + text + "}]}}", none)) << text;
  }
}

TEST(Expression, WhatAnAbsentClaimCannotChangeIsDecided) {
  // One of two alternatives is known to hold, or known to fail: the absent claim does not matter.
  EXPECT_TRUE(Holds("any: [{host_data: {is: aa}}, {svn: {is: 7}}]"));
  EXPECT_TRUE(Holds("not: {all: [{host_data: {is: aa}}, {svn: {is: 8}}]}"));
  EXPECT_TRUE(Holds("not: {at-least: {n: 2, of: [{host_data: {is: aa}}, {svn: {is: 8}}]}}"));
  EXPECT_FALSE(Holds("not: {at-least: {n: 1, of: [{host_data: {is: aa}}, {svn: {is: 8}}]}}"));
}

TEST(Expression, TheChannelsWordIsNotAnAttestedClaim) {
  ClaimSet claims;
  claims.Set("measurement", kHexA, Origin::kTransport);
  EXPECT_FALSE(Holds("measurement: {is: " + kHexA + "}", claims));
  EXPECT_FALSE(Holds("not: {measurement: {is: " + kHexB + "}}", claims));
  EXPECT_FALSE(Holds("measurement: {exists: true}", claims));
  const auto failed = MustParse("measurement: {is: " + kHexA + "}").FirstFailure(claims, kNow);
  ASSERT_TRUE(failed.has_value());
  EXPECT_THAT(failed->got, HasSubstr("(not attested)"));
}

TEST(Expression, FirstFailureNamesTermWantedAndGot) {
  const std::string text =
      "all:\n  - tee: {in: [tdx, sev-snp]}\n  - svn: {min: 9}\n  - debug: {is: true}\n";
  const auto failed = MustParse(text).FirstFailure(Sample(), kNow);
  ASSERT_TRUE(failed.has_value());
  EXPECT_EQ(failed->term, "svn: {min: 9}");
  EXPECT_EQ(failed->wanted, "min 9");
  EXPECT_EQ(failed->got, "7");
  EXPECT_EQ(failed->line, 3);
  const auto absent = MustParse("host_data: {is: aa}").FirstFailure(Sample(), kNow);
  EXPECT_EQ(absent->got, "absent");
  const auto negated = MustParse("not: {tee: {is: sev-snp}}").FirstFailure(Sample(), kNow);
  EXPECT_EQ(negated->wanted, "not is sev-snp");
  EXPECT_EQ(negated->got, "sev-snp");
  const auto any = MustParse("any: [{svn: {is: 1}}, {svn: {is: 2}}]").FirstFailure(Sample(), kNow);
  EXPECT_THAT(any->wanted, HasSubstr("alternatives"));
  const auto some = MustParse("at-least: {n: 2, of: [{svn: {is: 7}}, {svn: {is: 8}}]}")
                        .FirstFailure(Sample(), kNow);
  EXPECT_THAT(some->wanted, HasSubstr("1 of 2 needed"));
  EXPECT_FALSE(MustParse("svn: {is: 7}").FirstFailure(Sample(), kNow).has_value());
}

TEST(Expression, FailuresAreFitForATerminal) {
  ClaimSet claims;
  claims.Set("product_id", "\x1b[2J" + std::string(5000, 'x'));
  const auto failed = MustParse("product_id: {is: y}").FirstFailure(claims, kNow);
  ASSERT_TRUE(failed.has_value());
  EXPECT_EQ(failed->got.find('\x1b'), std::string::npos);
  EXPECT_LT(failed->got.size(), 300U);
  std::string many = "measurement: {in: [" + kHexA;
  for (int i = 0; i < 500; ++i) many += ", " + kHexB;
  EXPECT_LT(MustParse(many + "]}").FirstFailure(claims, kNow)->wanted.size(), 600U);
}

// lesson 40: a word that is not known is no word that is passed over.
TEST(Expression, RefusesWhatItDoesNotKnow) {
  ExpectRefused("mesurement: {is: aa}", Code::kConfigUnknownKey, "p.yaml:1: mesurement");
  ExpectRefused("mesurement: {is: aa}", Code::kConfigUnknownKey, "measurement");
  ExpectRefused("sgx: {is: aa}", Code::kConfigUnknownKey, "sgx.*");
  ExpectRefused("sgx.: {is: aa}", Code::kConfigUnknownKey, "sgx.*");
  ExpectRefused("sgx.A B: {is: aa}", Code::kConfigUnknownKey, "sgx.*");
  ExpectRefused("peer.gender: {is: x}", Code::kConfigUnknownKey, "peer.uid");
  ExpectRefused("simulated.exe: {is: x}", Code::kConfigUnknownKey, "simulated.executable");
  ExpectRefused("svn: {atleast: 3}", Code::kConfigBadValue, "known: is, in, min, max, exists");
  ExpectRefused("measurement: {in-set: prod}", Code::kConfigBadValue,
                "there are no reference-value sets here");
  ExpectRefused("measurement: {min: 3}", Code::kConfigBadValue, "known: is, in, exists");
  ExpectRefused("measurement: {matches: \"a*\"}", Code::kConfigBadValue, "no comparator");
  ExpectRefused("debug: {in: [true, false]}", Code::kConfigBadValue, "no comparator");
  ExpectRefused("tee: {is: sevsnp}", Code::kConfigBadValue, "known: sgx, tdx, sev-snp");
  ExpectRefused("tcb_status: {is: uptodate}", Code::kConfigBadValue, "up-to-date");
}

TEST(Expression, ChecksOperandsAgainstTheClaimsType) {
  ExpectRefused("measurement: {is: ABCD}", Code::kConfigBadValue, "lower-case hexadecimal");
  ExpectRefused("measurement: {is: abc}", Code::kConfigBadValue, "whole bytes");
  ExpectRefused("measurement: {is: 0xab}", Code::kConfigBadValue, "hexadecimal");
  ExpectRefused("measurement: {is: ''}", Code::kConfigBadValue, "empty");
  ExpectRefused("measurement: {is: }", Code::kConfigWrongType, "wanted a text");
  ExpectRefused("measurement: {in: [aa, xy]}", Code::kConfigBadValue, "measurement.in[2]");
  ExpectRefused("svn: {min: three}", Code::kConfigWrongType, "whole number");
  ExpectRefused("svn: {is: -1}", Code::kConfigBadValue, "wanted 0");
  ExpectRefused("debug: {is: \"false\"}", Code::kConfigWrongType, "true or false");
  ExpectRefused("debug: {is: no}", Code::kConfigWrongType, "true or false");
  ExpectRefused("tcb_date: {after: 2026-02-30}", Code::kConfigBadValue, "no such day");
  ExpectRefused("product_id: {is: [a]}", Code::kConfigWrongType, "wanted a text");
  ExpectRefused("product_id: {in: a}", Code::kConfigWrongType, "wanted a list");
  ExpectRefused("product_id: {is: \"a\\tb\"}", Code::kConfigBadValue, "control characters");
  ExpectRefused("product_id: {matches: " + std::string(257, 'a') + "}", Code::kConfigBadValue,
                "256");
  ExpectRefused("product_id: {is: " + std::string(1025, 'a') + "}", Code::kConfigBadValue, "1024");
  // Measurements of digits only stay texts.
  EXPECT_FALSE(Holds("measurement: {is: 1234}"));
}

// lesson 10: nor by a list or a condition that is empty.
TEST(Expression, RefusesWhatSaysNothing) {
  for (const char* text : {"", "all: []", "any: []", "not: {}", "tee: {}", "tee: {in: []}",
                           "at-least: {n: 0, of: [{tee: {is: sgx}}]}", "all: [{}]",
                           "at-least: {n: 2, of: [{tee: {is: sgx}}]}"})
    ExpectRefused(text, Code::kConfigBadValue, "p.yaml:1");
  ExpectRefused("tee: sgx", Code::kConfigBadValue, "{is: VALUE}");
  ExpectRefused("all: {tee: {is: sgx}}", Code::kConfigWrongType, "a list");
  ExpectRefused("not: [{tee: {is: sgx}}]", Code::kConfigWrongType, "a mapping");
  ExpectRefused("at-least: {of: [{tee: {is: sgx}}]}", Code::kConfigMissingKey, "n is missing");
  ExpectRefused("at-least: {n: 1, of: [{tee: {is: sgx}}], x: 1}", Code::kConfigUnknownKey, "x");
  ExpectRefused("- tee: {is: sgx}", Code::kConfigWrongType, "a mapping");
  ExpectRefused("host_data: {exists: false}", Code::kConfigBadValue, "exists: true");
}

TEST(Expression, DepthAndTermsAreBounded) {
  const auto nested = [](const std::string& open, const std::string& close, size_t depth) {
    std::string text;
    for (size_t i = 1; i < depth; ++i) text += open;
    text += "tee: {in: [sgx]}";
    for (size_t i = 1; i < depth; ++i) text += close;
    return "{" + text + "}";
  };
  const std::vector<std::pair<std::string, std::string>> wrappers = {
      {"all: [{", "}]"}, {"any: [{", "}]"}, {"not: {", "}"}, {"at-least: {n: 1, of: [{", "}]}"}};
  for (const auto& [open, close] : wrappers) {
    // The deepest that is allowed also fits into a policy, three levels further down.
    const Expression deepest = MustParse(nested(open, close, kMaxExpressionDepth));
    EXPECT_TRUE(Parse(deepest.Print()).ok());
    const std::string in_policy = "permit: [{when: " + deepest.Print() + "}]";
    EXPECT_TRUE(ParseYaml(in_policy, "p.yaml").ok());
    EXPECT_FALSE(Parse(nested(open, close, kMaxExpressionDepth + 1)).ok()) << open;
    EXPECT_FALSE(Parse(nested(open, close, 5000)).ok()) << open;
  }
  const auto many = [](size_t n) {
    std::string list = "svn: {in: [1";
    for (size_t i = 1; i < n; ++i) list += ", 1";
    return list + "]}";
  };
  EXPECT_TRUE(Parse(many(kMaxExpressionTerms)).ok());
  ExpectRefused(many(kMaxExpressionTerms + 1), Code::kConfigBadValue, "1024 terms");
  ExpectRefused("all: [{" + many(kMaxExpressionTerms) + "}, {tee: {is: sgx}}]",
                Code::kConfigBadValue, "1024 terms");
}

TEST(Expression, KnowsWhetherEveryWayNamesTheWorkload) {
  const std::string m = "{measurement: {is: aa}}";
  const std::string s = "{signer: {in: [aa, bb]}}";
  const std::string t = "{tee: {is: sgx}}";
  const std::vector<std::pair<std::string, bool>> table = {
      {m, true},
      {s, true},
      {t, false},
      {"{measurement: {exists: true}}", false},
      {"{platform_id: {is: aa}}", false},
      {"{host_data: {is: aa}}", false},
      {"{peer.uid: {is: 0}}", false},
      {"{tls.san: {is: x}}", false},
      {"{tpm.pcr7: {is: aa}}", true},
      {"{tdx.mrtd: {in: [aa]}}", true},
      {"{tdx.rtmr1: {in: [aa]}}", false},
      {"{tdx.mrtd: {is: aa}}", true},
      {"{tdx.mrconfigid: {is: aa}}", false},
      {"{tdx.mrowner: {is: aa}}", false},
      {"{tdx.mrseam: {is: aa}}", false},
      {"{nitro.pcr0: {matches: \"*\"}}", false},
      {"{sev-snp.vmpl: {is: 0}}", false},
      {"{all: [" + t + ", " + m + "]}", true},
      {"{tee: {is: sgx}, measurement: {is: aa}}", true},
      {"{any: [" + t + ", " + m + "]}", false},
      {"{any: [" + s + ", " + m + "]}", true},
      {"{not: " + m + "}", false},
      {"{not: {not: " + m + "}}", false},
      {"{at-least: {n: 1, of: [" + s + ", " + m + "]}}", true},
      {"{at-least: {n: 1, of: [" + s + ", " + t + "]}}", false},
      {"{at-least: {n: 2, of: [" + s + ", " + t + "]}}", true},
      {"{at-least: {n: 2, of: [" + s + ", " + t + ", " + t + "]}}", false},
      {"{at-least: {n: 2, of: [" + s + ", " + m + ", " + t + "]}}", true},
  };
  for (const auto& [text, names] : table)
    EXPECT_EQ(MustParse(text).RequiresAttested(), names) << text;
}

TEST(Expression, KnowsWhetherItNamesSimulatedOrDebug) {
  EXPECT_TRUE(MustParse("tee: {is: simulated}").MentionsSimulated());
  EXPECT_TRUE(MustParse("any: [{tee: {in: [sgx, simulated]}}]").MentionsSimulated());
  EXPECT_TRUE(MustParse("not: {not: {tee: {is: simulated}}}").MentionsSimulated());
  EXPECT_FALSE(MustParse("not: {tee: {is: simulated}}").MentionsSimulated());
  EXPECT_FALSE(MustParse("tee: {is: sgx}").MentionsSimulated());
  EXPECT_FALSE(MustParse("product_id: {is: simulated}").MentionsSimulated());
  EXPECT_TRUE(MustParse("debug: {is: true}").MentionsDebug());
  EXPECT_TRUE(MustParse("not: {debug: {is: false}}").MentionsDebug());
  EXPECT_FALSE(MustParse("debug: {is: false}").MentionsDebug());
  EXPECT_FALSE(MustParse("not: {debug: {is: true}}").MentionsDebug());
}

TEST(Glob, MatchesWholeTexts) {
  const std::vector<std::tuple<std::string, std::string, bool>> table = {{"", "", true},
                                                                         {"", "a", false},
                                                                         {"*", "", true},
                                                                         {"*", "abc", true},
                                                                         {"?", "", false},
                                                                         {"?", "a", true},
                                                                         {"?", "ab", false},
                                                                         {"a*c", "abbc", true},
                                                                         {"a*c", "abbd", false},
                                                                         {"*.x", "a.x", true},
                                                                         {"*.x", ".x", true},
                                                                         {"*.x", "a.xx", false},
                                                                         {"a*b*c", "abbcbc", true},
                                                                         {"**", "a", true},
                                                                         {"a?*", "a", false},
                                                                         {"[a]", "a", false},
                                                                         {"*a*a*", "aa", true},
                                                                         {"*a*a*", "a", false},
                                                                         {"abc", "abc", true},
                                                                         {"abc", "abcd", false},
                                                                         {"abcd", "abc", false}};
  for (const auto& [pattern, text, matches] : table)
    EXPECT_EQ(GlobMatches(pattern, text), matches) << pattern << " " << text;
}

TEST(Glob, HostilePatternsTakeNoMoreThanTheirProduct) {
  std::string pattern;
  while (pattern.size() + 2 <= kMaxGlob) pattern += "a*";
  EXPECT_FALSE(GlobMatches(pattern + "b", std::string(1 << 16, 'a')));
}

}  // namespace
}  // namespace keyclave::attest
