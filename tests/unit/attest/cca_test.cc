// What an Arm CCA token must have on its side to be believed.

#include <gtest/gtest.h>

#include "tests/fakes/fake_cca.h"

namespace keyclave::attest {
namespace {

using test::FakeCca;
using test::FakeCcaOptions;

Result<ClaimSet> Examine(const FakeCca& fake, const Trust& trust) {
  KC_ASSIGN(const Unverified evidence, ParseEvidence("cca", fake.Evidence(ReportData{}, 0, false)));
  return ExamineEvidence(evidence, {trust, 0, ExpectedBinding::None()});
}

std::optional<Code> RefusedIf(const std::function<void(FakeCcaOptions&)>& change) {
  FakeCcaOptions options;
  change(options);
  const FakeCca fake(options);
  const auto claims = Examine(fake, fake.OwnTrust());
  return claims.ok() ? std::nullopt : std::optional<Code>(claims.code());
}

TEST(Cca, BothEditionsAreAccepted) {
  for (const char* hash : {"sha-256", "sha-512"}) {
    for (const bool cose_key : {false, true}) {
      EXPECT_EQ(RefusedIf([&](FakeCcaOptions& options) {
                  options.cose_key = cose_key;
                  options.key_hash = hash;
                }),
                std::nullopt);
    }
  }
  EXPECT_EQ(RefusedIf([](FakeCcaOptions& options) {
              options.platform_profile = "tag:arm.com,2023:cca_platform#1.0.0";
            }),
            std::nullopt);
}

TEST(Cca, ARealmKeyThatThePlatformDoesNotVouchForIsRefused) {
  EXPECT_EQ(RefusedIf([](FakeCcaOptions& options) { options.another_challenge = true; }),
            Code::kEvidenceSignature);
  for (const char* hash : {"sha-1", "md5", "", "SHA-256"}) {
    EXPECT_EQ(RefusedIf([&](FakeCcaOptions& options) { options.key_hash = hash; }),
              Code::kEvidenceSignature)
        << hash;
  }
}

TEST(Cca, AnotherProfileIsRefused) {
  EXPECT_EQ(RefusedIf([](FakeCcaOptions& options) { options.platform_profile = "http://x"; }),
            Code::kEvidenceMalformed);
}

TEST(Cca, OnlyASecuredPlatformIsWithoutDebug) {
  for (const uint64_t lifecycle : {0x0000U, 0x1000U, 0x2fffU, 0x3100U, 0x4000U, 0x5000U, 0xffffU}) {
    FakeCca fake;
    fake.options().lifecycle = lifecycle;
    const auto claims = Examine(fake, fake.OwnTrust());
    ASSERT_TRUE(claims.ok());
    EXPECT_EQ(claims->Find("debug")->value, ClaimValue(true)) << lifecycle;
  }
  EXPECT_EQ(RefusedIf([](FakeCcaOptions& options) { options.lifecycle = 0x10000; }),
            Code::kEvidenceMalformed);
}

TEST(Cca, OneOfSeveralPlatformKeysWillDo) {
  const FakeCca fake;
  const FakeCca other;
  Trust trust = other.OwnTrust();
  EXPECT_EQ(Examine(fake, trust).code(), Code::kEvidenceChain);
  trust.keys["cca"].insert(trust.keys["cca"].begin(), Bytes{0x30, 0x00});
  trust.keys["cca"].push_back(fake.OwnTrust().keys["cca"].front());
  EXPECT_TRUE(Examine(fake, trust).ok());
}

}  // namespace
}  // namespace keyclave::attest
