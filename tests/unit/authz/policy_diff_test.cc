#include "enclave/authz/policy_diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "enclave/authz/authorize.h"

namespace keyclave::authz {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

using enum ChangeVerdict;

Policy MustParse(const std::string& text) {
  auto policy = Policy::Parse(text, "p.yaml");
  EXPECT_TRUE(policy.ok()) << (policy.ok() ? "" : policy.error().Text()) << "\n" << text;
  if (policy.ok()) return *std::move(policy);
  return *Policy::Parse(
      "policy: p\nversion: 1\npermit:\n  - {operations: [sign], when: {measurement: {is: aa}}}\n",
      "p");
}

// A policy with one permit, of these lines beside operations and measurement.
std::string Permit(const std::string& lines, const std::string& operations = "sign, release") {
  return "policy: p\nversion: 1\npermit:\n  - operations: [" + operations + "]\n" + lines;
}
std::string When(const std::string& terms) {
  return "    when: {measurement: {is: aa}" + terms + "}\n";
}

std::vector<PolicyChange> Diff(const std::string& before, const std::string& after) {
  return Compare(MustParse(before), MustParse(after));
}

void ExpectStep(const std::string& stricter, const std::string& weaker, const std::string& word) {
  const auto down = Diff(stricter, weaker);
  EXPECT_EQ(Overall(down), kWeaker) << stricter << weaker;
  ASSERT_THAT(down, testing::Not(IsEmpty()));
  EXPECT_THAT(down.front().what, HasSubstr(word));
  EXPECT_EQ(down.front().verdict, kWeaker) << down.front().what;
  EXPECT_EQ(Overall(Diff(weaker, stricter)), kStricter) << stricter << weaker;
}

TEST(PolicyDiff, NothingForTheSame) {
  const std::string text = Permit(When(", svn: {min: 3}") + "    max_age: 15m\n");
  EXPECT_THAT(Diff(text, text), IsEmpty());
  EXPECT_EQ(Overall({}), kSame);
}

TEST(PolicyDiff, TermsThatAreDroppedOrWider) {
  ExpectStep(Permit(When(", svn: {min: 3}")), Permit(When("")), "svn: {min: 3} is dropped");
  ExpectStep(Permit(When(", svn: {min: 3}")), Permit(When(", svn: {min: 2}")),
             "svn: {min: 3} becomes svn: {min: 2}");
  ExpectStep(Permit(When(", tee: {is: tdx}")), Permit(When(", tee: {in: [tdx, sgx]}")), "becomes");
  ExpectStep(Permit(When("")), Permit("    when: {measurement: {in: [aa, bb]}}\n"), "measurement");
  ExpectStep(Permit(When(", any: [{svn: {min: 3}}]")),
             Permit(When(", any: [{svn: {min: 3}}, {tee: {is: tdx}}]")), "becomes any");
}

TEST(PolicyDiff, EveryOtherPartOfAPermit) {
  const std::string when = When("");
  const std::pair<std::string, std::string> steps[] = {
      {"mechanisms: [ecdsa]", "mechanisms: [ecdsa, rsa-pss]"},
      {"mechanisms: [ecdsa]", ""},
      {"max_age: 10m", "max_age: 15m"},
      {"max_age: 10m", ""},
      {"valid: {from: 2026-02-01}", "valid: {from: 2026-01-01}"},
      {"valid: {until: 2026-01-01}", "valid: {until: 2026-02-01}"},
      {"valid: {from: 2026-02-01}", ""},
      {"valid: {until: 2026-02-01}", ""},
      {"bind: self", ""},
      {"input: tls-server", "input: [tls-server, tls-client]"},
      {"input: tls-server", ""},
      {"input: {x509-tbs: {dns: [a.example]}}",
       "input: {x509-tbs: {dns: [a.example, .b.example]}}"},
      {"input: {x509-tbs: {dns: [a.example]}}", "input: {x509-tbs: {dns: [a.example], ca: true}}"},
      {"input: {x509-tbs: {dns: [a.example], max_days: 30}}",
       "input: {x509-tbs: {dns: [a.example], max_days: 90}}"},
      {"wrap: [hpke-p256]", "wrap: [hpke-p256, rsa-oaep-sha256]"},
      {"wrap: [hpke-p256]", ""},
      {"limits: {rate: 5/s}", "limits: {rate: 6/s}"},
      {"limits: {rate: 5/s, burst: 10}", "limits: {rate: 5/s, burst: 20}"},
      {"limits: {rate: 5/s}", ""},
      {"limits: {uses: 5}", "limits: {uses: 6}"},
      {"limits: {rate: 5/s, uses: 5}", "limits: {rate: 5/s}"},
      {"limits: {uses: 5, per: key}", "limits: {uses: 5, per: caller}"},
      {"approvals: {quorum: 2, of: [a, b, c]}", "approvals: {quorum: 1, of: [a, b, c]}"},
      {"approvals: {quorum: 2, of: [a, b]}", "approvals: {quorum: 2, of: [a, b, c]}"},
      {"approvals: {quorum: 2, of: [a, b, c]}", ""},
      {"", "allow_unattested: true"}};
  for (const auto& [stricter, weaker] : steps) {
    const auto line = [](const std::string& text) {
      return text.empty() ? "" : "    " + text + "\n";
    };
    ExpectStep(Permit(when + line(stricter)), Permit(when + line(weaker)), "");
  }
  ExpectStep(Permit(when, "sign"), Permit(when, "sign, decrypt"), "operations also: decrypt");
}

TEST(PolicyDiff, BothWaysIsChanged) {
  const std::string when = When("");
  const std::pair<std::string, std::string> changes[] = {
      {"input: tls-server", "input: tls-client"},
      {"wrap: [hpke-p256]", "wrap: [rsa-oaep-sha256]"},
      {"limits: {rate: 5/s, burst: 20}", "limits: {rate: 6/s, burst: 10}"},
      {"approvals: {quorum: 1, of: [a]}", "approvals: {quorum: 1, of: [b]}"}};
  for (const auto& [before, after] : changes) {
    EXPECT_EQ(
        Overall(Diff(Permit(when + "    " + before + "\n"), Permit(when + "    " + after + "\n"))),
        kChanged)
        << before;
  }
  EXPECT_EQ(Overall(Diff(Permit("    when: {measurement: {is: aa}}\n"),
                         Permit("    when: {measurement: {is: bb}}\n"))),
            kChanged);
  EXPECT_EQ(Overall(Diff(Permit(When(", svn: {min: 3}")), Permit(When(", tee: {is: tdx}")))),
            kChanged);
}

TEST(PolicyDiff, OtherWordsAreTheSame) {
  const auto changes = Diff(Permit(When(", svn: {min: 3}")),
                            Permit(When(", all: [{svn: {min: 3}}, {svn: {min: 2}}]")));
  EXPECT_EQ(Overall(changes), kSame);
  EXPECT_THAT(changes, testing::Not(IsEmpty()));
  EXPECT_EQ(Overall(Diff(Permit(When("") + "    limits: {rate: 60/m, burst: 5}\n"),
                         Permit(When("") + "    limits: {rate: 1/s, burst: 5}\n"))),
            kSame);
}

const std::string kTwo =
    "policy: p\nversion: 1\npermit:\n  - {operations: [sign], when: {measurement: {is: aa}}}\n"
    "  - {operations: [decrypt], when: {measurement: {is: bb}}}\n";

TEST(PolicyDiff, PermitsComeGoAndMove) {
  const std::string more = kTwo + "  - {operations: [sign], when: {measurement: {is: cc}}}\n";
  const auto added = Diff(kTwo, more);
  ASSERT_THAT(added, SizeIs(1));
  EXPECT_EQ(added[0].verdict, kWeaker);
  EXPECT_EQ(added[0].before, 0U);
  EXPECT_EQ(added[0].after, 3U);
  const auto removed = Diff(more, kTwo);
  ASSERT_THAT(removed, SizeIs(1));
  EXPECT_EQ(removed[0].verdict, kStricter);
  EXPECT_EQ(removed[0].before, 3U);
  const std::string turned =
      "policy: p\nversion: 2\npermit:\n  - {operations: [decrypt], when: {measurement: {is: bb}}}\n"
      "  - {operations: [sign], when: {measurement: {is: aa}}}\n";
  EXPECT_THAT(Diff(kTwo, turned), IsEmpty());
}

TEST(PolicyDiff, APermitThatAnotherCoversChangesNothing) {
  const std::string narrow =
      kTwo + "  - {operations: [sign], when: {measurement: {is: aa}, svn: {min: 3}}}\n";
  EXPECT_EQ(Overall(Diff(kTwo, narrow)), kSame);
  EXPECT_EQ(Overall(Diff(narrow, kTwo)), kSame);
}

// Two permits with the same limit let twice as much through as one.
TEST(PolicyDiff, LimitsAddUp) {
  const std::string one =
      "policy: p\nversion: 1\npermit:\n"
      "  - {operations: [sign], when: {measurement: {is: aa}}, limits: {uses: 5}}\n";
  const std::string two =
      one + "  - {operations: [sign], when: {measurement: {is: aa}}, limits: {uses: 5}}\n";
  EXPECT_EQ(Overall(Diff(one, two)), kWeaker);
  EXPECT_EQ(Overall(Diff(two, one)), kStricter);
}

// Naming these lets them in wherever in the expression they stand.
TEST(PolicyDiff, NamingWeakEvidenceIsWeaker) {
  const std::string exists = ", any: [{token.bound: {is: false}}, {tee: {exists: true}}]";
  EXPECT_NE(Overall(Diff(Permit(When("")), Permit(When(exists)))), kStricter);
  EXPECT_NE(Overall(Diff(Permit(When("")), Permit(When(exists)))), kSame);
}

TEST(PolicyDiff, TheDocumentItself) {
  const std::string permit = "permit:\n  - {operations: [sign], when: {measurement: {is: aa}}}\n";
  const std::string head = "policy: p\nversion: 1\n";
  EXPECT_EQ(Overall(Diff(head + permit, head + "locked: true\n" + permit)), kStricter);
  EXPECT_EQ(Overall(Diff(head + "change: {quorum: 2, of: [a, b]}\n" + permit, head + permit)),
            kWeaker);
  EXPECT_EQ(Overall(Diff(head + "change: {quorum: 2, of: [a, b]}\n" + permit,
                         head + "change: {quorum: 1, of: [a, b]}\n" + permit)),
            kWeaker);
  EXPECT_EQ(Overall(Diff(head + permit, head + "on_verifier_trouble: use_cached(24h)\n" + permit)),
            kWeaker);
  EXPECT_EQ(Overall(Diff(head + permit, "policy: q\nversion: 1\n" + permit)), kChanged);
}

class Maker {
 public:
  explicit Maker(unsigned seed) : random_(seed) {}
  size_t Pick(size_t count) { return random_() % count; }
  std::string Of(std::initializer_list<const char*> values) {
    return values.begin()[Pick(values.size())];
  }

  std::string PermitText() {
    return "  - operations: [" + Of({"sign", "decrypt", "sign, decrypt"}) + "]\n" +
           Of({"", "    mechanisms: [ecdsa]\n", "    mechanisms: [ecdsa, rsa-pss]\n"}) +
           "    when:\n      measurement: " + Of({"{is: aa}", "{is: bb}", "{in: [aa, bb]}"}) +
           "\n" +
           Of({"", "      svn: {min: 1}\n", "      svn: {min: 2}\n", "      svn: {max: 1}\n",
               "      any: [{svn: {is: 1}}, {tee: {is: sgx}}]\n"}) +
           Of({"", "      tee: {is: tdx}\n", "      not: {tee: {is: sgx}}\n",
               "      at-least: {n: 1, of: [{svn: {min: 2}}, {tee: {is: tdx}}]}\n"}) +
           Of({"", "    max_age: 10m\n"}) + Of({"", "    valid: {from: 2020-01-01}\n"});
  }

  attest::ClaimSet Claims() {
    attest::ClaimSet claims;
    claims.Set("tee", Of({"sgx", "tdx"}));
    claims.Set("measurement", Of({"aa", "bb"}));
    claims.Set("debug", false);
    if (Pick(3) != 0) claims.Set("svn", static_cast<int64_t>(Pick(4)));
    return claims;
  }

 private:
  std::mt19937 random_;
};

// What is not called weaker lets nobody do more; what is not called stricter lets nobody do less.
TEST(PolicyDiff, NobodyGainsUnsaid) {
  constexpr UnixTime kNow = 1'790'000'000;
  Maker maker(4711);
  size_t decided = 0;
  for (int i = 0; i < 3'000; ++i) {
    std::vector<std::string> permits{maker.PermitText(), maker.PermitText()};
    const std::string head = "policy: p\nversion: 1\npermit:\n";
    const std::string before = head + permits[0] + permits[1];
    permits[maker.Pick(2)] = maker.PermitText();
    if (maker.Pick(4) == 0) permits.push_back(maker.PermitText());
    if (maker.Pick(4) == 0) permits.erase(permits.begin());
    std::string after = head;
    for (const std::string& permit : permits) after += permit;
    const Policy old_policy = MustParse(before);
    const Policy new_policy = MustParse(after);
    const ChangeVerdict verdict = Overall(Compare(old_policy, new_policy));
    decided += verdict != kChanged ? 1 : 0;
    for (int j = 0; j < 10; ++j) {
      const attest::ClaimSet claims = maker.Claims();
      for (const UnixTime attested : {kNow, kNow - 1000}) {
        const Grant had = Evaluate(old_policy, claims, attested, kNow);
        const Grant has = Evaluate(new_policy, claims, attested, kNow);
        for (const Operation operation : {Operation::kSign, Operation::kDecrypt}) {
          for (const char* family : {"", "ecdsa", "rsa-pss"}) {
            const bool did = had.Check(operation, family, kNow).ok();
            const bool may = has.Check(operation, family, kNow).ok();
            ASSERT_FALSE(may && !did && (verdict == kSame || verdict == kStricter))
                << before << after;
            ASSERT_FALSE(did && !may && (verdict == kSame || verdict == kWeaker))
                << before << after;
          }
        }
      }
    }
  }
  EXPECT_GT(decided, 300U);
}

}  // namespace
}  // namespace keyclave::authz
