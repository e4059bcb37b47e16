// Collateral by its subjects: names, ages, and whether each thing alone is good.

#include "attest/collateral_item.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/fake_intel.h"
#include "tests/fakes/fake_snp.h"

namespace keyclave::attest {
namespace {

using dcap::Tee;
using test::FakeIntel;
using test::FakeSnp;

constexpr UnixTime kNow = 1'790'000'000;

CollateralItem Only(ByteSpan bytes) {
  auto items = ReadCollateralItems(bytes, "file");
  EXPECT_TRUE(items.ok()) << items.error().Text();
  EXPECT_EQ(items->size(), 1U);
  return items->front();
}
CollateralItem Only(const std::string& text) { return Only(AsBytes(text)); }

TEST(CollateralItems, HaveNamesOfTheirSubjects) {
  const FakeIntel intel(Tee::kTdx);
  EXPECT_EQ(Only(intel.TcbInfo({})).name, "tcb-info-tdx-00a06f050000.json");
  EXPECT_EQ(Only(intel.TcbInfo({})).subject, "TDX FMSPC 00A06F050000");
  EXPECT_EQ(Only(intel.EnclaveIdentity({})).name, "qe-identity-tdx.json");
  const Bytes list = intel.root().RevocationList({}, kNow, kNow + 1);
  EXPECT_EQ(Only(list).name, Only(ToHex(list)).name);
  EXPECT_THAT(Only(list).name, testing::MatchesRegex("crl-intel-sgx-root-ca\\.pem"));
  EXPECT_THAT(Only(intel.tcb_signing().Pem()).name,
              testing::MatchesRegex("certificate-intel-sgx-tcb-signing-[0-9a-f]{8}\\.pem"));
  // One name, two keys: two subjects.
  EXPECT_NE(Only(FakeIntel(Tee::kTdx).root().Pem()).name, Only(intel.root().Pem()).name);
}

TEST(CollateralItems, OfAmdNameChipOrProviderAndTcb) {
  const FakeSnp milan;
  const CollateralItem vcek = Only(milan.leaf().Pem());
  EXPECT_EQ(vcek.kind, "vcek");
  EXPECT_THAT(vcek.name, testing::StartsWith("vcek-milan-c1c1"));
  EXPECT_THAT(vcek.where, testing::StartsWith("https://kdsintf.amd.com/vcek/v1/Milan/c1c1"));
  test::FakeSnpOptions options;
  options.vlek = true;
  const FakeSnp cloud(options);
  const CollateralItem vlek = Only(cloud.leaf().Pem());
  EXPECT_EQ(vlek.kind, "vlek");
  EXPECT_THAT(vlek.name, testing::MatchesRegex("vlek-milan-[a-z0-9-]+-04000000000017d5\\.pem"));
}

TEST(CollateralItems, AreStoredAsTheyReadBack) {
  const FakeIntel intel(Tee::kSgx);
  for (const Bytes& bytes :
       {intel.TcbInfo({}), intel.EnclaveIdentity({}),
        intel.root().RevocationList({}, kNow, kNow + 1), ToBytes(AsBytes(intel.pck().Pem()))}) {
    const CollateralItem first = Only(bytes);
    const CollateralItem second = Only(first.bytes);
    EXPECT_EQ(second.name, first.name);
    EXPECT_EQ(second.bytes, first.bytes);
    EXPECT_EQ(std::pair(second.issued, second.expires), std::pair(first.issued, first.expires));
    EXPECT_EQ(second.number, first.number);
  }
}

TEST(CollateralItems, ThatNothingNeedsAreRefused) {
  const FakeIntel intel(Tee::kSgx);
  test::FakeEnclaveIdentity verifier;
  verifier.id = "QVE";
  for (const Bytes& bytes : {intel.EnclaveIdentity(verifier), Bytes(), ToBytes("junk"),
                             ToBytes(R"({"keys": []})"), ToBytes(R"({"kty": "oct", "k": "AA"})")}) {
    const auto items = ReadCollateralItems(bytes, "file");
    ASSERT_FALSE(items.ok()) << AsText(bytes);
    EXPECT_EQ(items.code(), Code::kCollateralInvalid);
    EXPECT_THAT(items.error().detail(), testing::StartsWith("file: "));
  }
}

TEST(CollateralItems, AreOlderByNumberThenByTime) {
  const auto item = [](std::optional<uint64_t> number, UnixTime issued) {
    CollateralItem one = Only(FakeIntel(Tee::kSgx).root().Pem());
    one.number = number;
    one.issued = issued;
    return one;
  };
  EXPECT_TRUE(IsOlder(item(1, 20), item(2, 10)));
  EXPECT_FALSE(IsOlder(item(2, 10), item(1, 20)));
  EXPECT_TRUE(IsOlder(item(1, 10), item(1, 20)));
  EXPECT_TRUE(IsOlder(item({}, 10), item(1, 20)));
  EXPECT_FALSE(IsOlder(item(1, 10), item(1, 10)));
}

TEST(CollateralItems, OfKeySetsAreNamedByTheirIssuer) {
  const std::string name = KeySetFileName("https://Login.example.com/a/../b?c");
  EXPECT_THAT(name, testing::MatchesRegex("jwks-login-example-com-a-b-c-[0-9a-f]{8}\\.json"));
  EXPECT_NE(KeySetFileName("https://a.b"), KeySetFileName("https://a-b"));
  EXPECT_EQ(KeySetFileName(std::string(10'000, 'x')).size(), 5U + 80 + 1 + 8 + 5);
  EXPECT_THAT(KeySetFileName("////"), testing::StartsWith("jwks-unnamed-"));
}

class ItemCheck : public testing::Test {
 protected:
  std::optional<Code> Refused(const CollateralItem& item, ListRule rule,
                              UnixTime now = kNow) const {
    const Status checked = CheckCollateralItem(item, trust_, now, rule);
    return checked.ok() ? std::nullopt : std::optional(checked.code());
  }
  void Have(const std::vector<std::string>& files) {
    Collateral all;
    for (const std::string& file : files) ASSERT_TRUE(all.Add(AsBytes(file), "file").ok());
    trust_.collateral = std::make_shared<const Collateral>(std::move(all));
  }
  static std::string Text(const Bytes& bytes) { return std::string(AsText(bytes)); }

  FakeIntel intel_{Tee::kSgx};
  Trust trust_ = intel_.Trust();
  const std::string list_ = Text(intel_.root().RevocationList({}, kNow - 10, kNow + 10));
};

TEST_F(ItemCheck, ListsMayComeLater) {
  Have({intel_.tcb_signing().Pem()});
  const CollateralItem info = Only(intel_.TcbInfo({}));
  EXPECT_EQ(Refused(info, ListRule::kWhereKnown), std::nullopt);
  EXPECT_EQ(Refused(info, ListRule::kRequired), Code::kCollateralMissing);
  Have({intel_.tcb_signing().Pem(), list_});
  EXPECT_EQ(Refused(info, ListRule::kRequired), std::nullopt);
  Have({intel_.tcb_signing().Pem(),
        Text(intel_.root().RevocationList({intel_.tcb_signing().certificate()}, kNow - 10,
                                          kNow + 10))});
  EXPECT_EQ(Refused(info, ListRule::kWhereKnown), Code::kCollateralInvalid);
}

TEST_F(ItemCheck, EachThingNeedsItsIssuer) {
  Have({});
  EXPECT_EQ(Refused(Only(intel_.TcbInfo({})), ListRule::kWhereKnown), Code::kCollateralMissing);
  EXPECT_EQ(Refused(Only(list_), ListRule::kRequired), std::nullopt);  // by the root itself
  const std::string pck_list = Text(intel_.pck_ca().RevocationList({}, kNow - 10, kNow + 10));
  EXPECT_EQ(Refused(Only(pck_list), ListRule::kRequired), Code::kCollateralMissing);
  Have({intel_.pck_ca().Pem()});
  EXPECT_EQ(Refused(Only(pck_list), ListRule::kRequired), std::nullopt);
  EXPECT_EQ(Refused(Only(intel_.pck().Pem()), ListRule::kRequired), std::nullopt);
  EXPECT_EQ(Refused(Only(FakeIntel(Tee::kSgx).pck().Pem()), ListRule::kRequired),
            Code::kCollateralInvalid);
}

TEST_F(ItemCheck, TimesAreTheirOwn) {
  Have({intel_.tcb_signing().Pem(), intel_.pck_ca().Pem()});
  EXPECT_EQ(Refused(Only(list_), ListRule::kRequired, kNow + 11), Code::kCollateralExpired);
  EXPECT_EQ(Refused(Only(list_), ListRule::kRequired, kNow - 11), Code::kCollateralExpired);
  test::FakeTcbInfo info;
  info.expires = kNow - 1;
  EXPECT_EQ(Refused(Only(intel_.TcbInfo(info)), ListRule::kWhereKnown), Code::kCollateralExpired);
  EXPECT_EQ(Refused(Only(intel_.pck().Pem()), ListRule::kWhereKnown, 4'000'000'000),
            Code::kCollateralExpired);
}

TEST_F(ItemCheck, AmdsLeavesLeadToTheRootOfTheirLine) {
  const FakeSnp snp;
  trust_ = snp.OwnTrust();
  Have({snp.ask().Pem()});
  EXPECT_EQ(Refused(Only(snp.leaf().Pem()), ListRule::kRequired), std::nullopt);
  Have({});
  EXPECT_EQ(Refused(Only(snp.leaf().Pem()), ListRule::kRequired), Code::kCollateralInvalid);
  Have({snp.ask().Pem(),
        Text(snp.ask().RevocationList({snp.leaf().certificate()}, kNow - 1, kNow + 1))});
  EXPECT_EQ(Refused(Only(snp.leaf().Pem()), ListRule::kRequired), Code::kCollateralInvalid);
}

TEST(CollateralRoots, AreKnownByNameAndKey) {
  const FakeIntel intel(Tee::kSgx);
  EXPECT_TRUE(IsRoot(intel.root().certificate(), intel.Trust()));
  EXPECT_FALSE(IsRoot(intel.root().certificate(), Trust()));
  EXPECT_FALSE(IsRoot(FakeIntel(Tee::kSgx).root().certificate(), intel.Trust()));
  EXPECT_FALSE(IsRoot(intel.pck_ca().certificate(), intel.Trust()));
}

}  // namespace
}  // namespace keyclave::attest
