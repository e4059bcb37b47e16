#include "enclave/base/cbor.h"

#include <gtest/gtest.h>

namespace keyclave {
namespace {

Bytes Hex(std::string_view hex) { return FromHex(hex).value(); }

// RFC 8949, appendix A: the examples of the kinds that are used here.
TEST(Cbor, HasTheExamplesOfRfc8949) {
  const std::vector<std::pair<uint64_t, std::string>> numbers = {
      {0, "00"},
      {1, "01"},
      {10, "0a"},
      {23, "17"},
      {24, "1818"},
      {25, "1819"},
      {100, "1864"},
      {255, "18ff"},
      {256, "190100"},
      {1000, "1903e8"},
      {65535, "19ffff"},
      {65536, "1a00010000"},
      {1000000, "1a000f4240"},
      {4294967295, "1affffffff"},
      {4294967296, "1b0000000100000000"},
      {1000000000000, "1b000000e8d4a51000"},
      {18446744073709551615U, "1bffffffffffffffff"}};
  for (const auto& [value, hex] : numbers) {
    CborWriter writer;
    writer.Uint(value);
    EXPECT_EQ(ToHex(writer.bytes()), hex);
    const Bytes bytes = Hex(hex);
    CborReader reader(bytes);
    EXPECT_EQ(*reader.Uint(), value);
    EXPECT_TRUE(reader.ExpectEnd().ok());
  }
  const std::vector<std::pair<int64_t, std::string>> integers = {{-1, "20"},
                                                                 {-10, "29"},
                                                                 {-24, "37"},
                                                                 {-25, "3818"},
                                                                 {-100, "3863"},
                                                                 {-1000, "3903e7"},
                                                                 {INT64_MIN, "3b7fffffffffffffff"},
                                                                 {INT64_MAX, "1b7fffffffffffffff"},
                                                                 {0, "00"}};
  for (const auto& [value, hex] : integers) {
    CborWriter writer;
    writer.Int(value);
    EXPECT_EQ(ToHex(writer.bytes()), hex);
    const Bytes bytes = Hex(hex);
    EXPECT_EQ(*CborReader(bytes).Int(), value);
  }
}

TEST(Cbor, StringsAndContainersAreReadAsWritten) {
  CborWriter writer;
  writer.Map(2);
  writer.Uint(1);
  writer.Text("\xc3\xbc");
  writer.Uint(2);
  writer.Array(3);
  writer.ByteString(Hex("01020304"));
  writer.Bool(true);
  writer.Bool(false);
  EXPECT_EQ(ToHex(writer.bytes()), "a20162c3bc02834401020304f5f4");
  CborReader reader(writer.bytes());
  EXPECT_EQ(*reader.Map(2), 2U);
  EXPECT_EQ(*reader.Uint(), 1U);
  EXPECT_EQ(*reader.Text(2), "\xc3\xbc");
  EXPECT_EQ(*reader.Uint(), 2U);
  EXPECT_EQ(*reader.Array(3), 3U);
  EXPECT_EQ(ToHex(*reader.ByteString(4)), "01020304");
  EXPECT_TRUE(*reader.Bool());
  EXPECT_FALSE(*reader.Bool());
  EXPECT_TRUE(reader.ExpectEnd().ok());
  EXPECT_EQ(reader.Uint().code(), Code::kTruncated);
}

TEST(Cbor, LimitsArePerField) {
  const Bytes text = Hex("6461626364");
  EXPECT_TRUE(CborReader(text).Text(4).ok());
  EXPECT_EQ(CborReader(text).Text(3).code(), Code::kTooLarge);
  const Bytes bytes = Hex("4401020304");
  EXPECT_TRUE(CborReader(bytes).ByteString(4).ok());
  EXPECT_EQ(CborReader(bytes).ByteString(3).code(), Code::kTooLarge);
  const Bytes array = Hex("9bffffffffffffffff");  // a count that nobody can send
  EXPECT_FALSE(CborReader(array).Array(1000).ok());
  const Bytes map = Hex("bbffffffffffffffff");
  EXPECT_FALSE(CborReader(map).Map(1000).ok());
}

TEST(Cbor, OnlyTheShortestFormIsAccepted) {
  for (const char* hex : {"1800", "1817", "190000", "1900ff", "1a0000ffff", "1b00000000ffffffff"}) {
    const Bytes bytes = Hex(hex);
    EXPECT_EQ(CborReader(bytes).Uint().code(), Code::kMalformed) << hex;
  }
  for (const char* hex : {"580100", "5900020102"})
    EXPECT_EQ(CborReader(Hex(hex)).ByteString(9).code(), Code::kMalformed) << hex;
  EXPECT_EQ(CborReader(Hex("780161")).Text(9).code(), Code::kMalformed);
  EXPECT_EQ(CborReader(Hex("980100")).Array(9).code(), Code::kMalformed);
  EXPECT_EQ(CborReader(Hex("b8010000")).Map(9).code(), Code::kMalformed);
}

TEST(Cbor, OtherKindsAreRefused) {
  // Indefinite lengths, tags, floats, null, undefined, simple values, a lone break.
  for (const char* hex :
       {"5f4101ff", "7f6161ff", "9f01ff", "bf0102ff", "c000", "d82000", "f90000", "fa00000000",
        "fb0000000000000000", "f6", "f7", "f0", "f8ff", "ff", "1c", "1f", "fc"}) {
    const Bytes bytes = Hex(hex);
    EXPECT_FALSE(CborReader(bytes).Uint().ok()) << hex;
    EXPECT_FALSE(CborReader(bytes).Int().ok()) << hex;
    EXPECT_FALSE(CborReader(bytes).Bool().ok()) << hex;
    EXPECT_FALSE(CborReader(bytes).ByteString(100).ok()) << hex;
    EXPECT_FALSE(CborReader(bytes).Text(100).ok()) << hex;
    EXPECT_FALSE(CborReader(bytes).Array(100).ok()) << hex;
    EXPECT_FALSE(CborReader(bytes).Map(100).ok()) << hex;
  }
}

TEST(Cbor, AnotherTypeIsRefusedAndNotConsumed) {
  const Bytes bytes = Hex("01");
  CborReader reader(bytes);
  EXPECT_EQ(reader.Text(9).code(), Code::kMalformed);
  EXPECT_EQ(reader.Bool().code(), Code::kMalformed);
  EXPECT_EQ(reader.Map(9).code(), Code::kMalformed);
  EXPECT_EQ(*reader.Uint(), 1U);
  EXPECT_EQ(CborReader(Hex("20")).Uint().code(), Code::kMalformed);
  EXPECT_EQ(CborReader(Hex("1b8000000000000000")).Int().code(), Code::kTooLarge);
  EXPECT_EQ(CborReader(Hex("3b8000000000000000")).Int().code(), Code::kTooLarge);
}

TEST(Cbor, TextIsUtf8) {
  EXPECT_EQ(CborReader(Hex("62c328")).Text(9).code(), Code::kMalformed);
  EXPECT_EQ(CborReader(Hex("61ff")).Text(9).code(), Code::kMalformed);
  EXPECT_EQ(CborReader(Hex("63eda080")).Text(9).code(), Code::kMalformed);
}

TEST(Cbor, EveryTruncationIsTruncated) {
  for (const char* hex :
       {"1903e8", "1a000f4240", "1bffffffffffffffff", "4401020304", "6461626364", "590100"}) {
    const Bytes whole = Hex(hex);
    for (size_t n = 0; n < whole.size(); ++n) {
      const ByteSpan cut = ByteSpan(whole).first(n);
      EXPECT_FALSE(CborReader(cut).Uint().ok()) << hex << " " << n;
      EXPECT_FALSE(CborReader(cut).ByteString(1000).ok()) << hex << " " << n;
      EXPECT_FALSE(CborReader(cut).Text(1000).ok()) << hex << " " << n;
    }
  }
  EXPECT_EQ(CborReader(ByteSpan()).Uint().code(), Code::kTruncated);
  const Bytes more = Hex("0102");
  CborReader reader(more);
  ASSERT_TRUE(reader.Uint().ok());
  EXPECT_EQ(reader.ExpectEnd().code(), Code::kTrailingBytes);
}

// What is accepted is what the writer would have written: one value, one encoding.
TEST(Cbor, AcceptedBytesEncodeBackToThemselves) {
  for (uint32_t pattern = 0; pattern < 0x20000; ++pattern) {
    const Bytes bytes{static_cast<uint8_t>(pattern >> 9), static_cast<uint8_t>(pattern >> 1),
                      static_cast<uint8_t>(pattern << 7), 0x00};
    CborReader reader(bytes);
    const auto value = reader.Int();
    if (!value.ok()) continue;
    CborWriter writer;
    writer.Int(*value);
    const size_t used = bytes.size() - reader.remaining();
    EXPECT_TRUE(Equal(writer.bytes(), ByteSpan(bytes).first(used))) << ToHex(bytes);
  }
}

// Tags, null and maps of indefinite length are read by those who ask for them, and by nobody else.
TEST(Cbor, ForeignItemsAreReadOnlyWhenAskedFor) {
  for (const char* hex : {"d201", "d84501", "d9018f01", "f6", "bfff", "ff"}) {
    const Bytes bytes = Hex(hex);
    EXPECT_EQ(CborReader(bytes).Uint().code(), Code::kMalformed) << hex;
    EXPECT_EQ(CborReader(bytes).Int().code(), Code::kMalformed) << hex;
    EXPECT_EQ(CborReader(bytes).Bool().code(), Code::kMalformed) << hex;
    EXPECT_EQ(CborReader(bytes).Map(10).code(), Code::kMalformed) << hex;
    EXPECT_EQ(CborReader(bytes).Array(10).code(), Code::kMalformed) << hex;
    EXPECT_EQ(CborReader(bytes).ByteString(10).code(), Code::kMalformed) << hex;
    EXPECT_EQ(CborReader(bytes).Text(10).code(), Code::kMalformed) << hex;
  }
}

TEST(Cbor, ATagIsTakenWhenItIsTheWantedOne) {
  struct Row {
    uint64_t tag;
    const char* hex;
  };
  for (const Row& row : {Row{0, "c001"}, Row{18, "d201"}, Row{69, "d84501"}, Row{399, "d9018f01"},
                         Row{UINT32_MAX, "daffffffff01"}}) {
    const Bytes bytes = Hex(row.hex);
    CborReader reader(bytes);
    EXPECT_FALSE(reader.TakeTag(row.tag + 1));
    EXPECT_TRUE(reader.TakeTag(row.tag)) << row.hex;
    EXPECT_FALSE(reader.TakeTag(row.tag));
    EXPECT_EQ(*reader.Uint(), 1U);
    EXPECT_FALSE(reader.TakeTag(row.tag));
  }
  EXPECT_FALSE(CborReader(Hex("d812")).TakeTag(18));  // not the shortest form
}

TEST(Cbor, NullAndOpenMapsAreTaken) {
  const Bytes bytes = Hex("bff60102f6ff");
  CborReader reader(bytes);
  EXPECT_FALSE(reader.TakeNull());
  EXPECT_FALSE(reader.TakeBreak());
  const auto open = reader.OpenMap(3);
  ASSERT_TRUE(open.ok());
  EXPECT_FALSE(open->has_value());
  EXPECT_TRUE(reader.TakeNull());
  EXPECT_EQ(*reader.Uint(), 1U);
  EXPECT_EQ(*reader.Uint(), 2U);
  EXPECT_TRUE(reader.TakeNull());
  EXPECT_TRUE(reader.TakeBreak());
  EXPECT_TRUE(reader.ExpectEnd().ok());
  EXPECT_FALSE(reader.TakeBreak());
  EXPECT_FALSE(reader.TakeNull());
  const Bytes definite = Hex("a2");
  EXPECT_EQ(*CborReader(definite).OpenMap(2), std::optional<uint64_t>(2));
  EXPECT_EQ(CborReader(definite).OpenMap(1).code(), Code::kTooLarge);
}

}  // namespace
}  // namespace keyclave
