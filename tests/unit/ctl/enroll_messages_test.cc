// The files of an enrolment: each may come from anybody.

#include "enclave/ctl/enroll_messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "attest/tpm/enrolled_key.h"
#include "enclave/ctl/tpm_enrolment.h"

namespace keyclave::ctl {
namespace {

using testing::HasSubstr;

EnrollRequest Request() { return {.ek_certificate = Bytes(700, 1), .area = Bytes(88, 2)}; }
EnrollChallenge SomeChallenge() {
  return {.credential = {.identity = Bytes(68, 3), .secret = Bytes(256, 4)},
          .kind = ToBytes("rsa2048")};
}
EnrollAnswer Answer() {
  EnrollAnswer answer;
  answer.proof.fill(5);
  return answer;
}
EnrollKept Kept() {
  EnrollKept kept;
  kept.proof.fill(5);
  kept.key = Bytes(91, 6);
  return kept;
}

// Whatever is cut, added or changed: refused, or understood as exactly what is written.
template <class Message>
void CheckStrict(const Message& message, Result<Message> (*parse)(ByteSpan)) {
  const Bytes good = Encode(message);
  ASSERT_TRUE(parse(good).ok()) << parse(good).error().Text();
  EXPECT_EQ(Encode(*parse(good)), good);
  for (size_t i = 0; i < good.size(); ++i) EXPECT_FALSE(parse(ByteSpan(good).first(i)).ok()) << i;
  Bytes longer = good;
  longer.push_back(0);
  EXPECT_FALSE(parse(longer).ok());
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    Bytes changed = good;
    changed[bit / 8] = static_cast<uint8_t>(changed[bit / 8] ^ 1U << (bit % 8));
    const auto parsed = parse(changed);
    if (parsed.ok()) {
      EXPECT_EQ(Encode(*parsed), changed) << bit;
    }
  }
  EXPECT_EQ(parse(Bytes(kMaxEnrollMessage + 1)).code(), Code::kTooLarge);
}

TEST(EnrollMessages, AreStrict) {
  CheckStrict(Request(), ParseEnrollRequest);
  CheckStrict(SomeChallenge(), ParseEnrollChallenge);
  CheckStrict(Answer(), ParseEnrollAnswer);
  CheckStrict(Kept(), ParseEnrollKept);
}

TEST(EnrollMessages, AnotherFileIsNamed) {
  const auto parsed = ParseEnrollChallenge(Encode(Answer()));
  ASSERT_FALSE(parsed.ok());
  EXPECT_THAT(parsed.error().Text(), HasSubstr("keyclave/enroll-tpm-answer/1"));
}

TEST(EnrollMessages, PartsHaveLimits) {
  EnrollRequest request = Request();
  request.ek_certificate.resize(4097);
  EXPECT_EQ(ParseEnrollRequest(Encode(request)).code(), Code::kTooLarge);
  request = Request();
  request.area.clear();
  EXPECT_EQ(ParseEnrollRequest(Encode(request)).code(), Code::kMalformed);
  EnrollChallenge challenge = SomeChallenge();
  challenge.credential.identity.resize(attest::tpm::kMaxCredential + 1);
  EXPECT_EQ(ParseEnrollChallenge(Encode(challenge)).code(), Code::kTooLarge);
}

TEST(EnrollMessages, OnlyTheAnswerToTheChallengeIsAccepted) {
  EnrollAnswer other = Answer();
  other.proof[0] ^= 1;
  EXPECT_EQ(Accept(Kept(), other).code(), Code::kEvidenceIdentity);
  EXPECT_FALSE(Accept(Kept(), Answer()).ok());  // what was kept holds no key
}

// The base point of P-256, which is on the curve.
Bytes Area() {
  return attest::tpm::EnrolledArea(
      *FromHex("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"),
      *FromHex("4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"));
}

// A key that could sign anything, or leave its TPM, proves nothing.
TEST(EnrolledKey, EveryAttributeCounts) {
  const Bytes area = Area();
  ASSERT_TRUE(attest::tpm::ParseEnrolledArea(area).ok());
  constexpr size_t kAttributes = 4;
  for (unsigned bit = 0; bit < 32; ++bit) {
    Bytes changed = area;
    uint8_t& byte = changed[kAttributes + 3 - bit / 8];
    byte = static_cast<uint8_t>(byte ^ 1U << (bit % 8));
    EXPECT_EQ(attest::tpm::ParseEnrolledArea(changed).code(), Code::kMalformed) << bit;
  }
}

TEST(EnrolledKey, NothingElseIsTaken) {
  const Bytes area = Area();
  for (size_t i = 0; i < area.size(); ++i)
    EXPECT_FALSE(attest::tpm::ParseEnrolledArea(ByteSpan(area).first(i)).ok()) << i;
  for (size_t bit = 0; bit < area.size() * 8; ++bit) {
    Bytes changed = area;
    changed[bit / 8] = static_cast<uint8_t>(changed[bit / 8] ^ 1U << (bit % 8));
    EXPECT_FALSE(attest::tpm::ParseEnrolledArea(changed).ok()) << bit;
  }
}

}  // namespace
}  // namespace keyclave::ctl
