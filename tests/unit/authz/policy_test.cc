#include "enclave/authz/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "enclave/authz/families.h"
#include "enclave/authz/set_document.h"
#include "enclave/base/file.h"
#include "enclave/base/hash.h"
#include "tests/fakes/paths.h"

namespace keyclave::authz {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kHead = "policy: p\nversion: 1\n";
const std::string kPermit =
    "permit:\n  - operations: [sign]\n    mechanisms: [ecdsa]\n    when: {measurement: {is: aa}}\n";

void ExpectRefused(const std::string& text, Code code, const std::string& part) {
  const auto parsed = Policy::Parse(text, "p.yaml");
  ASSERT_FALSE(parsed.ok()) << text;
  EXPECT_EQ(CodeName(parsed.code()), CodeName(code)) << parsed.error().Text();
  EXPECT_THAT(parsed.error().Text(), HasSubstr(part));
  EXPECT_THAT(parsed.error().Text(), HasSubstr("p.yaml:"));
}

Policy MustParse(const std::string& text) {
  auto parsed = Policy::Parse(text, "p.yaml");
  if (!parsed.ok()) {
    ADD_FAILURE() << parsed.error().Text() << "\n" << text;
    return *Policy::Parse(kHead + kPermit, "p.yaml");
  }
  return *std::move(parsed);
}

std::string WithWhen(const std::string& when, const std::string& more = "") {
  return kHead + "permit:\n  - operations: [sign]\n    mechanisms: [ecdsa]\n    when: {" + when +
         "}\n" + more;
}

TEST(Policy, ReadsEveryKey) {
  const std::string text =
      "policy: edge-tls\nversion: 4\npermit:\n"
      "  - operations: [sign, decrypt]\n"
      "    mechanisms: [ecdsa, rsa-pss]\n"
      "    input: any\n"
      "    when: {measurement: {is: aa}}\n"
      "    max_age: 15m\n"
      "    valid: {from: 2026-12-01, until: 2026-12-02T12:00:00Z}\n"
      "  - operations: [manage]\n"
      "    when: {peer.uid: {is: 0}}\n"
      "    allow_unattested: true\n";
  const Policy policy = MustParse(text);
  EXPECT_EQ(policy.name(), "edge-tls");
  EXPECT_EQ(policy.version(), 4U);
  EXPECT_EQ(policy.digest(), Sha256(AsBytes(text)));
  ASSERT_EQ(policy.permits().size(), 2U);
  const Permit& first = policy.permits()[0];
  EXPECT_EQ(first.operations.Text(), "sign, decrypt");
  EXPECT_TRUE(first.operations.Has(Operation::kDecrypt));
  EXPECT_FALSE(first.operations.Has(Operation::kVerify));
  EXPECT_THAT(*first.mechanisms, ElementsAre("ecdsa", "rsa-pss"));
  EXPECT_EQ(first.max_age, 900U);
  EXPECT_EQ(FormatTime(*first.valid_from), "2026-12-01T00:00:00Z");
  EXPECT_EQ(FormatTime(*first.valid_until), "2026-12-02T12:00:00Z");
  EXPECT_FALSE(first.allow_unattested);
  EXPECT_EQ(first.line, 4);
  const Permit& second = policy.permits()[1];
  EXPECT_FALSE(second.mechanisms.has_value());
  EXPECT_FALSE(second.max_age || second.valid_from || second.valid_until);
  EXPECT_TRUE(second.allow_unattested);
  EXPECT_EQ(second.line, 10);
}

TEST(Policy, TheDigestIsOfTheTextAsGiven) {
  const Policy a = MustParse(kHead + kPermit);
  const Policy b = MustParse(kHead + kPermit + "# a comment\n");
  EXPECT_NE(a.digest(), b.digest());
}

// lesson 10: what is left out permits nothing.
TEST(Policy, RefusesWhatIsMissing) {
  ExpectRefused("", Code::kConfigMissingKey, "policy is missing");
  ExpectRefused("policy: p\n" + kPermit, Code::kConfigMissingKey, "version is missing");
  ExpectRefused(kHead, Code::kConfigMissingKey, "permit is missing");
  ExpectRefused(kHead + "permit: []\n", Code::kConfigBadValue, "permits nothing");
  ExpectRefused(kHead + "permit:\n", Code::kConfigWrongType, "a list");
  ExpectRefused(kHead + "permit:\n  - when: {measurement: {is: aa}}\n", Code::kConfigMissingKey,
                "operations is missing");
  ExpectRefused(kHead + "permit:\n  - operations: [sign]\n", Code::kConfigMissingKey,
                "when is missing");
  ExpectRefused(kHead + "permit:\n  - operations: []\n    when: {measurement: {is: aa}}\n",
                Code::kConfigBadValue, "permits nothing");
  ExpectRefused(WithWhen(""), Code::kConfigBadValue, "says nothing");
}

// lesson 40: what is not understood is refused, with its place.
TEST(Policy, RefusesWhatItDoesNotKnow) {
  ExpectRefused(kHead + kPermit + "extra: 1\n", Code::kConfigUnknownKey, "p.yaml:7: extra");
  ExpectRefused(kHead + kPermit + "    maxage: 5m\n", Code::kConfigUnknownKey,
                "did you mean max_age?");
  ExpectRefused(kHead + kPermit + "    max_age: 5m\n    max_age: 6m\n", Code::kConfigDuplicateKey,
                "max_age");
  ExpectRefused(kHead + "permit:\n  - operations: [sing]\n    when: {measurement: {is: aa}}\n",
                Code::kConfigBadValue, "known: sign, verify");
  ExpectRefused(
      kHead + "permit:\n  - operations: [sign, sign]\n    when: {measurement: {is: aa}}\n",
      Code::kConfigBadValue, "named twice");
  ExpectRefused(kHead + kPermit + "    valid: {form: 2026-12-01}\n", Code::kConfigUnknownKey,
                "form");
}

TEST(Policy, RefusesWrongValues) {
  for (const char* name : {"''", "-x", ".x", "a b", "a/b", "\"a\\nb\"", "[x]"}) {
    const auto parsed =
        Policy::Parse("policy: " + std::string(name) + "\nversion: 1\n" + kPermit, "p.yaml");
    EXPECT_FALSE(parsed.ok()) << name;
  }
  ExpectRefused("policy: " + std::string(65, 'x') + "\nversion: 1\n" + kPermit,
                Code::kConfigBadValue, "64");
  MustParse("policy: " + std::string(64, 'x') + "\nversion: 1\n" + kPermit);
  ExpectRefused("policy: p\nversion: 0\n" + kPermit, Code::kConfigBadValue, "version");
  ExpectRefused("policy: p\nversion: -1\n" + kPermit, Code::kConfigBadValue, "version");
  ExpectRefused("policy: p\nversion: '1'\n" + kPermit, Code::kConfigWrongType, "version");
  ExpectRefused("policy: p\nversion: 9007199254740993\n" + kPermit, Code::kConfigBadValue,
                "version");
  ExpectRefused(kHead + kPermit + "    max_age: 0s\n", Code::kConfigBadValue, "max_age");
  ExpectRefused(kHead + kPermit + "    max_age: 15\n", Code::kConfigWrongType, "15m");
  ExpectRefused(kHead + kPermit + "    valid: {}\n", Code::kConfigBadValue, "from, until");
  ExpectRefused(kHead + kPermit + "    valid: {from: 2026-12-02, until: 2026-12-02}\n",
                Code::kConfigBadValue, "ends before");
  ExpectRefused(kHead + kPermit + "    valid: {from: tomorrow}\n", Code::kConfigBadValue,
                "tomorrow");
  ExpectRefused(kHead + kPermit + "    allow_unattested: yes\n", Code::kConfigWrongType,
                "true or false");
}

TEST(Policy, MechanismsAreFamilies) {
  for (const std::string_view family : kFamilies) {
    MustParse(kHead + "permit:\n  - operations: [sign]\n    mechanisms: [" + std::string(family) +
              "]\n    when: {measurement: {is: aa}}\n");
  }
  const auto with = [](const std::string& mechanisms) {
    return kHead + "permit:\n  - operations: [sign]\n    mechanisms: " + mechanisms +
           "\n    when: {measurement: {is: aa}}\n";
  };
  ExpectRefused(with("[CKM_ECDSA]"), Code::kConfigBadValue, "known: rsa-pkcs1");
  ExpectRefused(with("[ECDSA]"), Code::kConfigBadValue, "mechanisms[1]");
  ExpectRefused(with("[ecdsa, ecdsa]"), Code::kConfigBadValue, "named twice");
  ExpectRefused(with("[]"), Code::kConfigBadValue, "permits nothing");
  ExpectRefused(with("ecdsa"), Code::kConfigWrongType, "a list");
}

TEST(Policy, ReadsWhatTheRequestMustBe) {
  const Policy policy = MustParse(R"(policy: backup
version: 2
change: {quorum: 2, of: [ops, security, audit]}
permit:
  - operations: [sign, verify]
    when: {tee: {is: tdx}}
    bind: self
    input: [tls-server, tls-client]
    limits: {rate: 5000/s, uses: 1000000, per: caller}
  - operations: [release]
    when: {measurement: {in-set: jobs}, platform_id: {in-set: racks}}
    wrap: [hpke]
    approvals: {quorum: 2, of: [ops, security]}
)");
  EXPECT_EQ(policy.change()->Print(), "{quorum: 2, of: [ops, security, audit]}");
  EXPECT_FALSE(policy.locked());
  EXPECT_THAT(policy.set_names(), ElementsAre("jobs", "racks"));
  EXPECT_TRUE(policy.Permits(Operation::kRelease));
  EXPECT_FALSE(policy.Permits(Operation::kDecrypt));
  const Permit& first = policy.permits()[0];
  EXPECT_TRUE(first.bound);
  EXPECT_TRUE(first.input->Has(InputForm::kTlsClient));
  EXPECT_EQ(first.limits->uses, 1000000U);
  const Permit& second = policy.permits()[1];
  EXPECT_TRUE(second.wrap.Has(WrapForm::kHpkeP256));
  EXPECT_FALSE(second.wrap.Has(WrapForm::kRsaOaepSha256));
  EXPECT_EQ(second.approvals->quorum, 2U);
}

// A policy says the same after it was printed and parsed again.
TEST(Policy, PrintsWhatItParses) {
  const std::vector<std::string> permits = {
      "",
      "    max_age: 15m\n",
      "    valid: {from: 2026-12-01, until: 2026-12-02T12:00:00Z}\n    allow_unattested: true\n",
      "    input: [tls-server, {x509-tbs: {dns: [.edge.example], max_days: 90}}]\n",
      "    bind: self\n    limits: {rate: 5/h, burst: 2, uses: 7}\n",
      "    approvals: {quorum: 1, of: [ops, security]}\n"};
  for (const std::string& head :
       {kHead, kHead + "locked: true\n", kHead + "change: {quorum: 1, of: [ops]}\n"}) {
    for (const std::string& more : permits) {
      const Policy policy = MustParse(head + kPermit + more);
      const Policy again = MustParse(policy.Print());
      EXPECT_EQ(again.Print(), policy.Print()) << head + kPermit + more;
      EXPECT_EQ(again.locked(), policy.locked());
      EXPECT_EQ(again.change(), policy.change());
      ASSERT_EQ(again.permits().size(), policy.permits().size());
      const Permit& before = policy.permits().front();
      const Permit& after = again.permits().front();
      EXPECT_EQ(after.operations, before.operations);
      EXPECT_EQ(after.mechanisms, before.mechanisms);
      EXPECT_EQ(after.max_age, before.max_age);
      EXPECT_EQ(after.valid_from, before.valid_from);
      EXPECT_EQ(after.valid_until, before.valid_until);
      EXPECT_EQ(after.bound, before.bound);
      EXPECT_EQ(after.input, before.input);
      EXPECT_EQ(after.limits, before.limits);
      EXPECT_EQ(after.approvals, before.approvals);
      EXPECT_EQ(after.allow_unattested, before.allow_unattested);
    }
  }
}

TEST(Policy, RefusesConditionsThatMeanNothing) {
  ExpectRefused(kHead + "change: {quorum: 3, of: [a, b]}\n" + kPermit, Code::kConfigBadValue,
                "p.yaml:3: change.quorum: wanted 1 to 2");
  ExpectRefused(kHead + "change: {quorum: 0, of: [a, b]}\n" + kPermit, Code::kConfigBadValue,
                "wanted 1 to 2");
  ExpectRefused(kHead + "change: {quorum: 1, of: [a, a]}\n" + kPermit, Code::kConfigBadValue,
                "who signs twice");
  ExpectRefused(kHead + "change: {quorum: 1, of: []}\n" + kPermit, Code::kConfigBadValue,
                "names nobody");
  ExpectRefused(kHead + "locked: true\nchange: {quorum: 1, of: [a]}\n" + kPermit,
                Code::kConfigBadValue, "nobody changes what is locked");
  ExpectRefused(kHead + kPermit + "    wrap: [hpke]\n", Code::kConfigBadValue, "has no `release`");
  ExpectRefused(kHead + "permit:\n  - operations: [decrypt]\n    input: any\n" +
                    "    when: {measurement: {is: aa}}\n",
                Code::kConfigBadValue, "has no `sign`");
  ExpectRefused(kHead + kPermit + "    bind: other\n", Code::kConfigBadValue, "`self`");
  ExpectRefused(kHead + "permit:\n  - operations: [create]\n    limits: {uses: 1}\n" +
                    "    when: {measurement: {is: aa}}\n",
                Code::kPolicySyntax, "a permit of its own");
  ExpectRefused(WithWhen("tee: {in-set: prod}"), Code::kConfigBadValue, "no comparator of tee");
  ExpectRefused(WithWhen("measurement: {in-set: 'a b'}"), Code::kConfigBadValue, "a name has");
}

// lesson 9: a permit names a workload by what its hardware says, or says that it does not.
TEST(Policy, UnattestedPermitsMustBeMeant) {
  for (const char* when :
       {"tee: {is: sgx}", "peer.uid: {is: 0}", "measurement: {exists: true}",
        "any: [{measurement: {is: aa}}, {tls.san: {is: x}}]", "not: {measurement: {is: aa}}",
        "measurement: {is: aa}, tee: {is: simulated}", "measurement: {is: aa}, debug: {is: true}",
        "platform_id: {is: aa}"}) {
    ExpectRefused(WithWhen(when), Code::kPolicyUnattested, "allow_unattested: true");
    ExpectRefused(WithWhen(when, "    allow_unattested: false\n"), Code::kPolicyUnattested,
                  "p.yaml:6: permit[1].when");
    MustParse(WithWhen(when, "    allow_unattested: true\n"));
  }
  ExpectRefused(WithWhen("tee: {is: sgx}"), Code::kPolicyUnattested, "add `measurement");
}

TEST(Policy, PermitsAreBounded) {
  const auto many = [](size_t n) {
    std::string text = kHead + "permit:\n";
    for (size_t i = 0; i < n; ++i)
      text += "  - {operations: [sign], when: {measurement: {is: aa}}}\n";
    return text;
  };
  MustParse(many(kMaxPermits));
  ExpectRefused(many(kMaxPermits + 1), Code::kConfigBadValue, "256 permits");
}

TEST(Policy, WarnsOfWhatDeservesASecondLook) {
  EXPECT_THAT(MustParse(kHead + kPermit).Warnings(), IsEmpty());
  const auto warning = [](const std::string& text) {
    std::string all;
    for (const std::string& line : MustParse(text).Warnings()) all += line + "\n";
    return all;
  };
  const std::string allow = "    allow_unattested: true\n";
  EXPECT_THAT(warning(WithWhen("tee: {is: simulated}, measurement: {is: aa}", allow)),
              HasSubstr("permit 1 (line 4): simulated"));
  EXPECT_THAT(warning(WithWhen("debug: {is: true}, measurement: {is: aa}", allow)),
              HasSubstr("debug mode"));
  EXPECT_THAT(warning(WithWhen("peer.uid: {is: 0}", allow)),
              HasSubstr("does not name the workload"));
  EXPECT_THAT(warning(WithWhen("measurement: {is: aa}", allow)), HasSubstr("not needed here"));
  EXPECT_THAT(warning(kHead + "permit: [{operations: [manage, release], "
                              "when: {measurement: {is: aa}}}]\n"),
              testing::AllOf(HasSubstr("every mechanism"), HasSubstr("manage"),
                             HasSubstr("leave the enclave")));
}

TEST(Policy, WarnsOfWaysAroundItsGuards) {
  const auto warnings = [](const std::string& guard, const std::string& other) {
    return MustParse(kHead + "permit:\n  - {operations: [sign], mechanisms: [rsa-pkcs1], input: " +
                     guard + ", when: {measurement: {is: aa}}}\n  - {" + other +
                     ", when: {measurement: {is: ab}}}\n")
        .Warnings();
  };
  const auto bare = testing::ElementsAre(HasSubstr("bare RSA"));
  const std::string raw = "mechanisms: [rsa-oaep, rsa-x509]";
  EXPECT_THAT(warnings("tls-server", "operations: [decrypt], " + raw), bare);
  EXPECT_THAT(warnings("digest", "operations: [unwrap], " + raw), bare);
  EXPECT_THAT(warnings("tls-server", "operations: [decrypt]"),
              testing::Contains(HasSubstr("bare RSA")));
  EXPECT_THAT(warnings("tls-server", "operations: [manage], mechanisms: [rsa-pss]"),
              testing::ElementsAre(HasSubstr("no input guards")));
  EXPECT_THAT(warnings("tls-server", "operations: [decrypt], mechanisms: [rsa-oaep]"), IsEmpty());
  EXPECT_THAT(warnings("any", "operations: [decrypt], " + raw), IsEmpty());
  EXPECT_THAT(warnings("tls-server", "operations: [verify], " + raw), IsEmpty());
}

TEST(Policy, OperationNamesAreTheirOwnInverse) {
  for (size_t i = 0; i < kOperationCount; ++i) {
    const auto operation = static_cast<Operation>(i);
    EXPECT_EQ(ParseOperation(OperationName(operation)), operation);
  }
  EXPECT_FALSE(ParseOperation("").has_value());
  EXPECT_FALSE(ParseOperation("Sign").has_value());
}

// Every yaml block of docs/policy.md is a policy or a set that this version takes, or (indented) a
// part of a permit.
TEST(Policy, TheExamplesOfTheManualAreTrue) {
  const auto manual = ReadFile(fakes::SourcePath("docs/policy.md"), 1 << 20);
  ASSERT_TRUE(manual.ok());
  const std::string text(AsText(*manual));
  const std::string open = "```yaml\n";
  size_t examples = 0;
  for (size_t at = text.find(open); at != std::string::npos; at = text.find(open, at)) {
    at += open.size();
    const size_t end = text.find("```", at);
    ASSERT_NE(end, std::string::npos);
    const std::string example = text.substr(at, end - at);
    if (example.find("\ntests:") != std::string::npos) {
      // A table for `keyclave policy test`: tests/e2e/cli_policy_offline_test.py runs such.
    } else if (example.starts_with("set:")) {
      const auto set = SetDocument::Parse(example, "manual");
      EXPECT_TRUE(set.ok()) << set.error().Text() << example;
    } else {
      MustParse(example.starts_with(" ") ? kHead + kPermit + example : example);
    }
    ++examples;
    at = end;
  }
  EXPECT_GT(examples, 12U);
  for (const std::string_view family : kFamilies)
    EXPECT_THAT(text, HasSubstr(std::string(family))) << "docs/policy.md does not list it";
}

TEST(Policy, TheSamplesAreGood) {
  size_t samples = 0;
  const std::string folder = fakes::SourcePath("conf/policy");
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const auto text = ReadFile(entry.path().string(), 1 << 20);
    ASSERT_TRUE(text.ok());
    const auto parsed = Policy::Parse(AsText(*text), entry.path().string());
    EXPECT_TRUE(parsed.ok()) << parsed.error().Text();
    ++samples;
  }
  EXPECT_GE(samples, 2U);
}

TEST(Policy, DamagedTextsAreAnswered) {
  const std::string good = kHead + kPermit + "    max_age: 5m\n    valid: {from: 2026-12-01}\n";
  for (size_t n = 0; n < good.size(); ++n) (void)Policy::Parse(good.substr(0, n), "p");
  for (size_t i = 0; i < good.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ (1 << bit));
      const auto parsed = Policy::Parse(bad, "p");
      EXPECT_TRUE(parsed.ok() || !parsed.error().detail().empty());
    }
  }
}

}  // namespace
}  // namespace keyclave::authz
