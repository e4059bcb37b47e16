// COSE_Sign1 as attestation uses it.

#include "attest/cose.h"

#include <gtest/gtest.h>

#include "enclave/base/cbor.h"
#include "tests/fakes/fake_ca.h"

namespace keyclave::attest {
namespace {

using test::FakeKey;
using test::FakeKeyKind;

Bytes Header(int64_t algorithm) {
  CborWriter header;
  header.Map(1);
  header.Uint(1);
  header.Int(algorithm);
  return std::move(header).Finish();
}

struct Parts {
  Bytes header = Header(-35);
  Bytes unprotected = {0xa0};
  Bytes payload = {1, 2, 3};
  Bytes signature = {};
  uint64_t count = 4;
};

Bytes Encode(const Parts& parts) {
  CborWriter message;
  message.Array(parts.count);
  message.ByteString(parts.header);
  message.Raw(parts.unprotected);
  message.ByteString(parts.payload);
  message.ByteString(parts.signature);
  return std::move(message).Finish();
}

Bytes Signature(const FakeKey& key, SignatureScheme scheme, const Parts& parts) {
  CborWriter to_be_signed;
  to_be_signed.Array(4);
  to_be_signed.Text("Signature1");
  to_be_signed.ByteString(parts.header);
  to_be_signed.ByteString({});
  to_be_signed.ByteString(parts.payload);
  const auto raw = key.SignRaw(scheme, to_be_signed.bytes());
  Bytes signature = raw.r;
  signature.insert(signature.end(), raw.s.begin(), raw.s.end());
  return signature;
}

class Cose : public testing::Test {
 protected:
  Cose() { parts_.signature = Signature(key_, SignatureScheme::kEcdsaP384Sha384, parts_); }
  FakeKey key_ = FakeKey::Make(FakeKeyKind::kP384);
  Parts parts_;
};

TEST_F(Cose, VerifiesUnderItsKeyAndNoOther) {
  const auto message = ParseCoseSign1(Encode(parts_));
  ASSERT_TRUE(message.ok()) << message.error().Text();
  EXPECT_EQ(message->algorithm, CoseAlgorithm::kEs384);
  EXPECT_TRUE(VerifyCoseSign1(*message, key_.Public()).ok());
  for (const FakeKeyKind kind : {FakeKeyKind::kP384, FakeKeyKind::kP256}) {
    const FakeKey other = FakeKey::Make(kind);
    EXPECT_EQ(VerifyCoseSign1(*message, other.Public()).code(), Code::kEvidenceSignature);
  }
}

TEST_F(Cose, TheTagMayStandInFront) {
  Bytes tagged = Encode(parts_);
  tagged.insert(tagged.begin(), 0xd2);
  EXPECT_TRUE(ParseCoseSign1(tagged).ok());
  tagged.insert(tagged.begin(), 0xd2);
  EXPECT_FALSE(ParseCoseSign1(tagged).ok());
  tagged = Encode(parts_);
  tagged.insert(tagged.begin(), 0xd1);  // COSE_Mac0
  EXPECT_FALSE(ParseCoseSign1(tagged).ok());
}

TEST_F(Cose, HeadersHoldTheAlgorithmAlone) {
  const auto parses = [](const Parts& parts) { return ParseCoseSign1(Encode(parts)).ok(); };
  Parts bad = parts_;
  for (const Bytes& header :
       {Bytes{}, Bytes{0xa0}, Bytes{0xa1, 0x01}, Bytes{0xa1, 0x04, 0x38, 0x22},
        Bytes{0xa2, 0x01, 0x38, 0x22, 0x04, 0x00}, Bytes{0xa1, 0x01, 0x38, 0x22, 0x00},
        Bytes{0xbf, 0x01, 0x38, 0x22, 0xff}, Bytes{0xa1, 0x01, 0x39, 0x00, 0x22}, Header(-37),
        Header(-8), Header(5), Header(0), Bytes(17, 0xa0)}) {
    bad.header = header;
    EXPECT_FALSE(parses(bad)) << ToHex(header);
  }
  bad = parts_;
  for (const Bytes& header : {Bytes{0xf6}, Bytes{0xa1, 0x04, 0x41, 0x00}, Bytes{0xbf, 0xff}}) {
    bad.unprotected = header;
    EXPECT_FALSE(parses(bad)) << ToHex(header);
  }
}

TEST_F(Cose, TheSignatureHasTheAlgorithmsLength) {
  for (const size_t size : {0U, 1U, 64U, 95U, 97U, 132U, 133U}) {
    Parts bad = parts_;
    bad.signature.resize(size);
    EXPECT_FALSE(ParseCoseSign1(Encode(bad)).ok()) << size;
  }
}

TEST_F(Cose, TheAlgorithmIsTheKeys) {
  // A header that says ES256 does not make a P-384 key sign with SHA-256.
  Parts parts = parts_;
  parts.header = Header(-7);
  parts.signature.resize(64);
  const auto message = ParseCoseSign1(Encode(parts));
  ASSERT_TRUE(message.ok());
  EXPECT_EQ(VerifyCoseSign1(*message, key_.Public()).code(), Code::kEvidenceSignature);
  const FakeKey small = FakeKey::Make(FakeKeyKind::kP256);
  parts.signature = Signature(small, SignatureScheme::kEcdsaP256Sha256, parts);
  const auto good = ParseCoseSign1(Encode(parts));
  ASSERT_TRUE(good.ok());
  EXPECT_TRUE(VerifyCoseSign1(*good, small.Public()).ok());
}

TEST_F(Cose, OfAnotherShapeIsRefused) {
  const Bytes good = Encode(parts_);
  for (size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(ParseCoseSign1(ByteSpan(good).first(size)).ok()) << size;
  Bytes bad = good;
  bad.push_back(0);
  EXPECT_EQ(ParseCoseSign1(bad).code(), Code::kTrailingBytes);
  for (const uint64_t count : {0U, 3U, 5U}) {
    Parts parts = parts_;
    parts.count = count;
    EXPECT_FALSE(ParseCoseSign1(Encode(parts)).ok()) << count;
  }
}

}  // namespace
}  // namespace keyclave::attest
