// What is found out once: that it is found out right, and that time, roots and lists still count.

#include "attest/memo.h"

#include <gtest/gtest.h>

#include <thread>

#include "attest/dcap/signed_document.h"
#include "attest/tee_type.h"
#include "tests/fakes/fake_intel.h"

namespace keyclave::attest {
namespace {

using dcap::SignedText;
using test::FakeAuthority;
using test::FakeIntel;
using test::FakeKey;
using test::FakeKeyKind;

constexpr UnixTime kNow = 1'790'000'000;

TEST(SetOnce, TheFirstStays) {
  SetOnce<int> once;
  EXPECT_EQ(once.Get(), nullptr);
  EXPECT_EQ(*once.Set(std::make_unique<const int>(1)), 1);
  EXPECT_EQ(*once.Set(std::make_unique<const int>(2)), 1);
  EXPECT_EQ(*once.Get(), 1);
}

TEST(GoodUnder, KeepsAFewAndNoMore) {
  GoodUnder good;
  for (uint8_t i = 0; i < 2 * GoodUnder::kMax; ++i) good.Add(Bytes{i});
  for (uint8_t i = 0; i < 2 * GoodUnder::kMax; ++i)
    EXPECT_EQ(good.Has(Bytes{i}), i < GoodUnder::kMax) << int{i};
  EXPECT_FALSE(good.Has(Bytes{}));
  EXPECT_FALSE(good.Has(Bytes{0, 0}));
}

TEST(GoodUnder, ManyThreadsAddOneKeyAndLoseNone) {
  GoodUnder good;
  std::vector<std::thread> threads;
  for (uint8_t i = 0; i < GoodUnder::kMax; ++i) {
    threads.emplace_back([&good, i] {
      for (int n = 0; n < 1000; ++n) {
        if (!good.Has(Bytes{i})) good.Add(Bytes{i});
        if (!good.Has(Bytes{i})) std::abort();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

SignedText Sign(const FakeKey& key, const Bytes& signed_bytes, const Bytes& shown) {
  const auto raw = key.SignRaw(SignatureScheme::kEcdsaP256Sha256, signed_bytes);
  ByteArray<64> signature{};
  std::copy(raw.r.begin(), raw.r.end(), signature.begin());
  std::copy(raw.s.begin(), raw.s.end(), signature.begin() + 32);
  return {shown, signature};
}

TEST(SignedTexts, AreGoodUnderTheKeyThatMadeThemAndNoOther) {
  const FakeKey key = FakeKey::Make(FakeKeyKind::kP256);
  const FakeKey other = FakeKey::Make(FakeKeyKind::kP256);
  const SignedText text = Sign(key, {1, 2, 3}, {1, 2, 3});
  for (int again = 0; again < 3; ++again) {
    EXPECT_TRUE(text.VerifyUnder(key.Public()).ok());
    EXPECT_FALSE(text.VerifyUnder(other.Public()).ok());
  }
  const SignedText edited = Sign(key, {1, 2, 3}, {1, 2, 4});
  for (int again = 0; again < 3; ++again) EXPECT_FALSE(edited.VerifyUnder(key.Public()).ok());
  EXPECT_FALSE(SignedText().VerifyUnder(key.Public()).ok());
}

TEST(RevocationLists, AreGoodUnderTheirIssuerAndNoOther) {
  const auto root = FakeAuthority::Root(FakeKeyKind::kP256, {.name = "CN=Root"});
  const auto same_name = FakeAuthority::Root(FakeKeyKind::kP256, {.name = "CN=Root"});
  const auto list = RevocationList::From(root.RevocationList({}, kNow - 10, kNow + 10));
  ASSERT_TRUE(list.ok());
  for (int again = 0; again < 3; ++again) {
    EXPECT_TRUE(CheckRevocationList(*list, root.certificate(), kNow).ok());
    const Status stranger = CheckRevocationList(*list, same_name.certificate(), kNow);
    ASSERT_FALSE(stranger.ok());
    EXPECT_EQ(stranger.code(), Code::kCollateralInvalid);
    const Status late = CheckRevocationList(*list, root.certificate(), kNow + 11);
    ASSERT_FALSE(late.ok());
    EXPECT_EQ(late.code(), Code::kCollateralExpired);
  }
}

class WarmCollateral : public testing::Test {
 protected:
  std::optional<Code> Refused(const Trust& trust, UnixTime now) const {
    const auto evidence = ParseEvidence("sgx", quote_);
    if (!evidence.ok()) return evidence.code();
    const auto claims = ExamineEvidence(*evidence, {trust, now, ExpectedBinding::None()});
    return claims.ok() ? std::nullopt : std::optional(claims.code());
  }
  FakeIntel intel_{dcap::Tee::kSgx};
  Bytes quote_ = intel_.Quote(test::SampleQuote(dcap::Tee::kSgx, ReportData(), false));
};

TEST_F(WarmCollateral, TimeCountsEachTime) {
  test::FakeCollateral collateral;
  collateral.tcb_info.expires = kNow + 100;
  collateral.qe_identity.expires = kNow + 200;
  collateral.lists_until = kNow + 300;
  const Trust trust = intel_.Trust(collateral);
  for (int again = 0; again < 2; ++again) {
    EXPECT_EQ(Refused(trust, kNow), std::nullopt);
    for (const UnixTime late : {101, 201, 301})
      EXPECT_EQ(Refused(trust, kNow + late), Code::kCollateralExpired) << late;
    EXPECT_EQ(Refused(trust, collateral.tcb_info.issued - 1), Code::kEvidenceTime);
  }
}

TEST_F(WarmCollateral, RootsAndListsCountEachTime) {
  const Trust trust = intel_.Trust();
  ASSERT_EQ(Refused(trust, kNow), std::nullopt);
  // The very same documents, under another root.
  Trust elsewhere = FakeIntel(dcap::Tee::kSgx).Trust();
  elsewhere.collateral = trust.collateral;
  EXPECT_EQ(Refused(elsewhere, kNow), Code::kEvidenceChain);
  // And with a newer list that has the signing certificate in it.
  Collateral more = *trust.collateral;
  ASSERT_TRUE(more.Add(intel_.root().RevocationList({intel_.tcb_signing().certificate()}, kNow - 1,
                                                    kNow + 100),
                       "newer.der")
                  .ok());
  Trust revoked = trust;
  revoked.collateral = std::make_shared<const Collateral>(std::move(more));
  EXPECT_EQ(Refused(revoked, kNow), Code::kCollateralInvalid);
  EXPECT_EQ(Refused(trust, kNow), std::nullopt);
}

TEST_F(WarmCollateral, QuotesOnManyThreadsAgree) {
  const Trust trust = intel_.Trust();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 20; ++n) {
        if (Refused(trust, kNow).has_value()) std::abort();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace keyclave::attest
