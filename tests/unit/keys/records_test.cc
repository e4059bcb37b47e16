#include "enclave/keys/records.h"

#include "enclave/base/byte_reader.h"
#include "tests/unit/keys/fixture.h"

namespace keyclave::keys {
namespace {

RowHeader TestHeader() { return {TestKey(7), false, 3, Sha256(AsBytes("policy"))}; }

// Every prefix, one byte more, and every flipped bit of `whole` must be refused.
template <class Parse>
void ExpectOnlyWhole(const Bytes& whole, const Parse& parse) {
  ASSERT_TRUE(parse(whole).ok());
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(parse(ByteSpan(whole).first(size)).ok()) << size;
  Bytes longer = whole;
  longer.push_back(0);
  EXPECT_FALSE(parse(longer).ok());
  for (size_t bit = 0; bit < whole.size() * 8; ++bit) {
    Bytes changed = whole;
    changed[bit / 8] = static_cast<uint8_t>(changed[bit / 8] ^ (1U << (bit % 8)));
    EXPECT_FALSE(parse(changed).ok()) << "bit " << bit;
  }
}

class Records : public testing::Test {
 protected:
  const KeyGenerations keys_{TestSecret()};
  RowSealer sealer_{keys_};
};

TEST_F(Records, RowHeaderComesBack) {
  for (const bool tombstone : {false, true}) {
    RowHeader header = TestHeader();
    header.tombstone = tombstone;
    const RowHeader parsed = Must(ParseRowHeader(EncodeRowHeader(header)));
    EXPECT_EQ(parsed.tombstone, tombstone);
    EXPECT_EQ(parsed.key.type, header.key.type);
    EXPECT_EQ(parsed.key.token, header.key.token);
    EXPECT_EQ(parsed.key.id, header.key.id);
    EXPECT_EQ(parsed.version, 3U);
    EXPECT_EQ(parsed.policy_digest, header.policy_digest);
  }
}

TEST_F(Records, RowHeaderOfAnotherLengthOrKindIsRefused) {
  const Bytes whole = EncodeRowHeader(TestHeader());
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_EQ(ParseRowHeader(ByteSpan(whole).first(size)).code(),
              size == 0 || size >= 2 || whole[0] != 0 ? Code::kTruncated : Code::kMalformed);
  Bytes longer = whole;
  longer.push_back(0);
  EXPECT_EQ(ParseRowHeader(longer).code(), Code::kTrailingBytes);
  for (const auto& [state, of] : std::initializer_list<std::pair<uint8_t, uint8_t>>{
           {0, 0}, {200, 200}, {4, 3}, {5, 5}, {4, 5}, {255, 4}}) {
    Bytes changed = whole;
    changed[0] = state;
    changed[1] = of;
    EXPECT_EQ(ParseRowHeader(changed).code(), Code::kMalformed) << int{state} << " " << int{of};
  }
  RowHeader unversioned = TestHeader();
  unversioned.version = 0;
  EXPECT_EQ(ParseRowHeader(EncodeRowHeader(unversioned)).code(), Code::kMalformed);
}

TEST_F(Records, BodiesArePaddedToBlocks) {
  for (const size_t size : {0U, 1U, 251U, 252U, 253U, 508U, 509U, 100'000U}) {
    const Bytes body(size, 0xff);
    const Bytes padded = PadBody(body);
    EXPECT_EQ(padded.size(), (size + 4 + 255) / 256 * 256);
    EXPECT_EQ(Must(UnpadBody(padded)), body);
  }
}

TEST_F(Records, PaddingThatIsNotOursIsRefused) {
  const Bytes padded = PadBody(Bytes(10, 1));
  EXPECT_FALSE(UnpadBody({}).ok());
  EXPECT_FALSE(UnpadBody(ByteSpan(padded).first(255)).ok());
  Bytes block_too_many = padded;
  block_too_many.resize(512);
  EXPECT_FALSE(UnpadBody(block_too_many).ok());
  Bytes not_zero = padded;
  not_zero.back() = 1;
  EXPECT_FALSE(UnpadBody(not_zero).ok());
  Bytes too_long = padded;
  too_long[2] = 1;  // 266 bytes in a block of 252
  EXPECT_EQ(UnpadBody(too_long).code(), Code::kTruncated);
  too_long[0] = 1;  // 16 MiB
  EXPECT_EQ(UnpadBody(too_long).code(), Code::kTooLarge);
}

TEST_F(Records, RowOpensOnlyWholeAndUnderItsOwnId) {
  const RowHeader header = TestHeader();
  const store::RowId row = sealer_.IdOf(header.key);
  const Bytes sealed = Must(sealer_.Seal(row, header, AsBytes("the body")));
  const OpenedRow opened = Must(sealer_.Open(row, sealed));
  EXPECT_EQ(opened.body, ToBytes("the body"));
  EXPECT_EQ(opened.header.version, 3U);
  EXPECT_EQ(opened.header.generation, kFirstGeneration);
  ExpectOnlyWhole(sealed, [&](ByteSpan bytes) { return sealer_.Open(row, bytes); });
  EXPECT_EQ(sealer_.Open(sealer_.IdOf(TestKey(8)), sealed).code(), Code::kSealFailed);
  const KeyGenerations other_keys(TestSecret(1));
  EXPECT_EQ(RowSealer(other_keys).Open(row, sealed).code(), Code::kSealFailed);
}

// lesson 25: what authenticates a row has a length for every field, and a key of its own.
TEST_F(Records, RowsPartsCannotBeMixed) {
  RowHeader header = TestHeader();
  const store::RowId row = sealer_.IdOf(header.key);
  const Bytes third = Must(sealer_.Seal(row, header, AsBytes("third")));
  header.version = 4;
  const Bytes fourth = Must(sealer_.Seal(row, header, AsBytes("fourth")));
  constexpr size_t kFirstPart = 1 + 4 + 74 + 28;
  Bytes mixed = ToBytes(ByteSpan(third).first(kFirstPart));
  mixed.insert(mixed.end(), fourth.begin() + kFirstPart, fourth.end());
  EXPECT_EQ(sealer_.Open(row, mixed).code(), Code::kSealFailed);
}

TEST_F(Records, RowOfANewerFormatIsNewer) {
  const store::RowId row = sealer_.IdOf(TestKey(7));
  Bytes sealed = Must(sealer_.Seal(row, TestHeader(), {}));
  sealed[0] = 3;
  EXPECT_EQ(sealer_.Open(row, sealed).code(), Code::kStoreNewer);
}

// lesson 28
TEST_F(Records, NothingOfARecordIsReadableInItsRow) {
  const RowHeader header = TestHeader();
  const std::string body(300, 'A');
  const Bytes sealed = Must(sealer_.Seal(sealer_.IdOf(header.key), header, AsBytes(body)));
  const std::string text(AsText(sealed));
  EXPECT_EQ(text.find("AAAA"), std::string::npos);
  EXPECT_EQ(text.find(std::string(AsText(header.policy_digest))), std::string::npos);
  EXPECT_EQ(text.find(std::string(8, '\0')), std::string::npos);
}

TEST_F(Records, BodyAboveTheLimitIsRefused) {
  const store::RowId row = sealer_.IdOf(TestKey(7));
  EXPECT_TRUE(sealer_.Seal(row, TestHeader(), Bytes(kMaxBody)).ok());
  EXPECT_EQ(sealer_.Seal(row, TestHeader(), Bytes(kMaxBody + 1)).code(), Code::kTooLarge);
}

TEST_F(Records, HeadOpensOnlyWhole) {
  const Head head{41, 1000, Sha256(AsBytes("root"))};
  const Bytes sealed = Must(SealHead(keys_, head));
  const Head opened = Must(OpenHead(keys_, sealed));
  EXPECT_EQ(opened.epoch, 41U);
  EXPECT_EQ(opened.rows, 1000U);
  EXPECT_EQ(opened.digest, head.digest);
  ExpectOnlyWhole(sealed, [&](ByteSpan bytes) { return OpenHead(keys_, bytes); });
}

TEST_F(Records, HeadSaysWhyItIsRefused) {
  const Bytes sealed = Must(SealHead(keys_, {41, 1000, {}}));
  EXPECT_EQ(OpenHead(KeyGenerations(TestSecret(1)), sealed).code(), Code::kStoreForeign);
  Bytes newer = sealed;
  newer[4] = 3;
  EXPECT_EQ(OpenHead(keys_, newer).code(), Code::kStoreNewer);
  Bytes other_epoch = sealed;
  other_epoch[5 + 16 + 4 + 7] ^= 1;
  EXPECT_EQ(OpenHead(keys_, other_epoch).code(), Code::kStoreCorrupt);
}

TEST_F(Records, MarkOpensOnlyWhole) {
  const Witness::Mark mark{57, Sha256(AsBytes("head"))};
  const Bytes encoded = EncodeMark(keys_.names().WitnessKey(), {mark, 4711});
  EXPECT_EQ(encoded.size(), kMarkSize);
  const auto parsed = Must(ParseMark(keys_.names().WitnessKey(), encoded));
  EXPECT_EQ(parsed.mark.epoch, 57U);
  EXPECT_EQ(parsed.mark.head_digest, mark.head_digest);
  EXPECT_EQ(parsed.count, 4711U);
  ExpectOnlyWhole(encoded,
                  [&](ByteSpan bytes) { return ParseMark(keys_.names().WitnessKey(), bytes); });
  EXPECT_EQ(ParseMark(KeySchedule(TestSecret(1)).WitnessKey(), encoded).code(), Code::kSealFailed);
}

}  // namespace
}  // namespace keyclave::keys
