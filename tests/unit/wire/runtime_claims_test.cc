#include "enclave/wire/runtime_claims.h"

#include <gtest/gtest.h>

#include "enclave/wire/receipt.h"

namespace keyclave::wire {
namespace {

RuntimeClaims Some(size_t count) {
  RuntimeClaims claims;
  for (size_t i = 0; i < count; ++i)
    claims.release_keys.push_back({"key" + std::to_string(i), Bytes(40, static_cast<uint8_t>(i))});
  return claims;
}

Code CodeOf(const RuntimeClaims& claims) {
  const auto parsed = ParseRuntimeClaims(Encode(claims));
  EXPECT_FALSE(parsed.ok());
  return parsed.ok() ? Code::kInternal : parsed.code();
}

TEST(RuntimeClaims, ComeBackAsTheyWere) {
  for (const size_t count : {1U, 2U, 16U}) {
    const RuntimeClaims claims = Some(count);
    const auto parsed = ParseRuntimeClaims(EncodeRuntimeClaims(claims));
    ASSERT_TRUE(parsed.ok()) << parsed.error().Text();
    EXPECT_EQ(parsed->release_keys, claims.release_keys);
  }
}

TEST(RuntimeClaims, NothingIsNoBytes) {
  EXPECT_TRUE(EncodeRuntimeClaims({}).empty());
  EXPECT_TRUE(ParseRuntimeClaims({})->release_keys.empty());
  EXPECT_EQ(CodeOf(Some(0)), Code::kEvidenceMalformed);
}

TEST(RuntimeClaims, RefusesWhatIsTooMuchDoubledOrMisnamed) {
  EXPECT_EQ(CodeOf(Some(17)), Code::kEvidenceMalformed);
  RuntimeClaims claims = Some(2);
  claims.release_keys[1].name = claims.release_keys[0].name;
  EXPECT_EQ(CodeOf(claims), Code::kEvidenceMalformed);
  claims = Some(2);
  claims.release_keys[1].spki = claims.release_keys[0].spki;
  EXPECT_EQ(CodeOf(claims), Code::kEvidenceMalformed);
  for (const std::string& name : {std::string(), std::string(65, 'a'), std::string("a b"),
                                  std::string("a\n"), std::string("a\0b", 3), std::string("ü")}) {
    claims = Some(1);
    claims.release_keys[0].name = name;
    EXPECT_EQ(CodeOf(claims), Code::kEvidenceMalformed) << name;
  }
  for (const size_t size : {size_t{0}, kMaxReleaseKeySize + 1}) {
    claims = Some(1);
    claims.release_keys[0].spki = Bytes(size, 1);
    EXPECT_EQ(CodeOf(claims), Code::kEvidenceMalformed) << size;
  }
}

TEST(RuntimeClaims, RefusesEveryTruncationAndTail) {
  const Bytes whole = EncodeRuntimeClaims(Some(2));
  for (size_t size = 1; size < whole.size(); ++size)
    EXPECT_FALSE(ParseRuntimeClaims(ByteSpan(whole).first(size)).ok()) << size;
  Bytes longer = whole;
  longer.push_back(0);
  EXPECT_FALSE(ParseRuntimeClaims(longer).ok());
}

TEST(Receipt, ParsesItsOwnLabelAlone) {
  ReleaseReceipt receipt;
  receipt.label = kReceiptLabel;
  receipt.nonce = Bytes(8, 3);
  const Bytes encoded = Encode(receipt);
  ASSERT_TRUE(ParseReceipt(encoded).ok());
  EXPECT_EQ(ParseReceipt(encoded)->nonce, receipt.nonce);
  receipt.label = "keyclave/receipt/2";
  EXPECT_EQ(ParseReceipt(Encode(receipt)).code(), Code::kReceiptInvalid);
  for (size_t size = 0; size < encoded.size(); ++size)
    EXPECT_EQ(ParseReceipt(ByteSpan(encoded).first(size)).code(), Code::kReceiptInvalid) << size;
  // Another byte, another digest to sign.
  Bytes other = encoded;
  other.back() ^= 1U;
  EXPECT_NE(ReceiptDigest(other), ReceiptDigest(encoded));
}

}  // namespace
}  // namespace keyclave::wire
