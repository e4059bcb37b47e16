// The expected keys were computed by an independent implementation of RFC 5869 (Python's hmac).
#include "enclave/keys/key_schedule.h"

#include "enclave/keys/records.h"
#include "enclave/keys/seal.h"
#include "tests/unit/keys/fixture.h"

namespace keyclave::keys {
namespace {

std::string Hex(const SecretBytes& secret) { return ToHex(secret.Expose(SecretAccess())); }

store::RowId Row(uint8_t byte) {
  store::RowId row;
  row.fill(byte);
  return row;
}

TEST(KeySchedule, DerivesWhatRfc5869Says) {
  const KeySchedule keys(TestSecret());
  ByteArray<16> token;
  token.fill(0x11);
  EXPECT_EQ(ToHex(keys.EnclaveId()), "197a8066efc0f03cb9a6304e042e2e65");
  EXPECT_EQ(Hex(keys.RowIdKey()),
            "2e29c46ddd1397885d143c637620bd1663d0b21442db0d9c9f03b96b6a113919");
  EXPECT_EQ(Hex(keys.RowHeaderKey(Row(0xab))),
            "d1c960c3b63f840157d2d242a40a861e033f78a9c419b4b3de070ad62ff0e5f7");
  EXPECT_EQ(Hex(keys.TokenKey(token)),
            "06dd556332f2856647b645cc1a1f93ef7f1b735ce737ce400f98515bc196600f");
  EXPECT_EQ(Hex(keys.HeadKey(7)),
            "b2f61d13df3cfd781abd24369d090875d3c7f6133972cdc763c2479de8b916b2");
  EXPECT_EQ(Hex(keys.WitnessKey()),
            "c0b69ee38355a050e73b026c4bd4821a34d774254b573adfd67ab799028b01b8");
  EXPECT_EQ(Hex(keys.PurposeKey("audit", 40)),
            "d7768c870f8909174b9eef963c266f6d1e83aa3dd438baac062780de387effdc"
            "19b894bae30c31de");
  EXPECT_EQ(Hex(KeySchedule::RecordKey(keys.TokenKey(token), Row(0xab), 3)),
            "c2ecb48fdd546d292f385d46c147fa64cb3ca1955c07361268db66eda8fb7634");
}

TEST(KeySchedule, NamesRowsByAKeyedHash) {
  const KeyGenerations keys(TestSecret());
  const RowSealer sealer(keys);
  RecordKey key{RecordType::kObject, {}, {}};
  key.token.fill(0x11);
  key.id.fill(0x22);
  EXPECT_EQ(ToHex(sealer.IdOf(key)),
            "158117628ce57b1d0982f3b7400d8fabdc431fa5db6762f8c35aa4250a379353");
}

TEST(KeySchedule, NoTwoKeysAreAlike) {
  const KeySchedule keys(TestSecret());
  const KeySchedule other(TestSecret(1));
  const SecretBytes token = keys.TokenKey({});
  const std::set<std::string> all{Hex(keys.RowIdKey()),
                                  Hex(keys.RowHeaderKey(Row(0))),
                                  Hex(keys.RowHeaderKey(Row(1))),
                                  Hex(token),
                                  Hex(keys.TokenKey({1})),
                                  Hex(keys.HeadKey(1)),
                                  Hex(keys.HeadKey(2)),
                                  Hex(keys.WitnessKey()),
                                  Hex(keys.PurposeKey("a", 32)),
                                  Hex(keys.PurposeKey("b", 32)),
                                  Hex(KeySchedule::RecordKey(token, Row(0), 1)),
                                  Hex(KeySchedule::RecordKey(token, Row(0), 2)),
                                  Hex(KeySchedule::RecordKey(token, Row(1), 1)),
                                  Hex(other.RowIdKey()),
                                  Hex(other.WitnessKey())};
  EXPECT_EQ(all.size(), 15U);
}

TEST(Seal, OpensOnlyWhatWasSealed) {
  const SecretBytes key = TestSecret();
  const Bytes aad = ToBytes("bound");
  for (const size_t size : {0U, 1U, 15U, 16U, 17U, 4096U}) {
    const Bytes plaintext(size, 0x5a);
    const Bytes sealed = Must(Seal(key, aad, plaintext));
    EXPECT_EQ(sealed.size(), size + kSealOverhead);
    EXPECT_EQ(Must(Unseal(key, aad, sealed)), plaintext);
    EXPECT_EQ(Unseal(TestSecret(1), aad, sealed).code(), Code::kSealFailed);
    EXPECT_EQ(Unseal(key, ToBytes("other"), sealed).code(), Code::kSealFailed);
    EXPECT_EQ(Unseal(key, {}, sealed).code(), Code::kSealFailed);
    EXPECT_NE(Must(Seal(key, aad, plaintext)), sealed) << "the same nonce twice";
  }
}

TEST(Seal, RefusesEveryFlippedBitAndEveryOtherLength) {
  const SecretBytes key = TestSecret();
  const Bytes sealed = Must(Seal(key, {}, ToBytes("a small plaintext")));
  for (size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    Bytes changed = sealed;
    changed[bit / 8] = static_cast<uint8_t>(changed[bit / 8] ^ (1U << (bit % 8)));
    EXPECT_EQ(Unseal(key, {}, changed).code(), Code::kSealFailed) << bit;
  }
  for (size_t size = 0; size < sealed.size(); ++size)
    EXPECT_EQ(Unseal(key, {}, ByteSpan(sealed).first(size)).code(), Code::kSealFailed) << size;
  Bytes longer = sealed;
  longer.push_back(0);
  EXPECT_EQ(Unseal(key, {}, longer).code(), Code::kSealFailed);
}

TEST(Seal, RefusesAKeyOfAnotherSize) {
  EXPECT_EQ(Seal(SecretBytes(16), {}, {}).code(), Code::kCryptoFailed);
  EXPECT_EQ(Unseal(SecretBytes(33), {}, Bytes(kSealOverhead)).code(), Code::kCryptoFailed);
}

}  // namespace
}  // namespace keyclave::keys
