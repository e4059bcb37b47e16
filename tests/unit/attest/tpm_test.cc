// Evidence of the `tpm` type: what is believed of a quote, and because of whom.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "attest/claim_names.h"
#include "attest/tee_type.h"
#include "tests/fakes/fake_tpm.h"

namespace keyclave::attest {
namespace {

using test::FakeAuthority;
using test::FakeKeyKind;
using test::FakeTpm;
using test::FakeTpmOptions;
using testing::HasSubstr;
using tpm::EncodeEvidence;
using tpm::Evidence;

constexpr UnixTime kNow = 1'790'000'000;
constexpr UnixTime kDay = 86400;

ReportData SomeReportData() {
  ReportData data;
  data.fill(0x42);
  return data;
}

Result<ClaimSet> Check(const Bytes& bytes, const Trust& trust, UnixTime now = kNow,
                       ExpectedBinding binding = SomeReportData()) {
  const auto parsed = ParseEvidence("tpm", bytes);
  if (!parsed.ok()) return parsed.error();
  return ExamineEvidence(*parsed, {trust, now, std::move(binding)});
}

Evidence Parts(const FakeTpm& tpm) { return tpm.Parts(Bytes(32, 0x42)); }

Result<ClaimSet> Check(const FakeTpm& tpm, const Evidence& evidence) {
  return Check(EncodeEvidence(evidence), tpm.OwnTrust());
}

std::string Text(const ClaimSet& claims, std::string_view name) {
  const Claim* claim = claims.Find(name);
  return claim == nullptr ? "absent" : ToText(claim->value);
}

TEST(Tpm, ClaimsSayWhatTheQuoteSays) {
  const FakeTpm tpm;
  const auto claims = Check(tpm, Parts(tpm));
  ASSERT_TRUE(claims.ok()) << claims.error().Text();
  EXPECT_EQ(Text(*claims, "tee"), "tpm");
  EXPECT_EQ(Text(*claims, "tpm.form"), "tpm");
  EXPECT_EQ(Text(*claims, "debug"), "false");
  EXPECT_EQ(Text(*claims, "tcb_status"), "up-to-date");
  EXPECT_EQ(Text(*claims, "tpm.pcr0"), ToHex(Bytes(32, 0xa0)));
  EXPECT_EQ(Text(*claims, "tpm.pcr7"), ToHex(Bytes(32, 0xa7)));
  EXPECT_EQ(Text(*claims, "tpm.pcr1"), "absent");
  EXPECT_EQ(Text(*claims, "tpm.pcr_bank"), "sha256");
  EXPECT_EQ(Text(*claims, "tpm.pcr_selection"), "sha256:0,4,7");
  EXPECT_EQ(Text(*claims, "tpm.clock"), "123456");
  EXPECT_EQ(Text(*claims, "tpm.reset_count"), "7");
  EXPECT_EQ(Text(*claims, "tpm.restart_count"), "2");
  EXPECT_EQ(Text(*claims, "tpm.safe"), "true");
  EXPECT_EQ(Text(*claims, "tpm.firmware_version"), "2019102300163636");
  EXPECT_EQ(Text(*claims, "tpm.ak_subject"), "CN=Test AK,O=Test");
  EXPECT_EQ(Text(*claims, "tpm.ak"), ToHex(Sha256(tpm.ak().key().Public().spki())));
  EXPECT_EQ(Text(*claims, "platform_id"), Text(*claims, "tpm.ak"));
}

TEST(Tpm, KeysAndSchemesOfTpmsAreAccepted) {
  for (const FakeTpmOptions& options :
       {FakeTpmOptions{.key = FakeKeyKind::kP256}, FakeTpmOptions{.key = FakeKeyKind::kP384},
        FakeTpmOptions{.key = FakeKeyKind::kRsa2048},
        FakeTpmOptions{.key = FakeKeyKind::kRsa2048, .pss = true},
        FakeTpmOptions{.key = FakeKeyKind::kRsa2048, .hash = test::kTpmSha384},
        FakeTpmOptions{.certified = false}}) {
    const FakeTpm tpm(options);
    const auto claims = Check(tpm, Parts(tpm));
    EXPECT_TRUE(claims.ok()) << claims.error().Text();
  }
}

TEST(Tpm, TheMeasurementIsOfValuesAndSelection) {
  const auto measured = [](unsigned index) {
    FakeTpmOptions options;
    options.pcrs[test::kTpmSha256][index] = Bytes(32, 0x77);
    const FakeTpm tpm(options);
    const auto claims = Check(tpm, Parts(tpm));
    return claims.ok() ? Text(*claims, "measurement") + Text(*claims, "tpm.pcr_digest") : "";
  };
  // The same value in a register that anybody can reset gives the same digest and another
  // measurement.
  const std::string boot = measured(7);
  const std::string debug = measured(16);
  EXPECT_EQ(boot.substr(64), debug.substr(64));
  EXPECT_NE(boot.substr(0, 64), debug.substr(0, 64));
}

TEST(Tpm, OnlyRegistersThatCannotBeResetNameAWorkload) {
  for (const char* name : {"tpm.pcr0", "tpm.pcr7", "tpm.pcr15"})
    EXPECT_TRUE(FindClaim(name)->identifies) << name;
  for (const char* name : {"tpm.pcr16", "tpm.pcr23", "tpm.pcr_bank", "tpm.pcr_digest",
                           "tpm.pcr_selection", "tpm.ak", "tpm.firmware_version"})
    EXPECT_FALSE(FindClaim(name)->identifies) << name;
}

TEST(Tpm, WithoutValuesThereIsOnlyTheDigest) {
  const FakeTpm tpm({.tell_values = false});
  const auto claims = Check(tpm, Parts(tpm));
  ASSERT_TRUE(claims.ok()) << claims.error().Text();
  EXPECT_EQ(Text(*claims, "tpm.pcr7"), "absent");
  EXPECT_EQ(Text(*claims, "tpm.pcr_digest").size(), 64U);
  EXPECT_EQ(Text(*claims, "measurement"), tpm.Measurement());
}

TEST(Tpm, ValuesMustBeTheQuotedOnesAndAllOfThem) {
  const FakeTpm tpm;
  const auto refused = [&](auto change) {
    Evidence evidence = Parts(tpm);
    change(evidence.pcrs);
    return Check(tpm, evidence).code();
  };
  EXPECT_EQ(refused([](auto& p) { p[test::kTpmSha256][7][31] ^= 1; }), Code::kEvidenceSignature);
  EXPECT_EQ(refused([](auto& p) { p[test::kTpmSha256].erase(7); }), Code::kEvidenceSignature);
  EXPECT_EQ(refused([](auto& p) { p[test::kTpmSha256][8] = Bytes(32, 0); }),
            Code::kEvidenceSignature);
  EXPECT_EQ(refused([](auto& p) { p[test::kTpmSha1][0] = Bytes(20, 0); }),
            Code::kEvidenceSignature);
  EXPECT_EQ(refused([](auto& p) { p[test::kTpmSha384]; }), Code::kEvidenceSignature);
  EXPECT_EQ(refused([](auto& p) { std::swap(p[test::kTpmSha256][0], p[test::kTpmSha256][7]); }),
            Code::kEvidenceSignature);
  // Bytes moved from one value to its neighbour leave the digest's input as it was.
  EXPECT_EQ(refused([](auto& p) {
              p[test::kTpmSha256][4].insert(p[test::kTpmSha256][4].begin(),
                                            p[test::kTpmSha256][0].back());
              p[test::kTpmSha256][0].pop_back();
            }),
            Code::kEvidenceMalformed);
}

TEST(Tpm, ASha1BankIsNamed) {
  FakeTpmOptions options;
  options.pcrs[test::kTpmSha1][7] = Bytes(20, 0x77);
  const FakeTpm sha1(options);
  const auto claims = Check(sha1, Parts(sha1));
  ASSERT_TRUE(claims.ok()) << claims.error().Text();
  EXPECT_EQ(Text(*claims, "tpm.pcr_bank"), "sha1");
  EXPECT_EQ(Text(*claims, "tpm.pcr7"), ToHex(Bytes(20, 0x77)));
  // Beside a stronger one it does not count.
  options.pcrs[test::kTpmSha384][9] = Bytes(48, 0x99);
  options.pcrs[test::kTpmSha256][7] = Bytes(32, 0x88);
  const FakeTpm three(options);
  const auto strongest = Check(three, Parts(three));
  ASSERT_TRUE(strongest.ok()) << strongest.error().Text();
  EXPECT_EQ(Text(*strongest, "tpm.pcr_bank"), "sha384");
  EXPECT_EQ(Text(*strongest, "tpm.pcr9"), ToHex(Bytes(48, 0x99)));
  EXPECT_EQ(Text(*strongest, "tpm.pcr7"), "absent");
  EXPECT_EQ(Text(*strongest, "tpm.pcr_selection"), "sha1:7+sha256:7+sha384:9");
}

TEST(Tpm, AnEnrolledKeyIsThatKeyOnly) {
  const FakeTpm tpm({.certified = false});
  const FakeTpm other({.certified = false});
  EXPECT_TRUE(Check(tpm, Parts(tpm)).ok());
  const auto refused = Check(EncodeEvidence(Parts(tpm)), other.OwnTrust());
  EXPECT_EQ(refused.code(), Code::kEvidenceChain);
  EXPECT_THAT(refused.error().Text(), HasSubstr("not enrolled"));
  // The enrolled key's name on another key's quote.
  Evidence borrowed = Parts(other);
  borrowed.key = tpm.ak().key().Public().spki();
  EXPECT_EQ(Check(tpm, borrowed).code(), Code::kEvidenceSignature);
}

TEST(Tpm, ACertificateMustHoldThoughTheKeyIsEnrolled) {
  const FakeTpm tpm;
  const FakeTpm other;
  Trust trust = other.OwnTrust();
  trust.keys["tpm"] = {tpm.ak().key().Public().spki()};
  EXPECT_EQ(Check(EncodeEvidence(Parts(tpm)), trust).code(), Code::kEvidenceChain);
  Evidence bare = Parts(tpm);
  bare.certificate.clear();
  bare.chain.clear();
  bare.key = tpm.ak().key().Public().spki();
  EXPECT_TRUE(Check(EncodeEvidence(bare), trust).ok());
}

TEST(Tpm, AKeyBesideTheCertificateMustBeTheSame) {
  const FakeTpm tpm;
  Evidence evidence = Parts(tpm);
  evidence.key = tpm.ak().key().Public().spki();
  EXPECT_TRUE(Check(tpm, evidence).ok());
  evidence.key = tpm.root().key().Public().spki();
  EXPECT_EQ(Check(tpm, evidence).code(), Code::kEvidenceIdentity);
}

TEST(Tpm, IntermediatesMayComeFromTheCollateral) {
  const FakeTpm tpm;
  Evidence evidence = Parts(tpm);
  evidence.chain.clear();
  Trust trust = tpm.OwnTrust();
  EXPECT_EQ(Check(EncodeEvidence(evidence), trust).code(), Code::kEvidenceChain);
  auto collateral = std::make_shared<Collateral>();
  ASSERT_TRUE(collateral->Add(tpm.middle().certificate().der(), "middle.der").ok());
  trust.collateral = collateral;
  EXPECT_TRUE(Check(EncodeEvidence(evidence), trust).ok());
}

TEST(Tpm, OtherKeysOfTheSameMakerAreNoAttestationKeys) {
  const auto with = [](const std::string& oid, const Bytes& value, bool critical) {
    const FakeTpm tpm(
        {.certificate = {.name = "CN=Test AK", .extensions = {{oid, value, critical}}}});
    return Check(tpm, Parts(tpm));
  };
  const std::string kUses = "2.5.29.37";
  // SEQUENCE of one OID: 2.23.133.8.3, 2.23.133.8.1, serverAuth.
  const Bytes attestation = *FromHex(
      "30070605678105"
      "0803");
  const Bytes endorsement = *FromHex(
      "30070605678105"
      "0801");
  const Bytes server = *FromHex("300a06082b06010505070301");
  EXPECT_TRUE(with(kUses, attestation, false).ok());
  EXPECT_TRUE(with(kUses, attestation, true).ok());
  EXPECT_EQ(with(kUses, endorsement, false).code(), Code::kEvidenceChain);
  EXPECT_EQ(with(kUses, server, false).code(), Code::kEvidenceChain);
  const FakeTpm authority({.certificate = {.name = "CN=Test AK", .authority = true}});
  EXPECT_EQ(Check(authority, Parts(authority)).code(), Code::kEvidenceChain);
  // Key usage: keyEncipherment, as endorsement keys have it.
  EXPECT_EQ(with("2.5.29.15", *FromHex("03020520"), true).code(), Code::kEvidenceChain);
  // An extension that nobody here knows, critical as TPM makers like them.
  EXPECT_TRUE(with("2.23.133.99.1", *FromHex("0500"), true).ok());
}

TEST(Tpm, ZerosMayFollowACertificateAndNothingElse) {
  const FakeTpm tpm;
  Evidence evidence = Parts(tpm);
  evidence.certificate.resize(evidence.certificate.size() + 100);
  EXPECT_TRUE(Check(tpm, evidence).ok());
  evidence.certificate.back() = 1;
  EXPECT_EQ(Check(tpm, evidence).code(), Code::kEvidenceMalformed);
  for (const std::string_view bad : {"30", "3080", "308001", "30820400", "3084ffffffff", "00"}) {
    evidence.certificate = *FromHex(bad);
    EXPECT_EQ(Check(tpm, evidence).code(), Code::kEvidenceMalformed) << bad;
  }
}

TEST(Tpm, RevocationListsThatAreThereCount) {
  const FakeTpm tpm;
  const auto check_with = [&](const Bytes& list) {
    Trust trust = tpm.OwnTrust();
    auto collateral = std::make_shared<Collateral>();
    EXPECT_TRUE(collateral->Add(list, "list.crl").ok());
    trust.collateral = collateral;
    const auto claims = Check(EncodeEvidence(Parts(tpm)), trust);
    return claims.ok() ? std::nullopt : std::optional(claims.code());
  };
  const auto& ak = tpm.ak().certificate();
  EXPECT_EQ(check_with(tpm.middle().RevocationList({}, kNow - kDay, kNow + kDay)), std::nullopt);
  EXPECT_EQ(check_with(tpm.middle().RevocationList({ak}, kNow - kDay, kNow + kDay)),
            Code::kEvidenceRevoked);
  EXPECT_EQ(check_with(tpm.middle().RevocationList({}, kNow - 2 * kDay, kNow - kDay)),
            Code::kCollateralExpired);
  EXPECT_EQ(
      check_with(tpm.root().RevocationList({tpm.middle().certificate()}, kNow - kDay, kNow + kDay)),
      Code::kEvidenceRevoked);
}

TEST(Tpm, ChainsAreGoodForTheirTime) {
  const FakeTpm tpm(
      {.certificate = {.name = "CN=Short,O=Test", .not_before = kNow, .not_after = kNow + kDay}});
  const Bytes evidence = EncodeEvidence(Parts(tpm));
  EXPECT_TRUE(Check(evidence, tpm.OwnTrust(), kNow + kDay).ok());
  EXPECT_EQ(Check(evidence, tpm.OwnTrust(), kNow - 1).code(), Code::kEvidenceTime);
  EXPECT_EQ(Check(evidence, tpm.OwnTrust(), kNow + kDay + 1).code(), Code::kEvidenceTime);
}

// lesson 1 and lesson 2: a quote made for another challenge, or for none, is no evidence here.
TEST(Tpm, QualifyingDataAreTheBinding) {
  const FakeTpm tpm;
  const auto bound_to = [&](const Bytes& qualifying, ExpectedBinding binding) {
    const auto claims =
        Check(EncodeEvidence(tpm.Parts(qualifying)), tpm.OwnTrust(), kNow, std::move(binding));
    return claims.ok() ? std::nullopt : std::optional(claims.code());
  };
  const ReportData data = SomeReportData();
  EXPECT_EQ(bound_to(Bytes(32, 0x42), data), std::nullopt);
  EXPECT_EQ(bound_to(Bytes(64, 0x42), data), std::nullopt);
  EXPECT_EQ(bound_to(Bytes(31, 0x42), data), Code::kEvidenceBinding);
  EXPECT_EQ(bound_to(Bytes(66, 0x42), data), Code::kEvidenceBinding);
  EXPECT_EQ(bound_to({}, data), Code::kEvidenceBinding);
  EXPECT_EQ(bound_to(Bytes(32, 0x43), data), Code::kEvidenceBinding);
  EXPECT_EQ(bound_to(ToBytes("nonce"), ExpectedBinding::Nonce(ToBytes("nonce"))), std::nullopt);
  EXPECT_EQ(bound_to(ToBytes("nonce"), ExpectedBinding::Nonce(ToBytes("other"))),
            Code::kEvidenceBinding);
  EXPECT_EQ(bound_to({}, ExpectedBinding::None()), std::nullopt);
}

TEST(Tpm, AnUnrestrictedKeysOwnStructuresAreNoQuotes) {
  const FakeTpm tpm;
  Evidence evidence = Parts(tpm);
  // The key signs what it is given: a CERTIFY structure, and text.
  evidence.attest[5] = 0x17;
  evidence.signature = tpm.Sign(evidence.attest);
  const auto certify = Check(tpm, evidence);
  EXPECT_EQ(certify.code(), Code::kEvidenceMalformed);
  EXPECT_THAT(certify.error().Text(), HasSubstr("TPM_ST_ATTEST_CERTIFY"));
  evidence.attest = ToBytes("a text that says what you want");
  evidence.signature = tpm.Sign(evidence.attest);
  EXPECT_EQ(Check(tpm, evidence).code(), Code::kEvidenceMalformed);
}

TEST(Tpm, APcrDigestOfAnotherHashIsRefused) {
  const FakeTpm tpm({.tell_values = false});
  Evidence evidence = Parts(tpm);
  // The digest's last twelve bytes go, and with them its length.
  evidence.attest.resize(evidence.attest.size() - 12);
  evidence.attest[evidence.attest.size() - 21] = 20;
  evidence.signature = tpm.Sign(evidence.attest);
  EXPECT_EQ(Check(tpm, evidence).code(), Code::kEvidenceSignature);
}

TEST(Tpm, PartsThatDoNotBelongTogetherAreRefused) {
  const FakeTpm tpm;
  const auto malformed = [&](auto change) {
    Evidence evidence = Parts(tpm);
    change(evidence);
    return ParseEvidence("tpm", EncodeEvidence(evidence)).code() == Code::kEvidenceMalformed;
  };
  EXPECT_TRUE(malformed([](Evidence& e) { e.attest.clear(); }));
  EXPECT_TRUE(malformed([](Evidence& e) { e.signature.clear(); }));
  EXPECT_TRUE(malformed([](Evidence& e) { e.certificate.clear(); }));
  EXPECT_TRUE(malformed([](Evidence& e) {
    e.certificate.clear();
    e.chain.clear();
  }));
  EXPECT_TRUE(malformed([](Evidence& e) { e.td_quote = Bytes(5, 1); }));
  EXPECT_TRUE(malformed([](Evidence& e) { e.hardware_chain = e.chain; }));
  EXPECT_TRUE(malformed([](Evidence& e) { e.hcl_report = Bytes(5, 1); }));
  EXPECT_TRUE(malformed([](Evidence& e) { e.key = Bytes(5, 1); }));
  EXPECT_TRUE(malformed([](Evidence& e) { e.chain.resize(9, e.chain.front()); }));
}

TEST(Tpm, APieceAloneCanBeShownButProvesNothing) {
  const FakeTpm tpm;
  const Bytes quote = tpm.Attest(Bytes(32, 0x42));
  const TeeType* type = FindTeeType("tpm");
  ASSERT_NE(type, nullptr);
  EXPECT_TRUE(type->recognises(quote));
  EXPECT_TRUE(type->recognises(EncodeEvidence(Parts(tpm))));
  EXPECT_FALSE(type->recognises(ToBytes("ordinary text")));
  EXPECT_FALSE(type->recognises({}));
  const auto parsed = ParseEvidence("tpm", quote);
  ASSERT_TRUE(parsed.ok()) << parsed.error().Text();
  const Trust trust = tpm.OwnTrust();
  EXPECT_EQ(ExamineEvidence(*parsed, {trust, kNow, ExpectedBinding::None()}).code(),
            Code::kEvidenceSignature);
}

TEST(Tpm, DescribeSpeaksAsTpm2PrintDoes) {
  const FakeTpm tpm;
  const auto parsed = ParseEvidence("tpm", EncodeEvidence(Parts(tpm)));
  ASSERT_TRUE(parsed.ok());
  std::map<std::string, std::string> fields;
  for (const Field& field : parsed->type().describe(parsed->parsed())) {
    EXPECT_TRUE(fields.emplace(field.name, field.value).second) << field.name;
  }
  EXPECT_EQ(fields["magic"], "ff544347");
  EXPECT_EQ(fields["extraData"], ToHex(Bytes(32, 0x42)));
  EXPECT_EQ(fields["clockInfo.resetCount"], "7");
  EXPECT_EQ(fields["attested.quote.pcrSelect.pcrSelections.0.hash"], "sha256");
  EXPECT_EQ(fields["attested.quote.pcrSelect.pcrSelections.0.pcrSelect"], "910000");
  EXPECT_EQ(fields["signature.scheme"], "ECDSA SHA-256");
  EXPECT_EQ(fields["pcrs.sha256.7"], ToHex(Bytes(32, 0xa7)));
  EXPECT_EQ(fields["ak.certificate.subject"], "CN=Test AK,O=Test");
}

}  // namespace
}  // namespace keyclave::attest
