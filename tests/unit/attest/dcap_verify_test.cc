// Signatures, chains, revocation and collateral of SGX and TDX quotes: every refusal.

#include <gtest/gtest.h>

#include "attest/dcap/verify.h"
#include "attest/tee_type.h"
#include "tests/fakes/fake_intel.h"

namespace keyclave::attest::dcap {
namespace {

using test::FakeCollateral;
using test::FakeIntel;
using test::FakePlatform;
using test::FakeQuote;

constexpr UnixTime kNow = 1'790'000'000;
constexpr UnixTime kDay = 86400;

ReportData SomeData() {
  ReportData data;
  data.fill(0x77);
  return data;
}

std::string Text(const ClaimSet& claims, const std::string& name) {
  const Claim* claim = claims.Find(name);
  return claim == nullptr ? "(absent)" : ToText(claim->value);
}

class Verification : public testing::TestWithParam<Tee> {
 protected:
  FakeQuote Sample() const { return test::SampleQuote(GetParam(), SomeData(), false); }
  Result<ClaimSet> Examine(const FakeIntel& intel, const FakeQuote& quote,
                           const Trust& trust) const {
    KC_ASSIGN(const Unverified evidence, ParseEvidence(type_, intel.Quote(quote)));
    return ExamineEvidence(evidence, {trust, kNow, ExpectedBinding::None()});
  }
  std::optional<Code> Refused(const FakeIntel& intel, const FakeQuote& quote,
                              const Trust& trust) const {
    const auto claims = Examine(intel, quote, trust);
    return claims.ok() ? std::nullopt : std::optional(claims.code());
  }
  std::optional<Code> Refused(const FakeQuote& quote) const {
    return Refused(intel_, quote, intel_.Trust());
  }
  std::optional<Code> Refused(const FakeCollateral& collateral) const {
    return Refused(intel_, Sample(), intel_.Trust(collateral));
  }
  std::optional<Code> Refused(const FakePlatform& platform) const {
    const FakeIntel intel(GetParam(), platform);
    return Refused(intel, Sample(), intel.Trust());
  }
  // Of the sample quote with other documents and the usual rest.
  std::optional<Code> RefusedWith(const Collateral& collateral) const {
    Trust trust = intel_.Trust();
    trust.collateral = std::make_shared<const Collateral>(collateral);
    return Refused(intel_, Sample(), trust);
  }
  const std::string type_{TypeName(GetParam())};
  FakeIntel intel_{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Dcap, Verification, testing::Values(Tee::kSgx, Tee::kTdx),
                         [](const auto& tee) { return std::string(TypeName(tee.param)); });

TEST_P(Verification, ClaimsAreThoseOfTheQuote) {
  const auto claims = Examine(intel_, Sample(), intel_.Trust());
  ASSERT_TRUE(claims.ok()) << claims.error().Text();
  const bool sgx = GetParam() == Tee::kSgx;
  EXPECT_EQ(Text(*claims, "tee"), type_);
  EXPECT_EQ(Text(*claims, "measurement"), ToHex(Bytes(sgx ? 32 : 48, 0x5a)));
  EXPECT_EQ(Text(*claims, "signer"), sgx ? ToHex(Bytes(32, 0x51)) : "(absent)");
  EXPECT_EQ(Text(*claims, "product_id"), sgx ? "7" : "(absent)");
  EXPECT_EQ(Text(*claims, "svn"), sgx ? "3" : "(absent)");
  EXPECT_EQ(Text(*claims, "debug"), "false");
  EXPECT_EQ(Text(*claims, "host_data"), ToHex(Bytes(sgx ? 64 : 48, 0xc0)));
  EXPECT_EQ(Text(*claims, "platform_id"), ToHex(Bytes(16, 0x1d)));
  EXPECT_EQ(Text(*claims, type_ + ".ppid"), ToHex(Bytes(16, 0x99)));
  EXPECT_EQ(Text(*claims, type_ + ".fmspc"), "00a06f050000");
  EXPECT_EQ(Text(*claims, type_ + ".smt_enabled"), "true");
  EXPECT_EQ(Text(*claims, type_ + ".tcb_evaluation_data_number"), "17");
  EXPECT_EQ(Text(*claims, type_ + ".report_data"), ToHex(SomeData()));
  if (sgx) return;
  EXPECT_EQ(Text(*claims, "tdx.rtmr3"), ToHex(Bytes(48, 0xb3)));
  EXPECT_EQ(Text(*claims, "tdx.sept_ve_disable"), "true");
}

TEST_P(Verification, APlatformOfOnePackageIsNamedByItsPpid) {
  FakePlatform platform;
  platform.multi_package = false;
  const FakeIntel intel(GetParam(), platform);
  const auto claims = Examine(intel, Sample(), intel.Trust());
  ASSERT_TRUE(claims.ok()) << claims.error().Text();
  EXPECT_EQ(Text(*claims, "platform_id"), ToHex(Bytes(16, 0x99)));
  EXPECT_EQ(Text(*claims, type_ + ".smt_enabled"), "(absent)");
  EXPECT_EQ(Text(*claims, type_ + ".pck_ca"), "Intel SGX PCK Processor CA");
}

// Each bit of "TD under debug" counts, not only the one that is defined so far.
TEST_P(Verification, DebugIsTold) {
  FakeQuote quote = test::SampleQuote(GetParam(), SomeData(), true);
  auto claims = Examine(intel_, quote, intel_.Trust());
  ASSERT_TRUE(claims.ok());
  EXPECT_EQ(Text(*claims, "debug"), "true");
  if (GetParam() == Tee::kSgx) return;
  std::get<TdReport>(quote.body).tdattributes[0] = 0x80;
  claims = Examine(intel_, quote, intel_.Trust());
  ASSERT_TRUE(claims.ok());
  EXPECT_EQ(Text(*claims, "debug"), "true");
}

TEST_P(Verification, KeysOfOthersAreRefused) {
  FakeQuote quote = Sample();
  quote.foreign_pck_key = true;
  EXPECT_EQ(Refused(quote), Code::kEvidenceSignature);
  quote = Sample();
  quote.foreign_attestation_key = true;
  EXPECT_EQ(Refused(quote), Code::kEvidenceSignature);
}

TEST_P(Verification, AnAttestationKeyThatTheQeDoesNotVouchForIsRefused) {
  FakeQuote quote = Sample();
  quote.qe_report_data.emplace().fill(0);
  EXPECT_EQ(Refused(quote), Code::kEvidenceSignature);
  // The right hash, and something behind it.
  const auto parsed = ParseQuote(intel_.Quote(Sample()), GetParam());
  ASSERT_TRUE(parsed.ok());
  quote.qe_report_data = parsed->qe_report.report_data;
  EXPECT_EQ(Refused(quote), std::nullopt);
  (*quote.qe_report_data)[63] = 1;
  EXPECT_EQ(Refused(quote), Code::kEvidenceSignature);
}

TEST_P(Verification, QeAuthenticationDataOfAnyLength) {
  FakeQuote quote = Sample();
  for (const size_t size : {size_t{0}, size_t{1}, size_t{1000}}) {
    quote.qe_auth_data = Bytes(size, 0x0a);
    EXPECT_EQ(Refused(quote), std::nullopt) << size;
  }
}

// lesson 16: a path is more than its signatures.
TEST_P(Verification, ChainsThatAreNoPckChainsAreRefused) {
  const FakeIntel impostor(GetParam());  // the same names under another root
  EXPECT_EQ(Refused(impostor, Sample(), intel_.Trust()), Code::kEvidenceChain);
  FakePlatform platform;
  platform.pck_name = "CN=Intel SGX TCB Signing,O=Test";
  EXPECT_EQ(Refused(platform), Code::kEvidenceChain);
  // No certificate with the extension, a chain without its authority.
  FakeQuote quote = Sample();
  quote.certification_data = ToBytes(intel_.pck_ca().Pem() + intel_.root().Pem());
  EXPECT_EQ(Refused(quote), Code::kEvidenceChain);
  quote.certification_data = ToBytes(intel_.pck().Pem() + intel_.root().Pem());
  EXPECT_EQ(Refused(quote), Code::kEvidenceChain);
}

TEST_P(Verification, CertificatesOutOfTimeAreRefused) {
  FakePlatform platform;
  platform.not_after = kNow - 1;
  EXPECT_EQ(Refused(platform), Code::kEvidenceTime);
  platform = {};
  platform.not_before = kNow + 1;
  EXPECT_EQ(Refused(platform), Code::kEvidenceTime);
}

TEST_P(Verification, RevokedCertificatesAreRefused) {
  FakePlatform platform;
  platform.revoked = true;
  EXPECT_EQ(Refused(platform), Code::kEvidenceRevoked);
  platform = {};
  platform.ca_revoked = true;
  EXPECT_EQ(Refused(platform), Code::kEvidenceRevoked);
  FakeCollateral collateral;
  collateral.signing_revoked = true;
  EXPECT_EQ(Refused(collateral), Code::kCollateralInvalid);
}

TEST_P(Verification, WithoutRevocationListsNothingIsBelieved) {
  FakeCollateral collateral;
  collateral.pck_list = false;
  EXPECT_EQ(Refused(collateral), Code::kCollateralMissing);
  collateral = {};
  collateral.root_list = false;
  EXPECT_EQ(Refused(collateral), Code::kCollateralMissing);
  collateral = {};
  collateral.lists_until = kNow - 1;
  EXPECT_EQ(Refused(collateral), Code::kCollateralExpired);
  collateral = {};
  collateral.lists_from = kNow + 1;
  EXPECT_EQ(Refused(collateral), Code::kCollateralExpired);
}

TEST_P(Verification, MissingCollateralIsNamedWithItsSource) {
  const FakeIntel& intel = intel_;
  Trust trust = intel.Trust();
  FakePlatform other;
  other.fmspc[5] = 0xee;
  trust.collateral = std::make_shared<const Collateral>(intel.Collateral({}));
  const FakeIntel stranger(GetParam(), other);
  Collateral mixed = stranger.Collateral({});
  ASSERT_TRUE(mixed.Add(intel.pck_ca().RevocationList({}, kNow - kDay, kNow + kDay), "a").ok());
  ASSERT_TRUE(mixed.Add(intel.root().RevocationList({}, kNow - kDay, kNow + kDay), "b").ok());
  trust.collateral = std::make_shared<const Collateral>(mixed);
  // The stranger's lists have the same issuer's name, and older dates: passed over.
  const auto claims = Examine(intel, Sample(), trust);
  ASSERT_EQ(claims.code(), Code::kCollateralMissing) << claims.error().Text();
  EXPECT_NE(claims.error().detail().find("00A06F050000"), std::string::npos);
  EXPECT_NE(claims.error().detail().find("https://api.trustedservices.intel.com/" + type_ +
                                         "/certification/v4/tcb?fmspc=00A06F050000"),
            std::string::npos);
}

TEST_P(Verification, DocumentsCountFromIssueDateToNextUpdate) {
  FakeCollateral collateral;
  collateral.tcb_info.issued = kNow;
  collateral.tcb_info.expires = kNow;
  collateral.qe_identity.issued = kNow;
  collateral.qe_identity.expires = kNow;
  EXPECT_EQ(Refused(collateral), std::nullopt);
  collateral.tcb_info.issued = kNow + 1;
  EXPECT_EQ(Refused(collateral), Code::kCollateralExpired);
  collateral.tcb_info = {};
  collateral.tcb_info.expires = kNow - 1;
  EXPECT_EQ(Refused(collateral), Code::kCollateralExpired);
  collateral.tcb_info = {};
  collateral.qe_identity.expires = kNow - 1;
  EXPECT_EQ(Refused(collateral), Code::kCollateralExpired);
}

TEST_P(Verification, TheHighestEvaluationInDateCounts) {
  FakeCollateral what;
  Collateral collateral = intel_.Collateral(what);
  const auto add = [&](unsigned number, const char* status, UnixTime expires) {
    test::FakeTcbInfo info;
    info.evaluation_number = number;
    info.levels[0].finding.status = status;
    info.expires = expires;
    info.upper_case_fmspc = true;
    ASSERT_TRUE(collateral.Add(intel_.TcbInfo(info), std::to_string(number)).ok());
  };
  add(16, "SWHardeningNeeded", kNow + kDay);
  add(18, "OutOfDate", kNow + kDay);
  add(19, "ConfigurationNeeded", kNow - kDay);
  Trust trust = intel_.Trust();
  trust.collateral = std::make_shared<const Collateral>(collateral);
  const auto claims = Examine(intel_, Sample(), trust);
  ASSERT_TRUE(claims.ok()) << claims.error().Text();
  EXPECT_EQ(Text(*claims, "tcb_status"), "out-of-date");
  EXPECT_EQ(Text(*claims, type_ + ".tcb_evaluation_data_number"), "18");
}

TEST_P(Verification, DocumentsAreSignedByTheTcbSigningCertificateAlone) {
  FakeCollateral collateral;
  collateral.signing_certificate = false;
  EXPECT_EQ(Refused(collateral), Code::kCollateralMissing);
  collateral = {};
  collateral.signing_name = "CN=Intel SGX PCK Certificate,O=Test";
  EXPECT_EQ(Refused(collateral), Code::kCollateralMissing);
  // The name alone does not make one: it must be issued by the root, and not below it.
  const auto below = intel_.pck_ca().IssueFor(intel_.tcb_signing().key(),
                                              {.name = "CN=Intel SGX TCB Signing,O=Test"});
  collateral = {};
  collateral.signing_certificate = false;
  Collateral certificates = intel_.Collateral(collateral);
  ASSERT_TRUE(certificates.Add(AsBytes(below.Pem() + intel_.pck_ca().Pem()), "below.pem").ok());
  EXPECT_EQ(RefusedWith(certificates), Code::kCollateralInvalid);
  // Its renewed edition, with the same key, beside one that has expired.
  certificates = intel_.Collateral(collateral);
  for (const UnixTime until : {kNow - kDay, kNow + kDay}) {
    const auto edition =
        intel_.root().IssueFor(intel_.tcb_signing().key(),
                               {.name = "CN=Intel SGX TCB Signing,O=Test", .not_after = until});
    ASSERT_TRUE(certificates.Add(AsBytes(edition.Pem()), "edition.pem").ok());
    EXPECT_EQ(RefusedWith(certificates),
              until < kNow ? std::optional(Code::kCollateralExpired) : std::nullopt);
  }
}

// The same words with other white space were never signed.
TEST_P(Verification, DocumentsThatWereEditedAreRefused) {
  const Bytes good = intel_.TcbInfo({});
  const auto with = [&](const std::string& text) {
    Collateral collateral;
    const Collateral usual = intel_.Collateral({});
    for (const RevocationList& list : usual.revocation_lists())
      EXPECT_TRUE(collateral.Add(list.der(), "list").ok());
    for (const Certificate& one : usual.certificates())
      EXPECT_TRUE(collateral.Add(one.der(), "certificate").ok());
    EXPECT_TRUE(collateral.Add(intel_.EnclaveIdentity({}), "qe_identity.json").ok());
    // What is no JSON of one meaning does not even come in.
    if (const Status added = collateral.Add(AsBytes(text), "tcb_info.json"); !added.ok())
      return std::optional(added.code());
    return RefusedWith(collateral);
  };
  const std::string text(AsText(good));
  const auto replaced = [&](std::string_view from, std::string_view to) {
    std::string edited = text;
    edited.replace(edited.find(from), from.size(), to);
    return edited;
  };
  EXPECT_EQ(with(text), std::nullopt);
  EXPECT_EQ(with(" \n" + text + "\n\t "), std::nullopt);  // white space outside is nobody's
  EXPECT_EQ(with(replaced("\"tcbInfo\":{", "\"tcbInfo\": \r\n{")), std::nullopt);
  EXPECT_EQ(with(replaced(":[{\"tcb\"", ": [{\"tcb\"")), Code::kCollateralInvalid);
  EXPECT_EQ(with(replaced("\"tcbType\":0", "\"tcbType\":1")), Code::kCollateralInvalid);
  EXPECT_EQ(with(replaced("UpToDate", "OutOfDate")), Code::kCollateralInvalid);
  EXPECT_EQ(with(replaced("{\"tcbInfo\"", "{\"more\":1,\"tcbInfo\"")), Code::kCollateralInvalid);
  EXPECT_EQ(with(replaced("{\"tcbInfo\"", "{\"tcbInfo\":{},\"tcbInfo\"")),
            Code::kCollateralInvalid);
}

TEST_P(Verification, AnotherQuotingEnclaveIsRefused) {
  const auto refused = [&](auto change) {
    FakeCollateral collateral;
    change(collateral.qe_identity);
    return Refused(collateral);
  };
  using Identity = test::FakeEnclaveIdentity;
  EXPECT_EQ(refused([](Identity& one) { one.mrsigner[0] = 0; }), Code::kEvidenceIdentity);
  EXPECT_EQ(refused([](Identity& one) { one.isvprodid = 9; }), Code::kEvidenceIdentity);
  EXPECT_EQ(refused([](Identity& one) { one.miscselect = "00000001"; }), Code::kEvidenceIdentity);
  EXPECT_EQ(refused([](Identity& one) { one.attributes[1] = '3'; }), Code::kEvidenceIdentity);
  // In date and signed, but of another enclave.
  for (const char* id : {"QVE", "qe", "QE2"})
    EXPECT_EQ(refused([&](Identity& one) { one.id = id; }), Code::kCollateralMissing) << id;
  // The mask leaves the debug bit's neighbour out, and nothing else.
  FakeQuote quote = Sample();
  quote.qe.attributes[0] = 0x11;
  EXPECT_EQ(Refused(quote), std::nullopt);
  quote.qe.attributes[0] = 0x17;  // debug
  EXPECT_EQ(Refused(quote), Code::kEvidenceIdentity);
  quote = Sample();
  quote.qe.miscselect[0] = 1;
  EXPECT_EQ(Refused(quote), Code::kEvidenceIdentity);
}

TEST_P(Verification, TcbInfoOfAnotherPceIsNotThisPlatforms) {
  FakePlatform platform;
  platform.pceid = {0x12, 0x34};
  const FakeIntel other(GetParam(), platform);
  EXPECT_EQ(Refused(other, Sample(), other.Trust()), std::nullopt);
  std::string text(AsText(other.TcbInfo({})));
  text.replace(text.find("1234"), 4, "0000");
  Collateral collateral;
  Trust trust = other.Trust();
  for (const RevocationList& list : trust.collateral->revocation_lists())
    ASSERT_TRUE(collateral.Add(list.der(), "list").ok());
  ASSERT_TRUE(collateral.Add(AsBytes(text), "tcb_info.json").ok());
  trust.collateral = std::make_shared<const Collateral>(collateral);
  EXPECT_EQ(Refused(other, Sample(), trust), Code::kCollateralMissing);
}

TEST(TdQuotesOfOthers, AreVerifiedWithoutABinding) {
  const FakeIntel intel(Tee::kTdx);
  const Bytes bytes = intel.Quote(test::SampleQuote(Tee::kTdx, SomeData(), false));
  Bytes report_data;
  const auto claims = VerifyTdQuote(bytes, intel.Trust(), kNow, &report_data);
  ASSERT_TRUE(claims.ok()) << claims.error().Text();
  EXPECT_TRUE(Equal(report_data, SomeData()));
  EXPECT_EQ(Text(*claims, "tee"), "tdx");
  Bytes untouched;
  EXPECT_FALSE(VerifyTdQuote(bytes, Trust{}, kNow, &untouched).ok());
  EXPECT_TRUE(untouched.empty());
}

}  // namespace
}  // namespace keyclave::attest::dcap
