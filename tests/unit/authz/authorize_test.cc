#include "enclave/authz/authorize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace keyclave::authz {
namespace {

using attest::ClaimSet;
using attest::Origin;
using testing::HasSubstr;

constexpr UnixTime kNow = 1'790'000'000;

Policy MustParse(const std::string& permits) {
  auto parsed = Policy::Parse("policy: p\nversion: 1\npermit:\n" + permits, "p.yaml");
  if (!parsed.ok()) ADD_FAILURE() << parsed.error().Text() << "\n" << permits;
  return *std::move(parsed);
}

ClaimSet Caller(const std::string& measurement = "aa", const std::string& tee = "sev-snp",
                bool debug = false) {
  ClaimSet claims;
  claims.Set("tee", tee);
  claims.Set("measurement", measurement);
  claims.Set("debug", debug);
  claims.Set("peer.uid", int64_t{33}, Origin::kTransport);
  return claims;
}

// The code of the refusal; nullopt if it is allowed.
std::optional<Code> Refused(const Grant& grant, Operation operation, std::string_view family,
                            UnixTime now = kNow) {
  const Status status = grant.Check(operation, family, now);
  if (status.ok()) return std::nullopt;
  return status.code();
}

const std::string kSignEcdsa =
    "  - {operations: [sign], mechanisms: [ecdsa], when: {measurement: {is: aa}}}\n";

TEST(Grant, AllowsWhatAPermitSaysAndNothingElse) {
  const Grant grant = Evaluate(MustParse(kSignEcdsa), Caller(), kNow, kNow);
  EXPECT_EQ(Refused(grant, Operation::kSign, "ecdsa"), std::nullopt);
  EXPECT_EQ(Refused(grant, Operation::kSign, ""), std::nullopt);
  EXPECT_EQ(Refused(grant, Operation::kSign, "rsa-pss"), Code::kMechanismDenied);
  for (size_t i = 1; i < kOperationCount; ++i)
    EXPECT_EQ(Refused(grant, static_cast<Operation>(i), "ecdsa"), Code::kDenied);
  EXPECT_TRUE(grant.AllowsAnything(kNow));
}

TEST(Grant, OtherMeasurementsGetNothing) {
  const Grant grant = Evaluate(MustParse(kSignEcdsa), Caller("ab"), kNow, kNow);
  EXPECT_EQ(Refused(grant, Operation::kSign, "ecdsa"), Code::kDenied);
  EXPECT_FALSE(grant.AllowsAnything(kNow));
  const Grant nothing;
  EXPECT_EQ(Refused(nothing, Operation::kSign, ""), Code::kDenied);
  EXPECT_FALSE(nothing.AllowsAnything(kNow));
}

TEST(Grant, SimulatedAndDebugEvidenceMustBeMeant) {
  const Policy strict = MustParse(kSignEcdsa);
  const Policy meant = MustParse(
      "  - {operations: [sign], when: {measurement: {is: aa}}, allow_unattested: true}\n");
  for (const ClaimSet& claims : {Caller("aa", "simulated"), Caller("aa", "sgx", true)}) {
    EXPECT_EQ(Refused(Evaluate(strict, claims, kNow, kNow), Operation::kSign, ""), Code::kDenied);
    EXPECT_EQ(Refused(Evaluate(meant, claims, kNow, kNow), Operation::kSign, ""), std::nullopt);
  }
  ClaimSet silent;  // evidence that does not say whether it is in debug mode
  silent.Set("tee", std::string("sgx"));
  silent.Set("measurement", std::string("aa"));
  EXPECT_EQ(Refused(Evaluate(strict, silent, kNow, kNow), Operation::kSign, ""), Code::kDenied);
}

TEST(Grant, TheChannelsWordAloneIsEnoughOnlyIfMeant) {
  const Policy policy =
      MustParse("  - {operations: [verify], when: {peer.uid: {is: 33}}, allow_unattested: true}\n");
  ClaimSet transport;
  transport.Set("peer.uid", int64_t{33}, Origin::kTransport);
  EXPECT_EQ(Refused(Evaluate(policy, transport, 0, kNow), Operation::kVerify, ""), std::nullopt);
  // A measurement that the channel tells is none.
  transport.Set("measurement", std::string("aa"), Origin::kTransport);
  transport.Set("tee", std::string("sgx"), Origin::kTransport);
  transport.Set("debug", false, Origin::kTransport);
  EXPECT_EQ(Refused(Evaluate(MustParse(kSignEcdsa), transport, 0, kNow), Operation::kSign, ""),
            Code::kDenied);
}

TEST(Grant, OldEvidenceIsAskedToBeRenewed) {
  const Policy policy = MustParse(
      "  - {operations: [sign], mechanisms: [ecdsa], when: {measurement: {is: aa}}, max_age: "
      "60s}\n");
  const Grant grant = Evaluate(policy, Caller(), kNow, kNow);
  EXPECT_EQ(Refused(grant, Operation::kSign, "ecdsa", kNow + 59), std::nullopt);
  EXPECT_EQ(Refused(grant, Operation::kSign, "ecdsa", kNow + 60), Code::kEvidenceExpired);
  EXPECT_EQ(Refused(grant, Operation::kSign, "rsa-pss", kNow + 60), Code::kMechanismDenied);
  EXPECT_EQ(Refused(grant, Operation::kVerify, "ecdsa", kNow + 60), Code::kDenied);
  EXPECT_FALSE(grant.AllowsAnything(kNow + 60));
  const Grant renewed = Evaluate(policy, Caller(), kNow + 60, kNow + 60);
  EXPECT_EQ(Refused(renewed, Operation::kSign, "ecdsa", kNow + 60), std::nullopt);
}

TEST(Grant, MaxAgeWithoutEvidenceAsksForSome) {
  const Policy policy = MustParse(
      "  - {operations: [sign], when: {peer.uid: {is: 33}}, max_age: 1h, allow_unattested: "
      "true}\n");
  EXPECT_EQ(Refused(Evaluate(policy, Caller(), 0, kNow), Operation::kSign, ""),
            Code::kEvidenceExpired);
}

TEST(Grant, ValidityEndsWithoutAskingForEvidence) {
  const Policy policy = MustParse(
      "  - operations: [sign]\n    when: {measurement: {is: aa}}\n    max_age: 100d\n"
      "    valid: {from: 2026-12-01, until: 2026-12-02}\n");
  const UnixTime from = *ParseTime("2026-12-01");
  const UnixTime until = *ParseTime("2026-12-02");
  const Grant grant = Evaluate(policy, Caller(), from - 10, from - 10);
  EXPECT_EQ(Refused(grant, Operation::kSign, "", from - 1), Code::kDenied);
  EXPECT_EQ(Refused(grant, Operation::kSign, "", from), std::nullopt);
  EXPECT_EQ(Refused(grant, Operation::kSign, "", until - 1), std::nullopt);
  EXPECT_EQ(Refused(grant, Operation::kSign, "", until), Code::kDenied);
  EXPECT_FALSE(grant.AllowsAnything(from - 1));
  EXPECT_TRUE(grant.AllowsAnything(from));
}

TEST(Grant, PermitsAddUp) {
  const Policy policy = MustParse(
      kSignEcdsa +
      "  - {operations: [sign], mechanisms: [rsa-pss], when: {measurement: {in: [aa, bb]}}}\n"
      "  - {operations: [decrypt], when: {measurement: {is: bb}}}\n");
  const Grant a = Evaluate(policy, Caller("aa"), kNow, kNow);
  EXPECT_EQ(Refused(a, Operation::kSign, "ecdsa"), std::nullopt);
  EXPECT_EQ(Refused(a, Operation::kSign, "rsa-pss"), std::nullopt);
  EXPECT_EQ(Refused(a, Operation::kDecrypt, "rsa-oaep"), Code::kDenied);
  const Grant b = Evaluate(policy, Caller("bb"), kNow, kNow);
  EXPECT_EQ(Refused(b, Operation::kSign, "ecdsa"), Code::kMechanismDenied);
  EXPECT_EQ(Refused(b, Operation::kDecrypt, "rsa-oaep"), std::nullopt);
}

TEST(Explain, NamesTheFirstFailingTermOfEachPermit) {
  const Policy policy = MustParse(
      "  - operations: [decrypt]\n    when: {measurement: {is: aa}}\n"
      "  - operations: [sign]\n    mechanisms: [rsa-pss]\n    when: {measurement: {is: aa}}\n"
      "  - operations: [sign]\n    when:\n      tee: {is: sev-snp}\n      measurement: {is: bb}\n"
      "  - operations: [sign]\n    when: {measurement: {is: aa}}\n    valid: {until: 2020-01-01}\n"
      "  - operations: [sign]\n    when: {measurement: {is: aa}}\n    max_age: 60s\n"
      "  - operations: [sign]\n    when: {measurement: {is: aa}}\n");
  const auto verdicts = Explain(policy, Caller(), kNow - 100, kNow, Operation::kSign, "ecdsa");
  ASSERT_EQ(verdicts.size(), 6U);
  for (size_t i = 0; i < verdicts.size(); ++i) EXPECT_EQ(verdicts[i].permit, i + 1);
  EXPECT_EQ(verdicts[0].term, "operations");
  EXPECT_EQ(verdicts[0].wanted, "decrypt");
  EXPECT_EQ(verdicts[0].got, "sign");
  EXPECT_EQ(verdicts[0].line, 4);
  EXPECT_EQ(verdicts[1].term, "mechanisms");
  EXPECT_EQ(verdicts[1].wanted, "rsa-pss");
  EXPECT_EQ(verdicts[1].got, "ecdsa");
  EXPECT_EQ(verdicts[2].term, "measurement: {is: bb}");
  EXPECT_EQ(verdicts[2].wanted, "is bb");
  EXPECT_EQ(verdicts[2].got, "aa");
  EXPECT_EQ(verdicts[2].line, 12);  // the term's own line
  EXPECT_EQ(verdicts[3].term, "valid");
  EXPECT_EQ(verdicts[3].wanted, "until 2020-01-01T00:00:00Z");
  EXPECT_EQ(verdicts[4].term, "max_age");
  EXPECT_EQ(verdicts[4].got, "100 s");
  EXPECT_EQ(verdicts[5].term, "");
}

TEST(Explain, SaysWhenOnlyTheKindOfEvidenceStandsInTheWay) {
  const Policy policy = MustParse(kSignEcdsa);
  const auto simulated =
      Explain(policy, Caller("aa", "simulated"), kNow, kNow, Operation::kSign, "ecdsa");
  EXPECT_EQ(simulated[0].term, "tee");
  EXPECT_EQ(simulated[0].got, "simulated");
  EXPECT_THAT(simulated[0].wanted, HasSubstr("allow_unattested"));
  EXPECT_EQ(simulated[0].line, 4);
  const auto debug = Explain(policy, Caller("aa", "sgx", true), kNow, kNow, Operation::kSign, "");
  EXPECT_EQ(debug[0].term, "debug");
  const auto none = Explain(policy, {}, 0, kNow, Operation::kSign, "");
  EXPECT_EQ(none[0].got, "absent");
}

// The verdict that is explained is the verdict that is given.
TEST(Explain, AgreesWithTheGrant) {
  const Policy policy = MustParse(
      kSignEcdsa +
      "  - {operations: [sign, decrypt], when: {measurement: {in: [aa, bb]}}, max_age: 60s}\n"
      "  - {operations: [verify], when: {peer.uid: {is: 33}}, allow_unattested: true}\n"
      "  - operations: [wrap]\n    when: {measurement: {is: bb}}\n    valid: {from: 2026-09-22}\n");
  for (const ClaimSet& claims :
       {Caller("aa"), Caller("bb"), Caller("cc"), Caller("aa", "simulated"), ClaimSet{}}) {
    for (const UnixTime age : {0, 59, 60, 1000}) {
      const Grant grant = Evaluate(policy, claims, kNow - age, kNow);
      for (size_t i = 0; i < kOperationCount; ++i) {
        for (const char* family : {"", "ecdsa", "rsa-pss"}) {
          const auto operation = static_cast<Operation>(i);
          bool explained = false;
          for (const auto& verdict : Explain(policy, claims, kNow - age, kNow, operation, family))
            explained |= verdict.term.empty();
          EXPECT_EQ(grant.Check(operation, family, kNow).ok(), explained)
              << OperationName(operation) << " " << family << " " << age;
        }
      }
    }
  }
}

}  // namespace
}  // namespace keyclave::authz
