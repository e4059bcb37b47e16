#include "enclave/base/bytes.h"

#include <gtest/gtest.h>

#include "enclave/base/byte_reader.h"

namespace keyclave {
namespace {

Bytes Counting(size_t n) {
  Bytes bytes(n);
  for (size_t i = 0; i < n; ++i) bytes[i] = static_cast<uint8_t>(i + 1);
  return bytes;
}

TEST(Hex, IsReadAsItIsWritten) {
  Bytes all(256);
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<uint8_t>(i);
  const std::string hex = ToHex(all);
  EXPECT_EQ(hex.size(), 512U);
  EXPECT_EQ(hex.substr(0, 8), "00010203");
  EXPECT_EQ(hex.substr(508), "feff");
  EXPECT_EQ(*FromHex(hex), all);
  EXPECT_EQ(ToHex({}), "");
  EXPECT_EQ(*FromHex(""), Bytes{});
  EXPECT_EQ(*FromHex("aBCd"), (Bytes{0xab, 0xcd}));
}

TEST(Hex, RefusesOddLengthsAndOtherCharacters) {
  for (const char* bad : {"a", "abc", "0g", "g0", " 0", "0x", "0x12", "-1", "\xc3\xa9"})
    EXPECT_EQ(FromHex(bad).code(), Code::kMalformed) << bad;
}

TEST(Base64, HasTheVectorsOfRfc4648) {
  const std::vector<std::pair<std::string, std::string>> vectors = {{"", ""},
                                                                    {"f", "Zg=="},
                                                                    {"fo", "Zm8="},
                                                                    {"foo", "Zm9v"},
                                                                    {"foob", "Zm9vYg=="},
                                                                    {"fooba", "Zm9vYmE="},
                                                                    {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : vectors) {
    EXPECT_EQ(ToBase64(AsBytes(plain)), encoded);
    EXPECT_EQ(AsText(*FromBase64(encoded)), plain);
    std::string unpadded = encoded;
    while (unpadded.ends_with('=')) unpadded.pop_back();
    EXPECT_EQ(ToBase64Url(AsBytes(plain)), unpadded);
    EXPECT_EQ(AsText(*FromBase64(unpadded)), plain);
  }
  const Bytes high{0xfb, 0xff, 0xbf};
  EXPECT_EQ(ToBase64(high), "+/+/");
  EXPECT_EQ(ToBase64Url(high), "-_-_");
  EXPECT_EQ(*FromBase64("+/-_"), high);
}

TEST(Base64, RefusesWhatNoEncoderWrites) {
  for (const char* bad : {"A", "AAAAA", "Zh==", "Zm9=", "Zg=", "Zg===", "=", "====", "Zm 9v",
                          "Zm9v\n", "Zm9v!", "Z=g=", "==Zg"})
    EXPECT_EQ(FromBase64(bad).code(), Code::kMalformed) << bad;
}

TEST(Utf8, IsWellFormedOrNot) {
  for (const char* good : {"", "abc", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf",
                           "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"})
    EXPECT_TRUE(IsUtf8(AsBytes(good))) << ToHex(AsBytes(good));
  for (const char* bad :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x41", "\xe0\x9f\xbf", "\xe1\x80",
        "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff",
        "\xf1\x80\x80", "ok\xe2\x82"})
    EXPECT_FALSE(IsUtf8(AsBytes(bad))) << ToHex(AsBytes(bad));
}

TEST(Comparison, IsWholeAndExact) {
  const Bytes a = Counting(5);
  EXPECT_TRUE(EqualConstantTime(a, a));
  EXPECT_TRUE(EqualConstantTime({}, {}));
  EXPECT_FALSE(EqualConstantTime(a, ByteSpan(a).first(4)));
  EXPECT_FALSE(EqualConstantTime(ByteSpan(a).first(4), a));
  EXPECT_FALSE(Equal(a, ByteSpan(a).first(4)));
  for (size_t i = 0; i < a.size(); ++i) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      Bytes b = a;
      b[i] = static_cast<uint8_t>(b[i] ^ (1U << bit));
      EXPECT_FALSE(EqualConstantTime(a, b));
      EXPECT_FALSE(Equal(a, b));
    }
  }
}

TEST(FromC, NullAndEmptyAreEmpty) {
  const uint8_t byte = 7;
  EXPECT_TRUE(FromC(nullptr, 0).empty());
  EXPECT_TRUE(FromC(nullptr, 5).empty());
  EXPECT_TRUE(FromC(&byte, 0).empty());
  EXPECT_EQ(FromC(&byte, 1).front(), 7);
}

TEST(ByteReader, TakesExactlyWhatIsThere) {
  const Bytes bytes = Counting(4);
  for (size_t n = 0; n <= 6; ++n) {
    ByteReader reader(bytes);
    const auto taken = reader.Take(n);
    EXPECT_EQ(taken.ok(), n <= 4) << n;
    EXPECT_EQ(reader.remaining(), n <= 4 ? 4 - n : 4U);  // a refused call consumes nothing
    EXPECT_TRUE(taken.ok() || taken.code() == Code::kTruncated);
  }
  ByteReader reader(bytes);
  EXPECT_EQ(reader.Take(SIZE_MAX).code(), Code::kTruncated);
  ASSERT_TRUE(reader.Take(1).ok());
  EXPECT_EQ(reader.Take(SIZE_MAX).code(), Code::kTruncated);
  EXPECT_EQ(reader.Take(SIZE_MAX - 2).code(), Code::kTruncated);
}

TEST(ByteReader, ReadsIntegersOfBothOrders) {
  const Bytes bytes{0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0xf8};
  EXPECT_EQ(*ByteReader(bytes).TakeLe<uint8_t>(), 0x01);
  EXPECT_EQ(*ByteReader(bytes).TakeLe<uint16_t>(), 0x0201);
  EXPECT_EQ(*ByteReader(bytes).TakeBe<uint16_t>(), 0x0102);
  EXPECT_EQ(*ByteReader(bytes).TakeLe<uint32_t>(), 0x04030201U);
  EXPECT_EQ(*ByteReader(bytes).TakeBe<uint32_t>(), 0x01020304U);
  EXPECT_EQ(*ByteReader(bytes).TakeLe<uint64_t>(), 0xf807060504030201U);
  EXPECT_EQ(*ByteReader(bytes).TakeBe<uint64_t>(), 0x01020304050607f8U);
  for (size_t n = 0; n < 8; ++n) {
    ByteReader reader(ByteSpan(bytes).first(n));
    EXPECT_EQ(reader.TakeBe<uint64_t>().code(), Code::kTruncated);
    EXPECT_EQ(reader.remaining(), n);
  }
}

TEST(ByteReader, PrefixedFieldsObeyTheirMaximum) {
  for (const size_t length : {size_t{0}, size_t{1}, size_t{9}, size_t{10}, size_t{11}}) {
    ByteWriter writer;
    writer.PutLe(static_cast<uint16_t>(length));
    writer.Put(Counting(length));
    ByteReader reader(writer.bytes());
    const auto field = reader.TakePrefixedLe<uint16_t>(10);
    EXPECT_EQ(field.ok(), length <= 10) << length;
    if (field.ok()) {
      EXPECT_EQ(field->size(), length);
      EXPECT_TRUE(reader.ExpectEnd().ok());
    } else {
      EXPECT_EQ(field.code(), Code::kTooLarge);
    }
  }
  const Bytes short_field{0x00, 0x05, 1, 2, 3, 4};
  EXPECT_EQ(ByteReader(short_field).TakePrefixedBe<uint16_t>(10).code(), Code::kTruncated);
  const Bytes huge{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1};
  EXPECT_EQ(ByteReader(huge).TakePrefixedLe<uint64_t>(SIZE_MAX).code(), Code::kTruncated);
  EXPECT_EQ(ByteReader(Bytes{0x01}).TakePrefixedLe<uint16_t>(10).code(), Code::kTruncated);
}

TEST(ByteReader, ASubReaderSeesItsPartOnly) {
  const Bytes bytes = Counting(6);
  ByteReader reader(bytes);
  auto sub = reader.Sub(4);
  ASSERT_TRUE(sub.ok());
  EXPECT_EQ(reader.remaining(), 2U);
  EXPECT_TRUE(sub->Take(4).ok());
  EXPECT_EQ(sub->Take(1).code(), Code::kTruncated);
  EXPECT_EQ(reader.Sub(3).code(), Code::kTruncated);
  EXPECT_EQ(*reader.TakeBe<uint16_t>(), 0x0506);
}

TEST(ByteReader, ReservedBytesMustBeZero) {
  EXPECT_TRUE(ByteReader(Bytes(5)).ExpectZero(5).ok());
  EXPECT_TRUE(ByteReader(Bytes{}).ExpectZero(0).ok());
  EXPECT_EQ(ByteReader(Bytes(4)).ExpectZero(5).code(), Code::kTruncated);
  for (size_t i = 0; i < 5; ++i) {
    Bytes bytes(5);
    bytes[i] = 0x80;
    EXPECT_EQ(ByteReader(bytes).ExpectZero(5).code(), Code::kMalformed);
  }
  EXPECT_EQ(ByteReader(Bytes(1)).ExpectEnd().code(), Code::kTrailingBytes);
}

TEST(ByteReader, ArraysAreCopies) {
  Bytes bytes = Counting(4);
  ByteReader reader(bytes);
  const auto array = reader.TakeArray<4>();
  ASSERT_TRUE(array.ok());
  bytes[0] = 99;
  EXPECT_EQ((*array)[0], 1);
  EXPECT_EQ(reader.TakeArray<2>().code(), Code::kTruncated);
}

TEST(ByteWriter, PrefixesMakeConcatenationsUnambiguous) {
  const auto joined = [](std::string_view a, std::string_view b) {
    ByteWriter writer;
    writer.PutPrefixed(AsBytes(a));
    writer.PutPrefixed(AsBytes(b));
    return std::move(writer).Finish();
  };
  EXPECT_NE(joined("ab", "c"), joined("a", "bc"));
  EXPECT_EQ(ToHex(joined("a", "")), "000000016100000000");
  ByteWriter writer;
  writer.PutBe(uint32_t{0x01020304});
  writer.PutLe(uint16_t{0x0506});
  EXPECT_EQ(ToHex(writer.bytes()), "010203040605");
}

}  // namespace
}  // namespace keyclave
