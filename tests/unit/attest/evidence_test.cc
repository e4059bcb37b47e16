#include "attest/evidence.h"

#include <gtest/gtest.h>

#include <set>
#include <type_traits>

#include "attest/appraise.h"
#include "attest/tee_type.h"
#include "enclave/base/hash.h"
#include "tests/fakes/fake_tee.h"

namespace keyclave::attest {
namespace {

// lesson 20: nobody but the functions of evidence.h and appraise.h makes these.
static_assert(!std::is_default_constructible_v<Unverified>);
static_assert(!std::is_default_constructible_v<Verified>);
static_assert(!std::is_default_constructible_v<Appraised>);
static_assert(!std::is_constructible_v<Verified, std::string, ClaimSet, UnixTime>);
static_assert(!std::is_constructible_v<Appraised, ClaimSet>);
static_assert(!std::is_convertible_v<Unverified, Verified>);
static_assert(!std::is_convertible_v<Verified, Appraised>);

Binding SampleBinding() {
  Binding binding;
  binding.role = Role::kCaller;
  binding.nonce.fill(1);
  binding.exporter.fill(2);
  binding.client_spki.fill(3);
  binding.server_spki.fill(4);
  binding.audience = "enclave-1";
  binding.runtime_claims = ToBytes("claims");
  return binding;
}

TEST(Binding, IsTheDocumentedHash) {
  // Written out by hand from docs/attestation.md, not by the code that is tested.
  std::string message;
  const auto field = [&](const std::string& bytes) {
    message += std::string(3, '\0') + static_cast<char>(bytes.size()) + bytes;
  };
  field("keyclave/evidence/1");
  field("caller");
  field(std::string(32, '\1'));
  field(std::string(32, '\2'));
  field(std::string(32, '\3'));
  field(std::string(32, '\4'));
  field("enclave-1");
  const auto claims = Sha256(AsBytes("claims"));
  field(std::string(AsText(claims)));
  EXPECT_EQ(ComputeReportData(SampleBinding()), Sha512(AsBytes(message)));
}

TEST(Binding, EveryFieldCounts) {
  std::vector<Binding> variants(8, SampleBinding());
  variants[1].role = Role::kEnclave;
  variants[2].nonce[31] ^= 1;
  variants[3].exporter[0] ^= 1;
  std::swap(variants[4].client_spki, variants[4].server_spki);
  variants[5].audience = "enclave-2";
  variants[6].audience = "";
  variants[7].runtime_claims = Bytes{};
  std::set<ReportData> distinct;
  for (const Binding& binding : variants) distinct.insert(ComputeReportData(binding));
  EXPECT_EQ(distinct.size(), variants.size());
}

TEST(Registry, RowsAreWholeAndNamesDistinct) {
  std::set<std::string_view> names;
  for (const TeeType* type : AllTeeTypes()) {
    EXPECT_TRUE(names.insert(type->name).second) << type->name;
    EXPECT_EQ(FindTeeType(type->name), type);
    EXPECT_NE(type->parse, nullptr);
    EXPECT_NE(type->verify, nullptr);
    EXPECT_NE(type->produce, nullptr);
  }
  EXPECT_EQ(FindTeeType(""), nullptr);
  EXPECT_EQ(FindTeeType("Simulated"), nullptr);
#ifdef KEYCLAVE_SIMULATED
  EXPECT_NE(FindTeeType("simulated"), nullptr);
#else
  EXPECT_EQ(FindTeeType("simulated"), nullptr);
#endif
}

TEST(Claims, HaveATextForPeople) {
  EXPECT_EQ(ToText(true), "true");
  EXPECT_EQ(ToText(int64_t{-3}), "-3");
  EXPECT_EQ(ToText(std::string("up-to-date")), "up-to-date");
  EXPECT_EQ(ToText(std::vector<std::string>{}), "[]");
  EXPECT_EQ(ToText(std::vector<std::string>{"a", "b"}), "[a, b]");
}

#ifdef KEYCLAVE_SIMULATED

constexpr UnixTime kNow = 1'790'000'000;

Expression MustParse(const std::string& text) {
  const auto yaml = ParseYaml(text, "expect");
  EXPECT_TRUE(yaml.ok());
  auto parsed = Expression::Parse(*yaml);
  EXPECT_TRUE(parsed.ok()) << parsed.error().Text();
  return *std::move(parsed);
}

class Appraisal : public testing::Test {
 protected:
  Verified Evidence(bool debug = false) {
    const Trust trust = tee_->OwnTrust();
    const auto parsed = ParseEvidence("simulated", tee_->Evidence(ReportData{}, kNow, debug));
    EXPECT_TRUE(parsed.ok());
    auto verified = VerifyEvidence(*parsed, {trust, kNow, ReportData{}});
    EXPECT_TRUE(verified.ok());
    return *std::move(verified);
  }
  std::string Measured() { return "measurement: {is: " + tee_->Measurement() + "}"; }

  std::unique_ptr<test::FakeTee> tee_ = test::FakeTee::Create("simulated");
};

TEST_F(Appraisal, AcceptsWhatTheExpressionWants) {
  const auto appraised =
      Appraise(Evidence(), MustParse("tee: {is: simulated}\n" + Measured()), {}, kNow);
  ASSERT_TRUE(appraised.ok()) << appraised.error().Text();
  EXPECT_NE(appraised->claims().Find("measurement"), nullptr);
}

TEST_F(Appraisal, NamesTheTermThatFails) {
  const auto appraised = Appraise(Evidence(), MustParse("tee: {in: [sgx, tdx]}"), {}, kNow);
  ASSERT_FALSE(appraised.ok());
  EXPECT_EQ(appraised.code(), Code::kAppraisalFailed);
  EXPECT_EQ(appraised.error().detail(),
            "tee: {in: [sgx, tdx]}: wanted in [sgx, tdx], got simulated");
}

TEST_F(Appraisal, SimulatedEvidenceMustBeNamed) {
  const auto appraised = Appraise(Evidence(), MustParse(Measured()), {}, kNow);
  ASSERT_FALSE(appraised.ok());
  EXPECT_EQ(appraised.code(), Code::kAppraisalFailed);
}

// lesson 11: what forgets to ask still does not get what nobody should trust.
TEST_F(Appraisal, DebugEvidenceMustBeNamed) {
  const std::string simulated = "tee: {is: simulated}\n";
  EXPECT_FALSE(Appraise(Evidence(true), MustParse(simulated + Measured()), {}, kNow).ok());
  EXPECT_TRUE(Appraise(Evidence(true), MustParse(simulated + "debug: {is: true}"), {}, kNow).ok());
}

// lesson 6: a claim says who says it, and nobody can promote his own word.
TEST_F(Appraisal, TransportClaimsJoinButNeverReplace) {
  ClaimSet transport;
  transport.Set("measurement", std::string("aa"), Origin::kTransport);
  transport.Set("peer.uid", int64_t{5}, Origin::kTransport);
  const std::string simulated = "tee: {is: simulated}\n";
  EXPECT_TRUE(
      Appraise(Evidence(), MustParse(simulated + "peer.uid: {is: 5}"), transport, kNow).ok());
  EXPECT_FALSE(
      Appraise(Evidence(), MustParse(simulated + "measurement: {is: aa}"), transport, kNow).ok());
  // What claims to be attested but came over the channel does not become so.
  transport.Set("host_data", std::string("bb"), Origin::kAttested);
  EXPECT_FALSE(
      Appraise(Evidence(), MustParse(simulated + "host_data: {is: bb}"), transport, kNow).ok());
}

#endif

// lesson 20: well formed, complete, and signed by nobody who is believed: no claim comes out of it.
// (That nothing but VerifyEvidence makes a Verified, which is what sessions take, is asserted
// above.)
TEST(TrustSteps, WhatIsOnlyParsedSaysNothing) {
  constexpr UnixTime kThen = 1'790'000'000;
  const auto tee = test::FakeTee::Create("nitro");
  const auto parsed = ParseEvidence("nitro", tee->Evidence(ReportData{}, kThen, false));
  ASSERT_TRUE(parsed.ok());
  Trust nobody;
  nobody.accepted_types = {"nitro"};
  EXPECT_EQ(VerifyEvidence(*parsed, {nobody, kThen, ReportData{}}).code(), Code::kEvidenceChain);
}

TEST(Protection, NeedsAKnownTeeOutsideDebugMode) {
  ClaimSet claims;
  EXPECT_EQ(FailedProtection(claims, {.simulated = true, .debug = true})->term, "tee");
  claims.Set("tee", std::string("sev-snp"));
  EXPECT_EQ(FailedProtection(claims, {.simulated = true, .debug = true})->term, "debug");
  claims.Set("debug", false);
  EXPECT_FALSE(FailedProtection(claims, {.simulated = false, .debug = false}).has_value());
  claims.Set("debug", true);
  EXPECT_EQ(FailedProtection(claims, {.simulated = true, .debug = false})->term, "debug");
  EXPECT_FALSE(FailedProtection(claims, {.simulated = false, .debug = true}).has_value());
  claims.Set("debug", false, Origin::kTransport);
  EXPECT_EQ(FailedProtection(claims, {.simulated = true, .debug = true})->got, "absent");
  claims.Set("debug", std::string("false"));
  EXPECT_EQ(FailedProtection(claims, {.simulated = true, .debug = true})->term, "debug");
  claims.Set("debug", false);
  claims.Set("tee", std::string("simulated"));
  EXPECT_EQ(FailedProtection(claims, {.simulated = false, .debug = true})->got, "simulated");
  EXPECT_FALSE(FailedProtection(claims, {.simulated = true, .debug = false}).has_value());
}

}  // namespace
}  // namespace keyclave::attest
