#include "enclave/base/hash.h"

#include <gtest/gtest.h>

namespace keyclave {
namespace {

struct Vector {
  HashAlgorithm algorithm;
  std::string_view digest;  // of "abc": FIPS 180-4, FIPS 202, RFC 1321
};
constexpr Vector kVectors[] = {
    {HashAlgorithm::kMd5, "900150983cd24fb0d6963f7d28e17f72"},
    {HashAlgorithm::kSha1, "a9993e364706816aba3e25717850c26c9cd0d89d"},
    {HashAlgorithm::kSha224, "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"},
    {HashAlgorithm::kSha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {HashAlgorithm::kSha384,
     "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c82"
     "5"
     "a7"},
    {HashAlgorithm::kSha512,
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3fee"
     "b"
     "bd454d4423643ce80e2a9ac94fa54ca49f"},
    {HashAlgorithm::kSha3_224, "e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf"},
    {HashAlgorithm::kSha3_256, "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532"},
    {HashAlgorithm::kSha3_384,
     "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b298d88cea927ac7f539f1edf228376"
     "d"
     "25"},
    {HashAlgorithm::kSha3_512,
     "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e10e116e9192af3c91a7ec57647e39"
     "3"
     "4057340b4cf408d5a56592f8274eec53f0"}};

TEST(Hash, HasThePublishedVectors) {
  for (const Vector& vector : kVectors) {
    const auto digest = Hash(vector.algorithm, AsBytes("abc"));
    ASSERT_TRUE(digest.ok()) << vector.digest;
    EXPECT_EQ(ToHex(*digest), vector.digest);
    EXPECT_EQ(digest->size(), HashSize(vector.algorithm));
  }
  EXPECT_EQ(ToHex(Sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Bytes(ToBytes(Sha512(AsBytes("abc")))), *Hash(HashAlgorithm::kSha512, AsBytes("abc")));
}

TEST(Hash, PiecesGiveTheSameAsTheWhole) {
  Bytes data(1000);
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<uint8_t>(i * 7);
  for (const size_t step : {size_t{1}, size_t{63}, size_t{64}, size_t{65}, size_t{1000}}) {
    auto hasher = Hasher::Create(HashAlgorithm::kSha256);
    ASSERT_TRUE(hasher.ok());
    for (size_t at = 0; at < data.size(); at += step) {
      const size_t n = std::min(step, data.size() - at);
      ASSERT_TRUE(hasher->Update(ByteSpan(data).subspan(at, n)).ok());
    }
    EXPECT_TRUE(Equal(*hasher->Finish(), Sha256(data)));
    // It starts anew.
    ASSERT_TRUE(hasher->Update(AsBytes("abc")).ok());
    EXPECT_EQ(ToHex(*hasher->Finish()), kVectors[3].digest);
  }
}

TEST(Hash, AClonedDigestGoesItsOwnWay) {
  for (const Vector& vector : kVectors) {
    auto hasher = Hasher::Create(vector.algorithm);
    ASSERT_TRUE(hasher.ok());
    ASSERT_TRUE(hasher->Update(AsBytes("a")).ok());
    auto clone = hasher->Clone();
    ASSERT_TRUE(clone.ok());
    EXPECT_EQ(clone->algorithm(), vector.algorithm);
    ASSERT_TRUE(hasher->Update(AsBytes("xyz")).ok());
    ASSERT_TRUE(clone->Update(AsBytes("bc")).ok());
    EXPECT_EQ(ToHex(*clone->Finish()), vector.digest);
    EXPECT_NE(ToHex(*hasher->Finish()), vector.digest);
  }
}

TEST(Random, IsNotTheSameTwice) {
  EXPECT_NE(RandomArray<32>(), RandomArray<32>());
  EXPECT_NE(RandomArray<32>(), ByteArray<32>{});
  RandomFill({});
}

}  // namespace
}  // namespace keyclave
