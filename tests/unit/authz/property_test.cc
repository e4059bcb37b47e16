// What must hold for every policy and every caller, over many made up at random: a verdict never
// becomes more generous because the caller says less, says more than anybody asks, or comes with
// worse evidence; and what is explained is what is granted.
#include <gtest/gtest.h>

#include <random>

#include "enclave/authz/authorize.h"

namespace keyclave::authz {
namespace {

using attest::ClaimSet;
using attest::Origin;

constexpr UnixTime kNow = 1'790'000'000;
constexpr int kRounds = 4000;

class Dice {
 public:
  explicit Dice(unsigned seed) : engine_(seed) {}
  size_t Below(size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(engine_); }
  bool Chance(int percent) { return Below(100) < static_cast<size_t>(percent); }
  template <class List>
  std::string Of(const List& list) {
    return *(std::begin(list) + static_cast<std::ptrdiff_t>(Below(std::size(list))));
  }

 private:
  std::mt19937 engine_;
};

constexpr const char* kTees[] = {"sev-snp", "tdx", "sgx", "simulated", "co-resident", "token"};
constexpr const char* kHex[] = {"aa", "bb", "cc"};
constexpr const char* kTcb[] = {"up-to-date", "sw-hardening-needed", "out-of-date"};
constexpr const char* kOperations[] = {"sign", "decrypt", "release", "manage", "create"};
constexpr const char* kFamilies[] = {"", "ecdsa", "rsa-pss"};

std::string Term(Dice& dice) {
  switch (dice.Below(11)) {
    case 0: return "tee: {is: " + dice.Of(kTees) + "}";
    case 1: return "measurement: {is: " + dice.Of(kHex) + "}";
    case 2: return "measurement: {in: [" + dice.Of(kHex) + ", dd]}";
    case 3: return "signer: {is: " + dice.Of(kHex) + "}";
    case 4: return "svn: {min: " + std::to_string(dice.Below(4)) + "}";
    case 5: return "tcb_status: {in: [up-to-date, sw-hardening-needed]}";
    case 6: return "platform_id: {in-set: racks}";
    case 7: return "tls.san: {matches: \"*.example\"}";
    case 8: return "advisories: {in: [A, B]}";
    case 9: return "debug: {is: " + std::string(dice.Chance(50) ? "true" : "false") + "}";
    default: return "token.bound: {is: " + std::string(dice.Chance(50) ? "true" : "false") + "}";
  }
}

std::string Expression(Dice& dice, int depth) {
  if (depth == 0 || dice.Chance(40)) return "{" + Term(dice) + "}";
  const auto list = [&] {
    std::string items;
    for (size_t i = 0, n = 1 + dice.Below(3); i < n; ++i)
      items.append(items.empty() ? "" : ", ").append(Expression(dice, depth - 1));
    return "[" + items + "]";
  };
  switch (dice.Below(4)) {
    case 0: return "{all: " + list() + "}";
    case 1: return "{any: " + list() + "}";
    case 2: return "{not: " + Expression(dice, depth - 1) + "}";
    default:
      return "{at-least: {n: 2, of: [" + Expression(dice, depth - 1) + ", " +
             Expression(dice, depth - 1) + ", {" + Term(dice) + "}]}}";
  }
}

// A policy that somebody could write; nullopt where the grammar has an objection.
std::optional<Policy> RandomPolicy(Dice& dice) {
  std::string text = "policy: p\nversion: 1\npermit:\n";
  for (size_t i = 0, n = 1 + dice.Below(3); i < n; ++i) {
    text += "  - operations: [" + dice.Of(kOperations) + "]\n";
    if (dice.Chance(30)) text += "    mechanisms: [ecdsa]\n";
    if (dice.Chance(20)) text += "    max_age: 60s\n";
    if (dice.Chance(50)) text += "    allow_unattested: true\n";
    text += "    when: {all: [" + Expression(dice, 3) + ", " + Expression(dice, 2) + "]}\n";
  }
  auto policy = Policy::Parse(text, "p");
  return policy.ok() ? std::optional(*std::move(policy)) : std::nullopt;
}

ClaimSet RandomClaims(Dice& dice) {
  ClaimSet claims;
  if (dice.Chance(90)) claims.Set("tee", dice.Of(kTees));
  if (dice.Chance(80)) claims.Set("measurement", dice.Of(kHex));
  if (dice.Chance(60)) claims.Set("signer", dice.Of(kHex));
  if (dice.Chance(60)) claims.Set("svn", static_cast<int64_t>(dice.Below(4)));
  if (dice.Chance(60)) claims.Set("tcb_status", dice.Of(kTcb));
  if (dice.Chance(60)) claims.Set("platform_id", dice.Of(kHex));
  if (dice.Chance(80)) claims.Set("debug", dice.Chance(20));
  const attest::Claim* tee = claims.Find("tee");
  if (tee != nullptr && attest::ToText(tee->value) == "token")
    claims.Set("token.bound", dice.Chance(50));
  if (dice.Chance(40)) claims.Set("advisories", std::vector<std::string>{dice.Of(kHex), "A"});
  if (dice.Chance(40))
    claims.Set("tls.san", std::vector<std::string>{"www.example"}, Origin::kTransport);
  return claims;
}

TokenRules Rules() {
  TokenRules rules;
  auto racks = std::make_shared<attest::ReferenceSet>();
  racks->Add("aa", {});
  racks->Add("bb", {.from = kNow + 1});
  rules.sets["racks"] = racks;
  return rules;
}

// Everything that a caller may do: operation and mechanism, as one number each.
std::set<size_t> Allowed(const Policy& policy, const ClaimSet& claims, UnixTime attested_at,
                         const TokenRules& rules) {
  const Grant grant = Evaluate(policy, claims, attested_at, kNow, rules);
  std::set<size_t> allowed;
  for (size_t operation = 0; operation < kOperationCount; ++operation) {
    for (size_t family = 0; family < std::size(kFamilies); ++family) {
      if (grant.Check(static_cast<Operation>(operation), kFamilies[family], kNow).ok())
        allowed.insert(operation * std::size(kFamilies) + family);
    }
  }
  return allowed;
}

bool IsWithin(const std::set<size_t>& part, const std::set<size_t>& whole) {
  return std::includes(whole.begin(), whole.end(), part.begin(), part.end());
}

ClaimSet Without(const ClaimSet& claims, const std::string& left_out) {
  ClaimSet rest;
  for (const auto& [name, claim] : claims) {
    if (name != left_out) rest.Set(name, claim.value, claim.origin);
  }
  return rest;
}

class Property : public ::testing::Test {
 protected:
  // Calls `check` with policies and callers, some of whom are allowed something.
  template <class Check>
  void ForMany(const Check& check) {
    const TokenRules rules = Rules();
    Dice dice(20261122);
    int allowed_some = 0;
    for (int round = 0; round < kRounds; ++round) {
      const auto policy = RandomPolicy(dice);
      if (!policy.has_value()) continue;
      const ClaimSet claims = RandomClaims(dice);
      const auto allowed = Allowed(*policy, claims, kNow, rules);
      allowed_some += allowed.empty() ? 0 : 1;
      check(dice, *policy, claims, rules, allowed);
      if (HasFailure()) break;
    }
    EXPECT_GT(allowed_some, 100) << "the random policies refuse everybody: nothing was tested";
  }
};

// lesson 10: what is left out allows nothing.
TEST_F(Property, RemovingAClaimAllowsNothingMore) {
  ForMany([](Dice&, const Policy& policy, const ClaimSet& claims, const TokenRules& rules,
             const std::set<size_t>& allowed) {
    for (const auto& [name, claim] : claims) {
      EXPECT_TRUE(IsWithin(Allowed(policy, Without(claims, name), kNow, rules), allowed))
          << "without " << name << ": " << policy.Print();
    }
  });
}

TEST_F(Property, AnUnknownClaimChangesNothing) {
  ForMany([](Dice&, const Policy& policy, const ClaimSet& claims, const TokenRules& rules,
             const std::set<size_t>& allowed) {
    for (const char* name : {"sgx.attributes", "measurement2", "owner", "nitro.pcr31", ""}) {
      ClaimSet more = claims;
      more.Set(name, std::string("aa"));
      EXPECT_EQ(Allowed(policy, more, kNow, rules), allowed) << name << ": " << policy.Print();
    }
  });
}

// lesson 6: the same claims as the channel's word, and not the hardware's.
TEST_F(Property, WhatIsNotAttestedAllowsNothingMore) {
  ForMany([](Dice&, const Policy& policy, const ClaimSet& claims, const TokenRules& rules,
             const std::set<size_t>& allowed) {
    for (const auto& [name, claim] : claims) {
      ClaimSet told = claims;
      told.Set(name, claim.value, Origin::kTransport);
      EXPECT_TRUE(IsWithin(Allowed(policy, told, kNow, rules), allowed))
          << name << ": " << policy.Print();
    }
  });
}

// lesson 11: debug mode, simulation and age, where the policy does not ask for them in so many
// words.
TEST_F(Property, WorseEvidenceAllowsNothingMore) {
  ForMany([](Dice&, const Policy& policy, const ClaimSet& claims, const TokenRules& rules,
             const std::set<size_t>& allowed) {
    EXPECT_TRUE(IsWithin(Allowed(policy, claims, kNow - 3600, rules), allowed)) << policy.Print();
    const auto mentions = [&](bool (attest::Expression::*what)() const) {
      return std::any_of(policy.permits().begin(), policy.permits().end(),
                         [&](const Permit& permit) { return (permit.when.*what)(); });
    };
    ClaimSet worse = claims;
    worse.Set("debug", true);
    if (!mentions(&attest::Expression::MentionsDebug)) {
      const auto remaining = Allowed(policy, worse, kNow, rules);
      EXPECT_TRUE(IsWithin(remaining, allowed)) << policy.Print();
    }
    bool lax = false;
    for (const Permit& permit : policy.permits()) lax = lax || permit.allow_unattested;
    if (!lax) {
      EXPECT_TRUE(Allowed(policy, worse, kNow, rules).empty()) << policy.Print();
      worse = claims;
      worse.Set("tee", std::string("simulated"));
      EXPECT_TRUE(Allowed(policy, worse, kNow, rules).empty()) << policy.Print();
    }
  });
}

TEST_F(Property, ARevocationLeavesNothing) {
  ForMany([](Dice& dice, const Policy& policy, const ClaimSet& claims, const TokenRules& rules,
             const std::set<size_t>& allowed) {
    TokenRules revoked = rules;
    const std::string text = Expression(dice, 1);
    auto yaml = ParseYaml(text, "revocation");
    auto whom = attest::Expression::Parse(*yaml);
    if (!whom.ok()) return;  // of a set
    const bool hit = whom->Satisfied(claims, kNow);
    revoked.revocations.push_back({*std::move(whom), "test", kNow});
    const auto remaining = Allowed(policy, claims, kNow, revoked);
    if (hit) {
      EXPECT_TRUE(remaining.empty()) << text;
    } else {
      EXPECT_EQ(remaining, allowed) << text;
    }
  });
}

TEST_F(Property, AnEmptiedSetAllowsNothingMore) {
  ForMany([](Dice&, const Policy& policy, const ClaimSet& claims, const TokenRules& rules,
             const std::set<size_t>& allowed) {
    const bool negated = policy.Print().find("not:") != std::string::npos;
    if (negated) return;  // a list of whom to keep out: fewer on it is more allowed, and meant
    TokenRules fewer = rules;
    fewer.sets["racks"] = std::make_shared<attest::ReferenceSet>();
    EXPECT_TRUE(IsWithin(Allowed(policy, claims, kNow, fewer), allowed)) << policy.Print();
  });
  ForMany([](Dice&, const Policy& policy, const ClaimSet& claims, const TokenRules& rules,
             const std::set<size_t>& allowed) {
    TokenRules gone = rules;
    gone.sets.clear();
    EXPECT_TRUE(IsWithin(Allowed(policy, claims, kNow, gone), allowed)) << policy.Print();
  });
}

TEST_F(Property, ExplainedIsGranted) {
  ForMany([](Dice&, const Policy& policy, const ClaimSet& claims, const TokenRules& rules,
             const std::set<size_t>& allowed) {
    for (size_t operation = 0; operation < kOperationCount; ++operation) {
      for (size_t family = 0; family < std::size(kFamilies); ++family) {
        bool explained = false;
        for (const auto& verdict :
             Explain(policy, claims, kNow, kNow, static_cast<Operation>(operation),
                     kFamilies[family], rules))
          explained = explained || verdict.term.empty();
        EXPECT_EQ(explained, allowed.contains(operation * std::size(kFamilies) + family))
            << policy.Print();
      }
    }
  });
}

TEST_F(Property, PrintedAndParsedAPolicySaysTheSame) {
  ForMany([](Dice&, const Policy& policy, const ClaimSet& claims, const TokenRules& rules,
             const std::set<size_t>& allowed) {
    const auto again = Policy::Parse(policy.Print(), "again");
    ASSERT_TRUE(again.ok()) << again.error().Text() << policy.Print();
    EXPECT_EQ(again->Print(), policy.Print());
    EXPECT_EQ(Allowed(*again, claims, kNow, rules), allowed);
  });
}

// lesson 15: however often and in whatever order an owner signs, it is one owner.
TEST_F(Property, AQuorumCountsDistinctOwners) {
  Dice dice(7);
  const std::vector<std::string> everybody = {"a", "b", "c", "d", "e"};
  for (int round = 0; round < 1000; ++round) {
    Quorum quorum;
    for (const std::string& name : everybody) {
      if (dice.Chance(60)) quorum.of.push_back(name);
    }
    if (quorum.of.empty()) continue;
    quorum.quorum = 1 + dice.Below(quorum.of.size());
    std::vector<std::string> signatures;
    for (size_t i = 0, n = dice.Below(12); i < n; ++i) signatures.push_back(dice.Of(everybody));
    const std::set<std::string, std::less<>> signers(signatures.begin(), signatures.end());
    uint64_t distinct = 0;
    for (const std::string& name : quorum.of) distinct += signers.contains(name) ? 1U : 0U;
    EXPECT_EQ(quorum.Count(signers), distinct);
    EXPECT_EQ(quorum.Reached(signers), distinct >= quorum.quorum);
    if (!signers.empty()) {
      auto fewer = signers;
      fewer.erase(fewer.begin());
      EXPECT_LE(quorum.Count(fewer), quorum.Count(signers));
    }
  }
}

}  // namespace
}  // namespace keyclave::authz
