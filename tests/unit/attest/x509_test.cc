// Paths to pinned roots and revocation lists.

#include "attest/x509.h"

#include <gtest/gtest.h>

#include "attest/collateral.h"
#include "attest/vendor_roots.h"
#include "tests/fakes/fake_ca.h"

namespace keyclave::attest {
namespace {

using test::FakeAuthority;
using test::FakeKeyKind;

constexpr UnixTime kNow = 1'790'000'000;
constexpr UnixTime kDay = 86400;

class Paths : public testing::TestWithParam<FakeKeyKind> {
 protected:
  static bool Pss() { return GetParam() == FakeKeyKind::kRsa4096; }
  FakeAuthority root_ = FakeAuthority::Root(GetParam(), {.name = "CN=Root,O=Test", .pss = Pss()});
  FakeAuthority middle_ =
      root_.Issue(GetParam(), {.name = "CN=Middle,O=Test", .authority = true, .pss = Pss()});
  FakeAuthority leaf_ = middle_.Issue(GetParam(), {.name = "CN=Leaf,O=Test", .pss = Pss()});

  Result<CertificatePath> Build(const std::vector<Certificate>& intermediates,
                                UnixTime now = kNow) const {
    return BuildPath(leaf_.certificate(), intermediates, {root_.certificate()}, {.now = now});
  }
};

TEST_P(Paths, FromLeafToRootInWhateverOrder) {
  const std::vector<Certificate> orders[] = {
      {middle_.certificate()},
      {root_.certificate(), middle_.certificate()},
      {leaf_.certificate(), root_.certificate(), middle_.certificate(), middle_.certificate()}};
  for (const auto& intermediates : orders) {
    const auto path = Build(intermediates);
    ASSERT_TRUE(path.ok()) << path.error().Text();
    ASSERT_EQ(path->size(), 3U);
    EXPECT_TRUE(Equal((*path)[1].der(), middle_.certificate().der()));
    EXPECT_TRUE(Equal((*path)[2].der(), root_.certificate().der()));
  }
}

TEST_P(Paths, NoneWithoutTheIntermediate) {
  EXPECT_EQ(Build({}).code(), Code::kEvidenceChain);
  EXPECT_EQ(Build({root_.certificate()}).code(), Code::kEvidenceChain);
}

TEST_P(Paths, NoneToAnImpostorOfTheSameNames) {
  const auto root = FakeAuthority::Root(GetParam(), {.name = "CN=Root,O=Test", .pss = Pss()});
  const auto middle =
      root.Issue(GetParam(), {.name = "CN=Middle,O=Test", .authority = true, .pss = Pss()});
  const auto path = BuildPath(leaf_.certificate(), {middle.certificate(), root.certificate()},
                              {root.certificate()}, {.now = kNow});
  EXPECT_EQ(path.code(), Code::kEvidenceChain);
  // The impostor beside the true one does no harm.
  EXPECT_TRUE(Build({middle.certificate(), middle_.certificate()}).ok());
}

// lesson 16: signatures alone make no path.
TEST_P(Paths, NoneOverACertificateThatIsNoAuthority) {
  const auto middle = root_.Issue(GetParam(), {.name = "CN=Middle,O=Test", .pss = Pss()});
  const auto leaf = middle.Issue(GetParam(), {.name = "CN=Leaf,O=Test", .pss = Pss()});
  const auto path =
      BuildPath(leaf.certificate(), {middle.certificate()}, {root_.certificate()}, {.now = kNow});
  EXPECT_EQ(path.code(), Code::kEvidenceChain);
}

TEST_P(Paths, AnOlderCertificateOfTheRootCountsToo) {
  const auto older =
      root_.IssueFor(root_.key(), {.name = "CN=Root,O=Test", .authority = true, .pss = Pss()});
  EXPECT_TRUE(BuildPath(leaf_.certificate(), {middle_.certificate(), root_.certificate()},
                        {older.certificate()}, {.now = kNow})
                  .ok());
}

TEST_P(Paths, OnlyWhileAllAreValid) {
  const auto middle = root_.Issue(GetParam(), {.name = "CN=Middle,O=Test",
                                               .authority = true,
                                               .not_before = kNow - kDay,
                                               .not_after = kNow + kDay,
                                               .pss = Pss()});
  const auto leaf = middle.Issue(GetParam(), {.name = "CN=Leaf,O=Test", .pss = Pss()});
  const auto at = [&](UnixTime now) {
    return BuildPath(leaf.certificate(), {middle.certificate()}, {root_.certificate()},
                     {.now = now});
  };
  EXPECT_TRUE(at(kNow - kDay).ok());
  EXPECT_TRUE(at(kNow + kDay).ok());
  EXPECT_EQ(at(kNow - kDay - 1).code(), Code::kEvidenceTime);
  const auto late = at(kNow + kDay + 1);
  ASSERT_EQ(late.code(), Code::kEvidenceTime);
  ASSERT_TRUE(late.error().mismatch().has_value());
  EXPECT_EQ(late.error().mismatch()->got, FormatTime(kNow + kDay + 1));
}

TEST_P(Paths, ALeafThatIsAnAnchorIsAPathOfOne) {
  const auto path = BuildPath(leaf_.certificate(), {}, {leaf_.certificate()}, {.now = kNow});
  ASSERT_TRUE(path.ok());
  EXPECT_EQ(path->size(), 1U);
  // But not another certificate of its key: nobody vouches for what that says.
  const auto other = middle_.IssueFor(leaf_.key(), {.name = "CN=Leaf,O=Test", .pss = Pss()});
  EXPECT_EQ(BuildPath(other.certificate(), {}, {leaf_.certificate()}, {.now = kNow}).code(),
            Code::kEvidenceChain);
}

INSTANTIATE_TEST_SUITE_P(Kinds, Paths,
                         testing::Values(FakeKeyKind::kP256, FakeKeyKind::kP384,
                                         FakeKeyKind::kRsa4096));

class Revocation : public testing::Test {
 protected:
  FakeAuthority root_ = FakeAuthority::Root(FakeKeyKind::kP256, {.name = "CN=Root"});
  FakeAuthority middle_ = root_.Issue(FakeKeyKind::kP256, {.name = "CN=Middle", .authority = true});
  FakeAuthority leaf_ = middle_.Issue(FakeKeyKind::kP256, {.name = "CN=Leaf"});
  CertificatePath path_ = {leaf_.certificate(), middle_.certificate(), root_.certificate()};

  static RevocationList List(const FakeAuthority& issuer, const std::vector<Certificate>& revoked,
                             UnixTime from = kNow - kDay, UnixTime until = kNow + kDay) {
    return RevocationList::From(issuer.RevocationList(revoked, from, until)).value();
  }
};

TEST_F(Revocation, NobodyIsRevoked) {
  const auto checked = CheckRevocation(path_, {List(root_, {}), List(middle_, {})}, kNow);
  EXPECT_TRUE(checked.ok()) << checked.error().Text();
}

TEST_F(Revocation, ARevokedCertificateIsRefused) {
  EXPECT_EQ(
      CheckRevocation(path_, {List(root_, {}), List(middle_, {leaf_.certificate()})}, kNow).code(),
      Code::kEvidenceRevoked);
  EXPECT_EQ(CheckRevocation(path_, {List(root_, {middle_.certificate()}), List(middle_, {})}, kNow)
                .code(),
            Code::kEvidenceRevoked);
}

TEST_F(Revocation, AMissingListIsNamed) {
  const auto checked = CheckRevocation(path_, {List(root_, {})}, kNow);
  ASSERT_EQ(checked.code(), Code::kCollateralMissing);
  EXPECT_NE(checked.error().detail().find("CN=Middle"), std::string::npos);
}

TEST_F(Revocation, AnOldListIsNoList) {
  const auto old = List(middle_, {}, kNow - 3 * kDay, kNow - kDay);
  EXPECT_EQ(CheckRevocation(path_, {List(root_, {}), old}, kNow).code(), Code::kCollateralExpired);
  EXPECT_TRUE(CheckRevocation(path_, {List(root_, {}), old, List(middle_, {})}, kNow).ok());
}

TEST_F(Revocation, TheNewestListDecides) {
  const auto older = List(middle_, {}, kNow - 2 * kDay);
  const auto newer = List(middle_, {leaf_.certificate()});
  for (const auto& lists : {std::vector<RevocationList>{List(root_, {}), older, newer},
                            {List(root_, {}), newer, older}})
    EXPECT_EQ(CheckRevocation(path_, lists, kNow).code(), Code::kEvidenceRevoked);
}

TEST_F(Revocation, AListOfAnImpostorIsInvalid) {
  const auto impostor = FakeAuthority::Root(FakeKeyKind::kP256, {.name = "CN=Middle"});
  EXPECT_EQ(CheckRevocation(path_, {List(root_, {}), List(impostor, {})}, kNow).code(),
            Code::kCollateralInvalid);
}

// GnuTLS does not look at the signature of such a list, and calls it no more than invalid: as it
// does lists that are out of date by the machine's own clock.
TEST_F(Revocation, AListOfAnUnknownAlgorithmIsInvalid) {
  const auto impostor = FakeAuthority::Root(FakeKeyKind::kP256, {.name = "CN=Middle"});
  const Bytes ecdsa_sha256 = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
  for (const FakeAuthority& issuer : {middle_, impostor}) {
    for (const UnixTime until : {kNow + kDay, UnixTime{2'840'140'800}}) {
      Bytes der = issuer.RevocationList({}, 1'546'300'800, until);
      // The algorithm that stands outside of what is signed.
      const auto at =
          std::find_end(der.begin(), der.end(), ecdsa_sha256.begin(), ecdsa_sha256.end());
      ASSERT_NE(at, der.end());
      *(at + 7) = 0x7f;
      const auto list = RevocationList::From(der);
      ASSERT_TRUE(list.ok()) << list.error().Text();
      EXPECT_EQ(CheckRevocation(path_, {List(root_, {}), *list}, kNow).code(),
                Code::kCollateralInvalid);
    }
  }
}

// Such a list would be as good in ten years as today, whatever was revoked since.
TEST_F(Revocation, AListWithoutNextUpdateIsRefused) {
  const Bytes der = middle_.RevocationList({}, kNow - kDay, 0);
  const auto list = RevocationList::From(der);
  ASSERT_EQ(list.code(), Code::kCollateralInvalid);
  EXPECT_NE(list.error().detail().find("CN=Middle"), std::string::npos) << list.error().Text();
  EXPECT_NE(list.error().detail().find("nextUpdate"), std::string::npos) << list.error().Text();
  Collateral collateral;
  const Status added = collateral.Add(der, "middle.crl");
  ASSERT_EQ(added.code(), Code::kCollateralInvalid);
  EXPECT_TRUE(added.error().detail().starts_with("middle.crl: ")) << added.error().Text();
  EXPECT_TRUE(collateral.revocation_lists().empty());
}

// RFC 4514 §2.1: the last of the RDNs comes first.
TEST(Certificates, NamesAreWrittenInTheOrderOfRfc4514) {
  const auto root =
      FakeAuthority::Root(FakeKeyKind::kP256, {.name = "CN=Two\\, Words,OU=Unit,O=Test,C=CH"});
  const auto leaf = root.Issue(FakeKeyKind::kP256, {.name = "CN=Leaf,O=Test"});
  EXPECT_EQ(leaf.certificate().SubjectText(), "CN=Leaf,O=Test");
  EXPECT_EQ(leaf.certificate().IssuerText(), "CN=Two\\, Words,OU=Unit,O=Test,C=CH");
  const auto list = RevocationList::From(root.RevocationList({}, kNow - kDay, kNow + kDay));
  ASSERT_TRUE(list.ok()) << list.error().Text();
  EXPECT_EQ(list->IssuerText(), leaf.certificate().IssuerText());
}

TEST(VendorRoots, AreAllThere) {
  EXPECT_EQ(VendorRoots("sgx").size(), 1U);
  EXPECT_EQ(VendorRoots("tdx").size(), 1U);
  EXPECT_EQ(VendorRoots("sev-snp").size(), 3U);
  EXPECT_EQ(VendorIntermediates("sev-snp").size(), 6U);
  EXPECT_EQ(VendorRoots("nitro").size(), 1U);
  EXPECT_EQ(VendorRoots("tpm").size(), 2U);
  EXPECT_TRUE(VendorRoots("simulated").empty());
  for (const Certificate& one : VendorIntermediates("sev-snp"))
    EXPECT_TRUE(BuildPath(one, {}, VendorRoots("sev-snp"), {.now = kNow}).ok())
        << one.SubjectText();
}

TEST(Certificates, FromPemWithTextAroundAndNulBehind) {
  const auto root = FakeAuthority::Root(FakeKeyKind::kP256, {.name = "CN=Root"});
  const std::string pem = "text\n" + root.Pem() + "more\n" + root.Pem() + std::string(1, '\0');
  const auto list = Certificate::ListFrom(AsBytes(pem));
  ASSERT_TRUE(list.ok()) << list.error().Text();
  EXPECT_EQ(list->size(), 2U);
  EXPECT_EQ((*list)[0].SubjectText(), "CN=Root");
}

TEST(Certificates, EveryTruncationIsRefused) {
  const auto root = FakeAuthority::Root(FakeKeyKind::kP256, {.name = "CN=Root"});
  const Bytes& der = root.certificate().der();
  for (size_t n = 0; n < der.size(); ++n)
    EXPECT_FALSE(Certificate::FromDer(ByteSpan(der).first(n)).ok()) << n;
  Bytes longer = der;
  longer.push_back(0);
  EXPECT_FALSE(Certificate::FromDer(longer).ok());
}

}  // namespace
}  // namespace keyclave::attest
