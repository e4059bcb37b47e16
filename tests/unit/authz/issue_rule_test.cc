#include "enclave/authz/issue_rule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "enclave/authz/permit_diff.h"
#include "enclave/authz/policy.h"

namespace keyclave::authz {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Result<IssueRule> Parse(const std::string& value) {
  KC_ASSIGN(const YamlValue root, ParseYaml("issue: " + value + "\n", "p.yaml"));
  KC_ASSIGN(YamlMap map, root.AsMap());
  KC_ASSIGN(const YamlValue issue, map.Require("issue"));
  return ParseIssueRule(issue);
}

void ExpectRefused(const std::string& value, Code code, const std::string& part) {
  const auto rule = Parse(value);
  ASSERT_FALSE(rule.ok()) << value;
  EXPECT_EQ(CodeName(rule.code()), CodeName(code)) << rule.error().Text();
  EXPECT_THAT(rule.error().Text(), HasSubstr(part));
  EXPECT_THAT(rule.error().Text(), HasSubstr("p.yaml:1"));
}

constexpr const char* kMesh =
    "{dns: [.mesh.example], uri: [\"spiffe://mesh.example/*\"], ip: [10.0.0.0/8], usages: "
    "[server-auth, client-auth], max_validity: 24h}";

Result<Policy> PolicyOf(const std::string& operations, const std::string& more) {
  return Policy::Parse("policy: ca\nversion: 1\npermit:\n  - operations: [" + operations +
                           "]\n    mechanisms: [ecdsa]\n    when: {measurement: {is: ab}}\n" + more,
                       "p.yaml");
}

TEST(IssueRule, ReadsAndPrintsWhatItSays) {
  const auto rule = Parse(kMesh);
  ASSERT_TRUE(rule.ok()) << rule.error().Text();
  EXPECT_THAT(rule->x509.dns, ElementsAre(".mesh.example"));
  EXPECT_THAT(rule->x509.uri, ElementsAre("spiffe://mesh.example/*"));
  EXPECT_THAT(rule->x509.usages,
              ElementsAre(CertificateUsage::kServerAuth, CertificateUsage::kClientAuth));
  EXPECT_FALSE(rule->x509.ca);
  EXPECT_EQ(rule->max_validity, 86400U);
  const auto again = Parse(PrintIssueRule(*rule));
  ASSERT_TRUE(again.ok()) << again.error().Text();
  EXPECT_EQ(*again, *rule);
  EXPECT_EQ(PrintIssueRule(*again), PrintIssueRule(*rule));
}

TEST(IssueRule, NamesTheClaimsThatACertificateTells) {
  const std::string begin = "{dns: [a.example], usages: [server-auth], max_validity: 24h";
  const auto rule = Parse(begin + ", claims: [tee, measurement, sev-snp.vmpl]}");
  ASSERT_TRUE(rule.ok()) << rule.error().Text();
  EXPECT_THAT(rule->claims, ElementsAre("tee", "measurement", "sev-snp.vmpl"));
  EXPECT_EQ(Parse(PrintIssueRule(*rule)).value(), *rule);
  ExpectRefused(begin + ", claims: []}", Code::kConfigBadValue, "1 to 32");
  ExpectRefused(begin + ", claims: [tee, tee]}", Code::kConfigBadValue, "twice");
  ExpectRefused(begin + ", claims: [mesurement]}", Code::kConfigBadValue, "no such claim");
  ExpectRefused(begin + ", claims: [tls.key]}", Code::kConfigBadValue, "nobody has proved it");
}

TEST(IssueRule, HasToSayNamesUsagesAndForHowLong) {
  ExpectRefused("{usages: [server-auth], max_validity: 24h}", Code::kConfigBadValue, "nobody");
  ExpectRefused("{subject: [\"O=Example\"], usages: [server-auth], max_validity: 24h}",
                Code::kConfigBadValue, "nobody");
  ExpectRefused("{dns: [a.example], max_validity: 24h}", Code::kConfigMissingKey, "usages");
  ExpectRefused("{dns: [a.example], usages: [], max_validity: 24h}", Code::kConfigBadValue,
                "empty");
  ExpectRefused("{dns: [a.example], usages: [server-auth]}", Code::kConfigMissingKey,
                "max_validity");
  ExpectRefused("{dns: [a.example], usages: [server-auth], max_validity: 0s}",
                Code::kConfigBadValue, "24h");
  ExpectRefused("{dns: [a.example], usages: [server-auth], max_validity: 36526d}",
                Code::kConfigBadValue, "24h");
}

TEST(IssueRule, NeverLetsACaOrOtherExtensionsBeIssued) {
  for (const char* const key :
       {"ca: true", "ca: false", "extensions: [1.2.3.4]", "max_days: 3", "names: [a.example]"}) {
    ExpectRefused(
        "{dns: [a.example], usages: [server-auth], max_validity: 24h, " + std::string(key) + "}",
        Code::kConfigUnknownKey, "not known");
  }
}

TEST(IssueRule, UrisAreHostsWholeUrisOrWhatIsBelowOne) {
  const auto with = [](const std::string& uri) {
    return "{uri: [\"" + uri + "\"], usages: [client-auth], max_validity: 1h}";
  };
  for (const char* const good : {"spiffe://mesh.example/*", "spiffe://mesh.example/web",
                                 "spiffe://mesh.example/ns/a_b.c~d-e/sa/*",
                                 "https://mesh.example/a", "mesh.example", ".mesh.example"}) {
    EXPECT_TRUE(Parse(with(good)).ok()) << good;
  }
  for (const char* const bad : {"spiffe://mesh.example",
                                "spiffe://mesh.example*",
                                "spiffe://*.mesh.example/*",
                                "spiffe://*/web",
                                "*",
                                "spiffe://mesh.example/",
                                "spiffe://mesh.example//x",
                                "spiffe://mesh.example/../x",
                                "spiffe://mesh.example/./x",
                                "spiffe://mesh.example/x*",
                                "spiffe://mesh.example/*/x",
                                "spiffe://mesh.example/a%2fb",
                                "spiffe://Mesh.example/x",
                                "SPIFFE://mesh.example/x",
                                "spiffe://u@mesh.example/x",
                                "spiffe://mesh.example:1/x",
                                "spiffe://mesh.example/x?y",
                                "spiffe://mesh.example/x#y",
                                "://mesh.example/x",
                                "spiffe:///x"}) {
    ExpectRefused(with(bad), Code::kConfigBadValue, "wanted a URI");
  }
}

TEST(IssueRule, GoesWithTheOperationAndOnlyWithIt) {
  const std::string issue = std::string("    issue: ") + kMesh + "\n";
  EXPECT_TRUE(PolicyOf("issue", issue).ok());
  EXPECT_TRUE(PolicyOf("issue, verify", issue).ok());
  const auto missing = PolicyOf("issue", "");
  ASSERT_FALSE(missing.ok());
  EXPECT_THAT(missing.error().Text(), HasSubstr("the key issue is missing"));
  const auto alone = PolicyOf("verify", issue);
  ASSERT_FALSE(alone.ok());
  EXPECT_THAT(alone.error().Text(), HasSubstr("this permit has no `issue`"));
}

TEST(IssueRule, SurvivesPrintingWithItsPolicy) {
  const auto policy = PolicyOf("issue", std::string("    issue: ") + kMesh + "\n");
  ASSERT_TRUE(policy.ok());
  const auto again = Policy::Parse(policy->Print(), "p.yaml");
  ASSERT_TRUE(again.ok()) << again.error().Text() << policy->Print();
  EXPECT_EQ(again->Print(), policy->Print());
  EXPECT_EQ(again->permits().front().issue, policy->permits().front().issue);
}

TEST(IssueRule, SigningBesideItIsWarnedOf) {
  const std::string issue = std::string("    issue: ") + kMesh + "\n";
  const auto warned = [&](const std::string& input) {
    const auto policy = PolicyOf("issue, sign", issue + input);
    EXPECT_TRUE(policy.ok());
    const auto warnings = policy->Warnings();
    return std::any_of(warnings.begin(), warnings.end(), [](const std::string& warning) {
      return warning.find("`issue` would refuse") != std::string::npos;
    });
  };
  EXPECT_TRUE(warned(""));
  EXPECT_TRUE(warned("    input: digest\n"));
  EXPECT_TRUE(warned("    input: {x509-tbs: {dns: [a.example]}}\n"));
  EXPECT_FALSE(warned("    input: x509-crl\n"));
}

TEST(IssueRule, DifferencesSayWhoGains) {
  const auto diff = [](const std::string& before, const std::string& after) {
    const auto old_policy = PolicyOf("issue", "    issue: " + before + "\n");
    const auto new_policy = PolicyOf("issue", "    issue: " + after + "\n");
    EXPECT_TRUE(old_policy.ok() && new_policy.ok());
    return ComparePermits(old_policy->permits().front(), new_policy->permits().front());
  };
  const std::string one = "{dns: [a.example], usages: [server-auth], max_validity: 1h}";
  const std::string longer = "{dns: [a.example], usages: [server-auth], max_validity: 2h}";
  const std::string wider =
      "{dns: [a.example, b.example], usages: [server-auth], max_validity: 1h}";
  const std::string other = "{dns: [b.example], usages: [server-auth], max_validity: 1h}";
  EXPECT_TRUE(diff(one, one).empty());
  const auto verdict = [&](const std::string& before, const std::string& after) {
    const auto differences = diff(before, after);
    EXPECT_EQ(differences.size(), 1U);
    return differences.front().verdict;
  };
  EXPECT_EQ(verdict(one, longer), ChangeVerdict::kWeaker);
  EXPECT_EQ(verdict(longer, one), ChangeVerdict::kStricter);
  EXPECT_EQ(verdict(one, wider), ChangeVerdict::kWeaker);
  EXPECT_EQ(verdict(one, other), ChangeVerdict::kChanged);
}

}  // namespace
}  // namespace keyclave::authz
