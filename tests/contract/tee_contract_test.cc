// What every evidence type promises, tried on each row of the registry with a fake TEE of that
// type: genuine evidence is accepted, and nothing else is.

#include <gtest/gtest.h>

#include "tests/fakes/fake_tee.h"

namespace keyclave::attest {
namespace {

using test::FakeTee;

constexpr UnixTime kIssued = 1'790'000'000;
constexpr size_t kSmall = 1024;  // bytes

ReportData SomeReportData() {
  ReportData data;
  for (size_t i = 0; i < data.size(); ++i) data.at(i) = static_cast<uint8_t>(i * 37 + 5);
  return data;
}

// The code with which evidence is refused; nullopt if it is accepted.
std::optional<Code> RefusedWith(std::string_view type, ByteSpan evidence,
                                const VerifyContext& context) {
  const auto parsed = ParseEvidence(type, evidence);
  if (!parsed.ok()) return parsed.code();
  const auto verified = VerifyEvidence(*parsed, context);
  if (!verified.ok()) return verified.code();
  return std::nullopt;
}

class TeeContract : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    tee_ = FakeTee::Create(GetParam());
    ASSERT_NE(tee_, nullptr) << "tests/fakes/fake_tee.cc has no TEE of type " << GetParam();
    trust_ = tee_->OwnTrust();
    evidence_ = tee_->Evidence(SomeReportData(), kIssued, false);
  }
  std::optional<Code> Refused(ByteSpan evidence) const {
    return RefusedWith(GetParam(), evidence, {trust_, kIssued, SomeReportData()});
  }
  // All claims in one text; empty if it is refused.
  std::string ClaimsOf(ByteSpan evidence) const {
    const auto parsed = ParseEvidence(GetParam(), evidence);
    if (!parsed.ok()) return {};
    const auto verified = VerifyEvidence(*parsed, {trust_, kIssued, SomeReportData()});
    if (!verified.ok()) return {};
    std::string text;
    for (const auto& [name, claim] : verified->claims())
      text += name + "=" + ToText(claim.value) + "\n";
    return text;
  }

  std::unique_ptr<FakeTee> tee_;
  Trust trust_;
  Bytes evidence_;
};

TEST_P(TeeContract, GenuineEvidenceIsAccepted) {
  const auto parsed = ParseEvidence(GetParam(), evidence_);
  ASSERT_TRUE(parsed.ok()) << parsed.error().Text();
  EXPECT_EQ(parsed->type().name, GetParam());
  const auto verified = VerifyEvidence(*parsed, {trust_, kIssued, SomeReportData()});
  ASSERT_TRUE(verified.ok()) << verified.error().Text();
  EXPECT_EQ(verified->type(), GetParam());
  EXPECT_EQ(verified->verified_at(), kIssued);
  for (const auto& [name, claim] : verified->claims())
    EXPECT_EQ(claim.origin, Origin::kAttested) << name;
}

TEST_P(TeeContract, TheClaimsThatPoliciesRelyOnAreThere) {
  for (const bool debug : {false, true}) {
    const Bytes evidence = tee_->Evidence(SomeReportData(), kIssued, debug);
    const auto parsed = ParseEvidence(GetParam(), evidence);
    ASSERT_TRUE(parsed.ok());
    const auto verified = VerifyEvidence(*parsed, {trust_, kIssued, SomeReportData()});
    ASSERT_TRUE(verified.ok()) << verified.error().Text();
    const ClaimSet& claims = verified->claims();
    for (const std::string& name : tee_->Claims()) ASSERT_NE(claims.Find(name), nullptr) << name;
    EXPECT_EQ(claims.Find("tee")->value, ClaimValue(GetParam()));
    EXPECT_EQ(claims.Find("debug")->value, ClaimValue(debug && tee_->HasDebugMode()));
    EXPECT_EQ(claims.Find("measurement")->value,
              ClaimValue(debug ? tee_->MeasurementInDebug() : tee_->Measurement()));
  }
}

TEST_P(TeeContract, EveryFlippedBitIsRefused) {
  const std::string claims = ClaimsOf(evidence_);
  for (size_t i = 0; i < evidence_.size(); ++i) {
    // Every bit of small evidence; of large evidence (chains in it) one bit of each byte.
    for (unsigned bit = 0; bit < 8; ++bit) {
      if (evidence_.size() > kSmall && bit != i % 8) continue;
      Bytes bad = evidence_;
      bad[i] = static_cast<uint8_t>(bad[i] ^ (1U << bit));
      if (Refused(bad).has_value()) continue;
      EXPECT_TRUE(tee_->IsUncovered(evidence_, i)) << "byte " << i << " bit " << bit;
      EXPECT_EQ(ClaimsOf(bad), claims) << "byte " << i << " bit " << bit;
    }
  }
}

TEST_P(TeeContract, EveryTruncationIsRefused) {
  for (size_t n = 0; n < evidence_.size(); ++n)
    EXPECT_TRUE(Refused(ByteSpan(evidence_).first(n)).has_value()) << n << " bytes";
}

TEST_P(TeeContract, BytesBehindTheEndAreRefused) {
  if (tee_->AllowsTrailingBytes()) {
    Bytes longer = evidence_;
    longer.resize(longer.size() + 70);
    EXPECT_EQ(Refused(longer), std::nullopt);
    EXPECT_EQ(ClaimsOf(longer), ClaimsOf(evidence_));
    return;
  }
  for (const uint8_t byte : ByteArray<4>{0x00, 0x20, 0x80, 0xff}) {
    Bytes bad = evidence_;
    bad.push_back(byte);
    EXPECT_EQ(Refused(bad), Code::kEvidenceMalformed);
  }
  Bytes twice = evidence_;
  twice.insert(twice.end(), evidence_.begin(), evidence_.end());
  EXPECT_EQ(Refused(twice), Code::kEvidenceMalformed);
}

TEST_P(TeeContract, EveryOtherReportDataIsRefused) {
  for (size_t i = 0; i < tee_->CarriedBytes(); ++i) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      ReportData other = SomeReportData();
      other.at(i) = static_cast<uint8_t>(other.at(i) ^ (1U << bit));
      EXPECT_EQ(RefusedWith(GetParam(), evidence_, {trust_, kIssued, other}),
                Code::kEvidenceBinding);
    }
  }
  EXPECT_EQ(RefusedWith(GetParam(), evidence_, {trust_, kIssued, ReportData{}}),
            Code::kEvidenceBinding);
  // Bytes of the format that the report data leaves free must not be free for others.
  const Bytes zero = tee_->Evidence(ReportData{}, kIssued, false);
  EXPECT_EQ(Refused(zero), Code::kEvidenceBinding);
}

TEST_P(TeeContract, AnotherRootIsRefused) {
  const auto other = FakeTee::Create(GetParam());
  const Bytes evidence = other->Evidence(SomeReportData(), kIssued, false);
  EXPECT_EQ(Refused(evidence), Code::kEvidenceChain);
  EXPECT_TRUE(tee_->Evidence(SomeReportData(), kIssued, false) != evidence);
  // The same evidence is fine for whoever believes in that root.
  const Trust theirs = other->OwnTrust();
  EXPECT_EQ(RefusedWith(GetParam(), evidence, {theirs, kIssued, SomeReportData()}), std::nullopt);
}

TEST_P(TeeContract, WithoutRootsNothingIsBelieved) {
  Trust none;
  none.accepted_types = {GetParam()};
  none.collateral = trust_.collateral;
  const auto refused = RefusedWith(GetParam(), evidence_, {none, kIssued, SomeReportData()});
  EXPECT_EQ(refused, Code::kEvidenceChain);
}

TEST_P(TeeContract, ATypeThatIsNotAcceptedIsRefused) {
  Trust trust = trust_;
  for (const std::vector<std::string>& types :
       {std::vector<std::string>{}, {"other"}, {GetParam() + "x"}, {""}}) {
    trust.accepted_types = types;
    EXPECT_EQ(RefusedWith(GetParam(), evidence_, {trust, kIssued, SomeReportData()}),
              Code::kEvidenceNotAccepted);
  }
}

TEST_P(TeeContract, ItIsValidForAsLongAsItSaysAndNoSecondMore) {
  const FakeTee::Window window = tee_->ValidAt(kIssued);
  const auto at = [&](UnixTime now) {
    return RefusedWith(GetParam(), evidence_, {trust_, now, SomeReportData()});
  };
  EXPECT_EQ(at(window.first), std::nullopt);
  EXPECT_EQ(at(window.last), std::nullopt);
  if (!tee_->HasTime()) return;
  EXPECT_EQ(at(window.first - 1), Code::kEvidenceTime);
  EXPECT_EQ(at(window.last + 1), Code::kEvidenceTime);
  EXPECT_EQ(at(0), Code::kEvidenceTime);
}

TEST_P(TeeContract, SizesAtTheLimitsAreAnswered) {
  for (const size_t size :
       {size_t{0}, size_t{1}, kMaxEvidence - 1, kMaxEvidence, kMaxEvidence + 1}) {
    for (const uint8_t fill : ByteArray<3>{0x00, 0xff, 0x82}) {
      EXPECT_EQ(Refused(Bytes(size, fill)), Code::kEvidenceMalformed) << size;
    }
  }
}

TEST_P(TeeContract, OfOneTypeIsNotEvidenceOfAnother) {
  for (const TeeType* type : AllTeeTypes()) {
    if (type->name == GetParam()) continue;
    Trust trust = trust_;
    trust.accepted_types.emplace_back(type->name);
    EXPECT_TRUE(RefusedWith(type->name, evidence_, {trust, kIssued, SomeReportData()}).has_value())
        << type->name;
  }
  EXPECT_EQ(RefusedWith("no-such-type", evidence_, {trust_, kIssued, SomeReportData()}),
            Code::kEvidenceUnknownType);
}

std::vector<std::string> Names() {
  std::vector<std::string> names;
  // co-resident has no bytes and no signer: the kernel speaks (co_resident_test.cc).
  for (const TeeType* type : AllTeeTypes()) {
    if (type->name != "co-resident") names.emplace_back(type->name);
  }
  return names;
}

std::string TestName(const testing::TestParamInfo<std::string>& parameter) {
  std::string name = parameter.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Registry, TeeContract, testing::ValuesIn(Names()), TestName);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(TeeContract);

}  // namespace
}  // namespace keyclave::attest
