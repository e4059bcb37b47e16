// Where the certificates of an SEV-SNP report come from: its table, the operator's collateral.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/attest/snp_testing.h"

namespace keyclave::attest {
namespace {

using test::ExamineSnp;
using test::FakeSnp;
using test::FakeSnpOptions;
using test::kDay;
using test::kNow;
using test::MakeTurin;
using test::MakeVlek;
using test::RefusedWith;
using test::With;
using testing::HasSubstr;

class SnpCollateral : public testing::Test {
 protected:
  FakeSnp fake_{With([](FakeSnpOptions& options) { options.bring_table = false; })};
  std::shared_ptr<Collateral> collateral_ = std::make_shared<Collateral>();

  void Add(const Certificate& certificate) {
    ASSERT_TRUE(collateral_->Add(certificate.der(), "file").ok());
  }
  void Add(const Bytes& list) { ASSERT_TRUE(collateral_->Add(list, "list").ok()); }
  Result<ClaimSet> Examined() {
    Trust trust = fake_.OwnTrust();
    trust.collateral = collateral_;
    return ExamineSnp(fake_.Evidence(ReportData{}, kNow, false), trust);
  }
};

TEST_F(SnpCollateral, GivesTheLeafThatTheEvidenceDoesNotBring) {
  Add(fake_.ask().certificate());
  Add(fake_.leaf().certificate());
  EXPECT_TRUE(Examined().ok());
}

TEST_F(SnpCollateral, IsNamedWhereItIsMissing) {
  const auto refused = Examined();
  ASSERT_EQ(RefusedWith(refused), Code::kCollateralMissing);
  EXPECT_THAT(refused.error().detail(), HasSubstr(ToHex(fake_.options().chip_id)));
  EXPECT_THAT(refused.error().detail(),
              HasSubstr("https://kdsintf.amd.com/vcek/v1/Milan/" + ToHex(fake_.options().chip_id) +
                        "?blSPL=4&teeSPL=0&snpSPL=23&ucodeSPL=213"));
}

TEST_F(SnpCollateral, ForTurinAndForAVlekIsNamedInTheirWords) {
  FakeSnp turin(With([](FakeSnpOptions& options) {
    MakeTurin(options);
    options.bring_table = false;
  }));
  auto refused = ExamineSnp(turin);
  ASSERT_EQ(RefusedWith(refused), Code::kCollateralMissing);
  EXPECT_THAT(refused.error().detail(),
              HasSubstr("vcek/v1/Turin/7a7a7a7a7a7a7a7a?fmcSPL=1&blSPL=2&teeSPL=3&snpSPL=4"
                        "&ucodeSPL=82"));
  MakeVlek(fake_.options());
  refused = ExamineSnp(fake_);
  ASSERT_EQ(RefusedWith(refused), Code::kCollateralMissing);
  EXPECT_THAT(refused.error().detail(), HasSubstr("VLEK"));
}

TEST_F(SnpCollateral, OfAnotherTcbOrChipDoesNotDo) {
  Add(fake_.ask().certificate());
  Add(fake_.leaf().certificate());
  ++fake_.options().reported_tcb[6];
  const auto refused = Examined();
  ASSERT_EQ(RefusedWith(refused), Code::kCollateralMissing);
  EXPECT_TRUE(refused.error().mismatch().has_value());
  fake_.options() = FakeSnpOptions();
  fake_.options().bring_table = false;
  fake_.options().chip_id[5] ^= 1;
  EXPECT_EQ(RefusedWith(Examined()), Code::kCollateralMissing);
}

TEST_F(SnpCollateral, MayHoldSeveralOfOneChipAndTcb) {
  Add(fake_.ask().certificate());
  fake_.options().leaf_not_after = kNow - kDay;
  Add(fake_.IssueLeaf(fake_.leaf().key()).certificate());
  EXPECT_EQ(RefusedWith(Examined()), Code::kEvidenceTime);
  Add(fake_.leaf().certificate());
  EXPECT_TRUE(Examined().ok());
}

TEST_F(SnpCollateral, HelpsWhereTheHostBringsAStaleLeaf) {
  fake_.options().bring_table = true;
  const FakeSnp before = fake_;
  ++fake_.options().reported_tcb[6];
  EXPECT_EQ(RefusedWith(Examined()), Code::kEvidenceIdentity);
  Add(fake_.IssueLeaf(fake_.leaf().key()).certificate());
  EXPECT_TRUE(Examined().ok());
}

TEST_F(SnpCollateral, OfACrowdOfSuchLeavesEnds) {
  Add(fake_.ask().certificate());
  for (int i = 0; i < 20; ++i)
    Add(fake_.IssueLeaf(test::FakeKey::Make(test::FakeKeyKind::kP384)).certificate());
  EXPECT_EQ(RefusedWith(Examined()), Code::kEvidenceSignature);
}

TEST_F(SnpCollateral, RevocationListsCountForTheIssuersThatHaveOne) {
  Add(fake_.ask().certificate());
  Add(fake_.leaf().certificate());
  Add(fake_.ark().RevocationList({}, kNow - kDay, kNow + kDay));
  EXPECT_TRUE(Examined().ok());
  // AMD revokes the signing key by the root's list.
  collateral_ = std::make_shared<Collateral>();
  Add(fake_.ask().certificate());
  Add(fake_.leaf().certificate());
  Add(fake_.ark().RevocationList({fake_.ask().certificate()}, kNow - kDay, kNow + kDay));
  EXPECT_EQ(RefusedWith(Examined()), Code::kEvidenceRevoked);
}

TEST_F(SnpCollateral, ARevokedLeafIsRefused) {
  Add(fake_.ask().certificate());
  Add(fake_.leaf().certificate());
  Add(fake_.ask().RevocationList({fake_.leaf().certificate()}, kNow - kDay, kNow + kDay));
  EXPECT_EQ(RefusedWith(Examined()), Code::kEvidenceRevoked);
}

TEST_F(SnpCollateral, AStaleListIsNotPassedOver) {
  Add(fake_.ask().certificate());
  Add(fake_.leaf().certificate());
  Add(fake_.ark().RevocationList({}, kNow - 2 * kDay, kNow - kDay));
  EXPECT_EQ(RefusedWith(Examined()), Code::kCollateralExpired);
}

TEST(SnpEvidence, BrokenCertificatesInTheTableAreRefused) {
  const FakeSnp fake;
  Bytes evidence = fake.Report(ReportData{});
  const Bytes table = FakeSnp::Table({{FakeSnp::Guid("VCEK"), Bytes(100, 0x30)}});
  evidence.insert(evidence.end(), table.begin(), table.end());
  EXPECT_EQ(ParseEvidence("sev-snp", evidence).code(), Code::kEvidenceMalformed);
}

TEST(SnpEvidence, UnknownEntriesOfTheTableChangeNothing) {
  FakeSnp fake;
  const auto plain = ExamineSnp(fake);
  fake.options().more_entries = {{Bytes(16, 0xab), Bytes(100, 0x55)}};
  fake.options().bring_root = true;
  fake.options().table_padding = 1000;
  const auto more = ExamineSnp(fake);
  ASSERT_TRUE(plain.ok() && more.ok());
  EXPECT_EQ(plain->size(), more->size());
}

TEST(SnpEvidence, ANonceOfAFileIsTheReportsData) {
  const FakeSnp fake;
  ReportData data{};
  data[0] = 7;
  const auto parsed = ParseEvidence("sev-snp", fake.Evidence(data, kNow, false));
  ASSERT_TRUE(parsed.ok());
  const Trust trust = fake.OwnTrust();
  const auto with = [&](Bytes nonce) {
    return ExamineEvidence(*parsed, {trust, kNow, ExpectedBinding::Nonce(std::move(nonce))}).ok();
  };
  EXPECT_TRUE(with({7}));
  EXPECT_FALSE(with({8}));
  EXPECT_FALSE(with(Bytes(65, 0)));
}

}  // namespace
}  // namespace keyclave::attest
