// Collateral past its nextUpdate: used only where somebody has patience, told, and worth nothing to
// whoever has none.

#include <gtest/gtest.h>

#include <random>

#include "attest/appraise.h"
#include "attest/dcap/tee.h"
#include "attest/tee_type.h"
#include "tests/fakes/fake_intel.h"
#include "tests/unit/attest/snp_testing.h"

namespace keyclave::attest {
namespace {

using dcap::Tee;
using test::FakeCollateral;
using test::FakeIntel;
using test::kDay;
using test::kNow;

std::optional<UnixTime> ExpiredAt(const ClaimSet& claims) {
  const Claim* claim = claims.Find(kCollateralExpiredAt);
  if (claim == nullptr) return std::nullopt;
  EXPECT_EQ(claim->origin, Origin::kAttested);
  return ParseTime(std::get<std::string>(claim->value)).value();
}

// Every other claim, as text.
std::map<std::string, std::string> Rest(const ClaimSet& claims) {
  std::map<std::string, std::string> rest;
  for (const auto& [name, claim] : claims) {
    if (name != kCollateralExpiredAt) rest[name] = ToText(claim.value);
  }
  return rest;
}

class DcapGrace : public testing::TestWithParam<Tee> {
 protected:
  Result<ClaimSet> Examine(const FakeIntel& intel, const Trust& trust, uint64_t grace) const {
    const std::string type(dcap::TypeName(GetParam()));
    KC_ASSIGN(const Unverified evidence,
              ParseEvidence(type, intel.Quote(test::SampleQuote(GetParam(), {}, false))));
    return ExamineEvidence(evidence, {.trust = trust,
                                      .now = kNow,
                                      .binding = ExpectedBinding::None(),
                                      .collateral_grace = grace});
  }
  Result<ClaimSet> Examine(const FakeCollateral& collateral, uint64_t grace) const {
    return Examine(intel_, intel_.Trust(collateral), grace);
  }
  // What is past by `days`: TCB info, identity, lists; not at all where it is nullopt.
  static FakeCollateral Late(std::optional<int> info, std::optional<int> identity,
                             std::optional<int> lists) {
    FakeCollateral collateral;
    if (info.has_value()) collateral.tcb_info.expires = kNow - *info * kDay;
    if (identity.has_value()) collateral.qe_identity.expires = kNow - *identity * kDay;
    if (lists.has_value()) collateral.lists_until = kNow - *lists * kDay;
    return collateral;
  }
  void ExpectLate(const FakeCollateral& collateral, int days) const {
    const auto grace = static_cast<uint64_t>(days * kDay);
    EXPECT_EQ(Examine(collateral, 0).code(), Code::kCollateralExpired);
    EXPECT_EQ(Examine(collateral, grace - 1).code(), Code::kCollateralExpired);
    const auto claims = Examine(collateral, grace);
    ASSERT_TRUE(claims.ok()) << claims.error().Text();
    EXPECT_EQ(ExpiredAt(*claims), kNow - days * kDay);
    EXPECT_EQ(Rest(*claims), Rest(Examine(FakeCollateral{}, 0).value()));
  }
  FakeIntel intel_{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Dcap, DcapGrace, testing::Values(Tee::kSgx, Tee::kTdx),
                         [](const auto& tee) { return std::string(dcap::TypeName(tee.param)); });

TEST_P(DcapGrace, EachKindMayBeLateByTheGraceAndNoMore) {
  ExpectLate(Late(2, {}, {}), 2);
  ExpectLate(Late({}, 3, {}), 3);
  ExpectLate(Late({}, {}, 4), 4);
  ExpectLate(Late(1, 7, 5), 7);
}

TEST_P(DcapGrace, CurrentCollateralIsNotTouched) {
  const auto claims = Examine(FakeCollateral{}, kMaxCollateralGrace);
  ASSERT_TRUE(claims.ok());
  EXPECT_EQ(ExpiredAt(*claims), std::nullopt);
}

TEST_P(DcapGrace, NoMoreThanThirtyDaysWhoeverAsks) {
  EXPECT_TRUE(Examine(Late(30, {}, {}), UINT64_MAX).ok());
  EXPECT_EQ(Examine(Late(31, {}, {}), UINT64_MAX).code(), Code::kCollateralExpired);
}

TEST_P(DcapGrace, WhatIsNotIssuedYetIsNotLate) {
  FakeCollateral collateral;
  collateral.tcb_info.issued = kNow + 1;
  EXPECT_EQ(Examine(collateral, kMaxCollateralGrace).code(), Code::kCollateralExpired);
  collateral = {};
  collateral.lists_from = kNow + 1;
  EXPECT_EQ(Examine(collateral, kMaxCollateralGrace).code(), Code::kCollateralExpired);
}

TEST_P(DcapGrace, LateCollateralIsObeyed) {
  test::FakePlatform platform;
  platform.revoked = true;
  const FakeIntel revoked(GetParam(), platform);
  EXPECT_EQ(Examine(revoked, revoked.Trust(Late({}, {}, 1)), kMaxCollateralGrace).code(),
            Code::kEvidenceRevoked);
  FakeCollateral collateral = Late(1, {}, {});
  collateral.tcb_info.levels.front().finding.status = "Revoked";
  EXPECT_EQ(Examine(collateral, kMaxCollateralGrace).code(), Code::kEvidenceTcb);
}

TEST_P(DcapGrace, WhatIsCurrentComesBeforeWhatIsLate) {
  FakeCollateral what;
  what.tcb_info.levels.front().finding.status = "Revoked";
  Collateral collateral = intel_.Collateral(what);
  test::FakeTcbInfo better;
  better.expires = kNow - kDay;
  better.evaluation_number = 99;
  ASSERT_TRUE(collateral.Add(intel_.TcbInfo(better), "late.json").ok());
  Trust trust = intel_.Trust();
  trust.collateral = std::make_shared<const Collateral>(collateral);
  EXPECT_EQ(Examine(intel_, trust, kMaxCollateralGrace).code(), Code::kEvidenceTcb);
}

// A verdict is never more generous than the patience that was asked for, and what was late never
// passes for current.
TEST_P(DcapGrace, NeverMoreGenerousThanAsked) {
  std::mt19937 random(4);
  const auto fresh = Rest(Examine(FakeCollateral{}, 0).value());
  for (int round = 0; round < 60; ++round) {
    const auto days = [&] { return static_cast<int>(random() % 50) - 15; };  // below 0: to come
    const std::array<int, 3> late = {days(), days(), days()};
    const int worst = *std::max_element(late.begin(), late.end());
    const int grace_days = static_cast<int>(random() % 40);
    const auto claims =
        Examine(Late(late[0], late[1], late[2]), static_cast<uint64_t>(grace_days * kDay));
    const bool good = worst <= 0 || worst <= std::min(grace_days, 30);
    ASSERT_EQ(claims.ok(), good) << late[0] << " " << late[1] << " " << late[2] << " in "
                                 << grace_days;
    if (!claims.ok()) {
      EXPECT_EQ(claims.code(), Code::kCollateralExpired);
      continue;
    }
    EXPECT_EQ(Rest(*claims), fresh);
    EXPECT_EQ(ExpiredAt(*claims), worst <= 0 ? std::nullopt : std::optional(kNow - worst * kDay));
    for (const int wanted : {0, 1, worst, worst + 1, 40}) {
      const bool refused =
          FailedCollateral(*claims, static_cast<uint64_t>(std::max(wanted, 0) * kDay), kNow)
              .has_value();
      EXPECT_EQ(refused, worst > 0 && std::min(wanted, 30) <= worst) << worst << " for " << wanted;
    }
  }
}

TEST(SnpGrace, AListMayBeLate) {
  const test::FakeSnp fake;
  const auto examine = [&](const Bytes& list, uint64_t grace) -> Result<ClaimSet> {
    Trust trust = fake.OwnTrust();
    auto collateral = std::make_shared<Collateral>();
    KC_CHECK_OK(collateral->Add(list, "list"));
    trust.collateral = collateral;
    KC_ASSIGN(const Unverified evidence,
              ParseEvidence("sev-snp", fake.Evidence(ReportData{}, kNow, false)));
    return ExamineEvidence(evidence, {.trust = trust,
                                      .now = kNow,
                                      .binding = ExpectedBinding::None(),
                                      .collateral_grace = grace});
  };
  const Bytes late = fake.ark().RevocationList({}, kNow - 3 * kDay, kNow - kDay);
  EXPECT_EQ(examine(late, 0).code(), Code::kCollateralExpired);
  EXPECT_EQ(examine(late, kDay - 1).code(), Code::kCollateralExpired);
  const auto claims = examine(late, kDay);
  ASSERT_TRUE(claims.ok()) << claims.error().Text();
  EXPECT_EQ(ExpiredAt(*claims), kNow - kDay);
  EXPECT_EQ(
      examine(fake.ark().RevocationList({fake.ask().certificate()}, kNow - 3 * kDay, kNow - kDay),
              kDay)
          .code(),
      Code::kEvidenceRevoked);
}

TEST(FailedCollateral, EndsWithTheGrace) {
  ClaimSet claims;
  EXPECT_FALSE(FailedCollateral(claims, 0, kNow).has_value());
  EXPECT_EQ(CollateralDeadline(claims, 0), std::nullopt);
  claims.Set(std::string(kCollateralExpiredAt), FormatTime(kNow - 100));
  EXPECT_TRUE(FailedCollateral(claims, 0, kNow).has_value());
  EXPECT_TRUE(FailedCollateral(claims, 100, kNow).has_value());
  EXPECT_FALSE(FailedCollateral(claims, 101, kNow).has_value());
  EXPECT_EQ(CollateralDeadline(claims, 101), kNow + 1);
  EXPECT_TRUE(FailedCollateral(claims, 101, kNow + 1).has_value());
  EXPECT_TRUE(FailedCollateral(claims, UINT64_MAX, kNow + kMaxCollateralGrace).has_value());
}

TEST(FailedCollateral, AClaimThatVerificationDidNotMakeNeverCounts) {
  ClaimSet claims;
  claims.Set(std::string(kCollateralExpiredAt), FormatTime(kNow), Origin::kTransport);
  EXPECT_TRUE(FailedCollateral(claims, kMaxCollateralGrace, kNow).has_value());
  for (const ClaimValue& value :
       {ClaimValue(int64_t{kNow}), ClaimValue(std::string("soon")), ClaimValue(true)}) {
    claims.Set(std::string(kCollateralExpiredAt), value);
    EXPECT_TRUE(FailedCollateral(claims, kMaxCollateralGrace, kNow).has_value());
  }
}

TEST(FailedCollateral, NoPolicyCanNameTheClaim) {
  const auto yaml = ParseYaml("{collateral_expired_at: {exists: true}}", "p.yaml");
  ASSERT_TRUE(yaml.ok());
  EXPECT_FALSE(Expression::Parse(*yaml).ok());
}

}  // namespace
}  // namespace keyclave::attest
