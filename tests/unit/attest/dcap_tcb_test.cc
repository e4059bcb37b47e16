// TCB levels: which one a platform, a quoting enclave and a TDX module reach, and what becomes of
// their statuses together.

#include <gtest/gtest.h>

#include "attest/dcap/verify.h"
#include "attest/tee_type.h"
#include "tests/fakes/fake_intel.h"

namespace keyclave::attest::dcap {
namespace {

using test::FakeCollateral;
using test::FakeFinding;
using test::FakeIntel;
using test::FakeModule;
using test::FakeQuote;
using test::FakeTcbLevel;

constexpr UnixTime kNow = 1'790'000'000;
constexpr std::string_view kStatuses[] = {"UpToDate",
                                          "SWHardeningNeeded",
                                          "ConfigurationNeeded",
                                          "ConfigurationAndSWHardeningNeeded",
                                          "OutOfDate",
                                          "OutOfDateConfigurationNeeded",
                                          "Revoked"};

std::string Text(const ClaimSet& claims, std::string_view name) {
  const Claim* claim = claims.Find(name);
  return claim == nullptr ? "(absent)" : ToText(claim->value);
}

// A machine, and what is verified about a quote of it.
class Machine {
 public:
  explicit Machine(Tee tee) : tee_(tee), intel_(tee) {}

  FakeQuote Sample() const { return test::SampleQuote(tee_, {}, false); }
  Result<ClaimSet> Examine(const FakeQuote& quote, const FakeCollateral& collateral) const {
    const Trust trust = intel_.Trust(collateral);
    KC_ASSIGN(const Unverified evidence, ParseEvidence(TypeName(tee_), intel_.Quote(quote)));
    return ExamineEvidence(evidence, {trust, kNow, ExpectedBinding::None()});
  }
  Result<ClaimSet> Examine(const FakeCollateral& collateral) const {
    return Examine(Sample(), collateral);
  }
  // tcb_status, or the code of the refusal.
  std::string Status(const FakeQuote& quote, const FakeCollateral& collateral) const {
    const auto claims = Examine(quote, collateral);
    return claims.ok() ? Text(*claims, "tcb_status") : std::string(CodeName(claims.code()));
  }
  std::string Status(const FakeCollateral& collateral) const {
    return Status(Sample(), collateral);
  }
  const test::FakePlatform& platform() const { return intel_.platform(); }

 private:
  Tee tee_;
  FakeIntel intel_;
};

class Levels : public testing::TestWithParam<Tee> {
 protected:
  Machine machine_{GetParam()};
  FakeCollateral collateral_;
  std::vector<FakeTcbLevel>& levels() { return collateral_.tcb_info.levels; }
};

INSTANTIATE_TEST_SUITE_P(Dcap, Levels, testing::Values(Tee::kSgx, Tee::kTdx),
                         [](const auto& tee) { return std::string(TypeName(tee.param)); });

TEST_P(Levels, EveryStatusOfThePlatformIsTold) {
  for (const std::string_view status : kStatuses) {
    levels()[0].finding.status = status;
    const std::string wanted = status == "Revoked"
                                   ? "EvidenceTcb"
                                   : std::string(TcbStatusClaim(*TcbStatusFromIntel(status)));
    EXPECT_EQ(machine_.Status(collateral_), wanted);
  }
  for (const char* unknown : {"", "uptodate", "UpToDate ", "NotSupported"}) {
    levels()[0].finding.status = unknown;
    EXPECT_EQ(machine_.Status(collateral_), "CollateralInvalid") << unknown;
  }
}

TEST_P(Levels, TheFirstOneThatFitsCounts) {
  const FakeTcbLevel all;
  FakeTcbLevel best;
  best.sgx = machine_.platform().components;
  best.pcesvn = machine_.platform().pcesvn;
  best.finding.status = "SWHardeningNeeded";
  levels() = {best, all};
  EXPECT_EQ(machine_.Status(collateral_), "sw-hardening-needed");
  // One component or the PCE's SVN too low: the next.
  for (size_t i = 0; i < best.sgx.size(); ++i) {
    if (best.sgx.at(i) == 255) continue;
    levels()[0] = best;
    ++levels()[0].sgx.at(i);
    EXPECT_EQ(machine_.Status(collateral_), "up-to-date") << i;
  }
  levels()[0] = best;
  ++levels()[0].pcesvn;
  EXPECT_EQ(machine_.Status(collateral_), "up-to-date");
}

TEST_P(Levels, NoneThatFitsIsRefusedAndNotTakenForOutOfDate) {
  levels()[0].pcesvn = static_cast<uint16_t>(machine_.platform().pcesvn + 1);
  EXPECT_EQ(machine_.Status(collateral_), "EvidenceTcb");
  levels()[0] = {};
  levels()[0].sgx[15] = 1;
  EXPECT_EQ(machine_.Status(collateral_), "EvidenceTcb");
}

// lesson 42: the platform's TCB is what its certificate says, whatever the report says of itself.
TEST_P(Levels, AreThoseOfTheCertificateAndNotOfTheReport) {
  FakeQuote quote = machine_.Sample();
  quote.qe.cpusvn.fill(0xff);
  if (auto* enclave = std::get_if<EnclaveReport>(&quote.body)) enclave->cpusvn.fill(0xff);
  levels()[0].sgx = machine_.platform().components;
  EXPECT_EQ(machine_.Status(quote, collateral_), "up-to-date");
  ++levels()[0].sgx[0];
  EXPECT_EQ(machine_.Status(quote, collateral_), "EvidenceTcb");
}

TEST_P(Levels, AComponentMakesAStatusWorseAndNeverBetter) {
  constexpr TcbStatus kAll[] = {TcbStatus::kUpToDate,
                                TcbStatus::kSwHardeningNeeded,
                                TcbStatus::kConfigurationNeeded,
                                TcbStatus::kConfigurationAndSwHardeningNeeded,
                                TcbStatus::kOutOfDate,
                                TcbStatus::kOutOfDateConfigurationNeeded,
                                TcbStatus::kRevoked};
  constexpr TcbStatus kWithOutOfDate[] = {TcbStatus::kOutOfDate,
                                          TcbStatus::kOutOfDate,
                                          TcbStatus::kOutOfDateConfigurationNeeded,
                                          TcbStatus::kOutOfDateConfigurationNeeded,
                                          TcbStatus::kOutOfDate,
                                          TcbStatus::kOutOfDateConfigurationNeeded,
                                          TcbStatus::kRevoked};
  for (size_t i = 0; i < std::size(kAll); ++i) {
    EXPECT_EQ(Merge(kAll[i], TcbStatus::kUpToDate), kAll[i]);
    EXPECT_EQ(Merge(kAll[i], TcbStatus::kOutOfDate), kWithOutOfDate[i]);
    EXPECT_EQ(Merge(kAll[i], TcbStatus::kRevoked), TcbStatus::kRevoked);
  }
}

TEST_P(Levels, OfTheQuotingEnclaveCount) {
  auto& levels_of_qe = collateral_.qe_identity.levels;
  levels_of_qe = {{9, {}}, {8, {.status = "OutOfDate"}}, {1, {.status = "Revoked"}}};
  FakeQuote quote = machine_.Sample();
  quote.qe.isv_svn = 9;
  EXPECT_EQ(machine_.Status(quote, collateral_), "up-to-date");
  quote.qe.isv_svn = 8;
  EXPECT_EQ(machine_.Status(quote, collateral_), "out-of-date");
  levels()[0].finding.status = "ConfigurationNeeded";
  EXPECT_EQ(machine_.Status(quote, collateral_), "out-of-date-configuration-needed");
  quote.qe.isv_svn = 7;
  EXPECT_EQ(machine_.Status(quote, collateral_), "EvidenceTcb");
  quote.qe.isv_svn = 0;
  EXPECT_EQ(machine_.Status(quote, collateral_), "EvidenceTcb");
}

TEST_P(Levels, DatesAndAdvisoriesAreThoseOfAll) {
  levels()[0].finding = {
      .status = "SWHardeningNeeded", .date = "2024-03-13T00:00:00Z", .advisories = {"A", "B"}};
  collateral_.qe_identity.levels = {
      {1, {.status = "OutOfDate", .date = "2021-11-10T00:00:00Z", .advisories = {"B", "C"}}}};
  const auto claims = machine_.Examine(collateral_);
  ASSERT_TRUE(claims.ok()) << claims.error().Text();
  const std::string prefix = std::string(TypeName(GetParam())) + ".";
  EXPECT_EQ(Text(*claims, "tcb_date"), "2021-11-10T00:00:00Z");
  EXPECT_EQ(claims->Find("advisories")->value, ClaimValue(std::vector<std::string>{"A", "B", "C"}));
  EXPECT_EQ(Text(*claims, prefix + "platform_tcb_date"), "2024-03-13T00:00:00Z");
  EXPECT_EQ(Text(*claims, prefix + "platform_tcb_status"), "sw-hardening-needed");
  EXPECT_EQ(Text(*claims, prefix + "qe_tcb_status"), "out-of-date");
}

TEST(SgxLevels, TcbInfoOfVersion2SpellsComponentsOtherwise) {
  const Machine machine(Tee::kSgx);
  FakeCollateral collateral;
  collateral.tcb_info.version = 2;
  FakeTcbLevel best;
  best.sgx = machine.platform().components;
  best.finding.status = "ConfigurationAndSWHardeningNeeded";
  collateral.tcb_info.levels = {best, {}};
  EXPECT_EQ(machine.Status(collateral), "configuration-and-sw-hardening-needed");
  collateral.tcb_info.levels[0].sgx[9] = 1;
  EXPECT_EQ(machine.Status(collateral), "up-to-date");
  for (const unsigned version : {0U, 1U, 4U}) {
    collateral.tcb_info.version = version;
    EXPECT_EQ(machine.Status(collateral), "CollateralInvalid") << version;
  }
}

class TdxLevels : public testing::Test {
 protected:
  FakeQuote With(const ByteArray<16>& tee_tcb_svn) const {
    FakeQuote quote = machine_.Sample();
    std::get<TdReport>(quote.body).tee_tcb_svn = tee_tcb_svn;
    return quote;
  }
  std::string Status(const ByteArray<16>& tee_tcb_svn) const {
    return machine_.Status(With(tee_tcb_svn), collateral_);
  }
  Machine machine_{Tee::kTdx};
  FakeCollateral collateral_;
};

TEST_F(TdxLevels, VersionsOfTheModuleDecideFromWhereSvnsAreCompared) {
  FakeTcbLevel& best = collateral_.tcb_info.levels[0];
  best.tdx = {5, 0, 3};
  best.finding.status = "SWHardeningNeeded";
  collateral_.tcb_info.levels.push_back({});
  // No version: all SVNs, and no levels of the module's own.
  EXPECT_EQ(Status({5, 0, 3}), "sw-hardening-needed");
  EXPECT_EQ(Status({4, 0, 3}), "up-to-date");
  EXPECT_EQ(Status({5, 0, 2}), "up-to-date");
  // Version 1: from the third SVN on; the first is the module's.
  EXPECT_EQ(Status({1, 1, 3}), "sw-hardening-needed");
  EXPECT_EQ(Status({1, 1, 2}), "up-to-date");
}

TEST_F(TdxLevels, OfTheModuleCount) {
  auto& identities = collateral_.tcb_info.identities;
  identities[0].levels = {{6, {}},
                          {4, {.status = "OutOfDate", .advisories = {"INTEL-SA-01036"}}},
                          {2, {.status = "Revoked"}}};
  EXPECT_EQ(Status({6, 1, 3}), "up-to-date");
  EXPECT_EQ(Status({5, 1, 3}), "out-of-date");
  EXPECT_EQ(Status({3, 1, 3}), "EvidenceTcb");  // revoked
  EXPECT_EQ(Status({1, 1, 3}), "EvidenceTcb");  // none
  EXPECT_EQ(Status({6, 2, 3}), "EvidenceTcb");  // no identity TDX_02
  EXPECT_EQ(Status({0, 0, 3}), "up-to-date");   // no version, no levels
  identities[0].id = "tdx_01";
  EXPECT_EQ(Status({6, 1, 3}), "up-to-date");
  identities.push_back(FakeModule{.id = "TDX_C1"});
  EXPECT_EQ(Status({6, 0xc1, 3}), "up-to-date");
  const auto claims = machine_.Examine(With({5, 1, 3}), collateral_);
  ASSERT_TRUE(claims.ok());
  EXPECT_EQ(Text(*claims, "tdx.module_tcb_status"), "out-of-date");
  EXPECT_EQ(Text(*claims, "tdx.platform_tcb_status"), "up-to-date");
  EXPECT_EQ(Text(*claims, "advisories"), ToText(std::vector<std::string>{"INTEL-SA-01036"}));
}

TEST_F(TdxLevels, ModulesOfOthersAreRefused) {
  FakeQuote quote = machine_.Sample();
  auto& td = std::get<TdReport>(quote.body);
  td.mrsignerseam[47] = 1;
  EXPECT_EQ(machine_.Status(quote, collateral_), "EvidenceIdentity");
  td.mrsignerseam[47] = 0;
  td.seamattributes[7] = 0x80;
  EXPECT_EQ(machine_.Status(quote, collateral_), "EvidenceIdentity");
  // Unless the identity leaves the bit out.
  collateral_.tcb_info.identities[0].attributes_mask[7] = 0x7f;
  EXPECT_EQ(machine_.Status(quote, collateral_), "up-to-date");
  // tdxModule speaks for modules without version only.
  td.tee_tcb_svn = {6, 0, 3};
  EXPECT_EQ(machine_.Status(quote, collateral_), "EvidenceIdentity");
  collateral_.tcb_info.module.attributes_mask[7] = 0;
  EXPECT_EQ(machine_.Status(quote, collateral_), "up-to-date");
}

TEST_F(TdxLevels, RelaunchIsAdvisedWhereOnlyTheModuleOfTheLaunchIsOld) {
  collateral_.tcb_info.identities[0].levels = {{6, {}}, {1, {.status = "OutOfDate"}}};
  const auto examine = [&](uint8_t launched, uint8_t current) {
    FakeQuote quote = With({launched, 1, 3});
    quote.version = 5;
    std::get<TdReport>(quote.body).of_15.emplace().tee_tcb_svn2 = {current, 1, 3};
    return machine_.Examine(quote, collateral_);
  };
  const auto advised = examine(5, 6);
  ASSERT_TRUE(advised.ok()) << advised.error().Text();
  EXPECT_EQ(Text(*advised, "tdx.relaunch_advised"), "true");
  EXPECT_EQ(Text(*advised, "tcb_status"), "out-of-date");
  EXPECT_EQ(Text(*advised, "tdx.current_tcb_status"), "up-to-date");
  EXPECT_EQ(Text(*advised, "tdx.tee_tcb_svn2"), "06010300000000000000000000000000");
  const auto good = examine(6, 6);
  ASSERT_TRUE(good.ok());
  EXPECT_EQ(Text(*good, "tdx.relaunch_advised"), "false");
  EXPECT_EQ(Text(*good, "tcb_status"), "up-to-date");
  const auto old = examine(5, 5);
  ASSERT_TRUE(old.ok());
  EXPECT_EQ(Text(*old, "tdx.relaunch_advised"), "false");
  EXPECT_EQ(Text(*old, "tdx.current_tcb_status"), "out-of-date");
  EXPECT_EQ(examine(6, 0).code(), Code::kEvidenceTcb);
  // TDX 1.0 knows nothing of it.
  const auto of_10 = machine_.Examine(collateral_);
  ASSERT_TRUE(of_10.ok());
  EXPECT_EQ(of_10->Find("tdx.relaunch_advised"), nullptr);
}

}  // namespace
}  // namespace keyclave::attest::dcap
