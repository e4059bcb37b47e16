// Parameters, lengths and special cases of the AES and HMAC mechanisms; what all rows share is in
// the contract.

#include "tests/unit/mech/mech_testing.h"

namespace keyclave::mech {
namespace {

TEST(AesTest, LengthsPerMode) {
  const KeyPtr key = AesKeyOf(16);
  const Bytes iv(16, 3);
  for (const size_t size : {0U, 16U, 32U}) {
    EXPECT_EQ(Get(Encrypt(key, Mech(CKM_AES_ECB), Bytes(size))).size(), size);
    EXPECT_EQ(Get(Encrypt(key, WithBytes(CKM_AES_CBC, iv), Bytes(size))).size(), size);
    EXPECT_EQ(Get(Encrypt(key, WithBytes(CKM_AES_CBC_PAD, iv), Bytes(size))).size(), size + 16);
  }
  for (const size_t size : {1U, 15U, 17U}) {
    EXPECT_EQ(CodeOf(Encrypt(key, Mech(CKM_AES_ECB), Bytes(size))), "DataLenRange");
    EXPECT_EQ(CodeOf(Decrypt(key, Mech(CKM_AES_ECB), Bytes(size))), "EncryptedDataLenRange");
    EXPECT_EQ(CodeOf(Encrypt(key, WithBytes(CKM_AES_CBC, iv), Bytes(size))), "DataLenRange");
    EXPECT_EQ(CodeOf(Decrypt(key, WithBytes(CKM_AES_CBC, iv), Bytes(size))),
              "EncryptedDataLenRange");
    EXPECT_EQ(CodeOf(Decrypt(key, WithBytes(CKM_AES_CBC_PAD, iv), Bytes(size))),
              "EncryptedDataLenRange");
    EXPECT_EQ(CodeOf(Encrypt(key, Mech(CKM_AES_KEY_WRAP), Bytes(size))), "DataLenRange");
  }
  EXPECT_EQ(CodeOf(Decrypt(key, WithBytes(CKM_AES_CBC_PAD, iv), {})), "EncryptedDataLenRange");
  for (const size_t size : {0U, 15U, 17U}) {
    EXPECT_EQ(CodeOf(Encrypt(key, WithBytes(CKM_AES_CBC, Bytes(size)), Bytes(16))),
              "MechanismParamInvalid");
  }
}

TEST(AesCtrTest, CounterDoesNotComeRound) {
  const KeyPtr key = AesKeyOf(16);
  const auto encrypt = [&](uint64_t bits, std::string_view block, size_t size) {
    wire::Mechanism mechanism = Mech(CKM_AES_CTR);
    mechanism.ctr = wire::CtrParam{bits, {}};
    const Bytes bytes = Hex(block);
    std::copy(bytes.begin(), bytes.end(), mechanism.ctr->block.begin());
    return CodeOf(Encrypt(key, mechanism, Bytes(size)));
  };
  const std::string_view ones = "ffffffffffffffffffffffffffffffff";
  const std::string_view zeros = "00000000000000000000000000000000";
  for (const uint64_t bits : {1UL, 8UL, 63UL, 64UL, 65UL, 127UL, 128UL}) {
    EXPECT_EQ(encrypt(bits, ones, 16), "ok") << bits;
    EXPECT_EQ(encrypt(bits, ones, 0), "ok") << bits;
    EXPECT_EQ(encrypt(bits, ones, 17), "DataLenRange") << bits;
  }
  EXPECT_EQ(encrypt(1, zeros, 32), "ok");
  EXPECT_EQ(encrypt(1, zeros, 33), "DataLenRange");
  EXPECT_EQ(encrypt(4, zeros, 256), "ok");
  EXPECT_EQ(encrypt(4, zeros, 257), "DataLenRange");
  EXPECT_EQ(encrypt(128, "00000000000000ffffffffffffffffff", 32), "ok");
  EXPECT_EQ(encrypt(72, "00000000000000ffffffffffffffffff", 32), "DataLenRange");
  EXPECT_EQ(encrypt(73, "00000000000000ffffffffffffffffff", 32), "ok");
  EXPECT_EQ(encrypt(0, zeros, 16), "MechanismParamInvalid");
  EXPECT_EQ(encrypt(129, zeros, 16), "MechanismParamInvalid");
}

TEST(AesGcmTest, TagsIvsAndAssociatedData) {
  const KeyPtr key = AesKeyOf(32);
  const Bytes iv(12, 1);
  for (const uint64_t bits : {32UL, 64UL, 96UL, 104UL, 112UL, 120UL, 128UL}) {
    const wire::Mechanism gcm = Gcm(iv, ToBytes("aad"), bits);
    const Bytes sealed = Get(Encrypt(key, gcm, AsBytes("text")));
    EXPECT_EQ(sealed.size(), 4 + bits / 8);
    EXPECT_EQ(AsText(Get(Decrypt(key, gcm, sealed))), "text");
    EXPECT_EQ(CodeOf(Decrypt(key, Gcm(iv, ToBytes("aaD"), bits), sealed)), "EncryptedDataInvalid");
    EXPECT_EQ(CodeOf(Decrypt(key, gcm, ByteSpan(sealed).first(bits / 8 - 1))),
              "EncryptedDataLenRange");
  }
  for (const uint64_t bits : {0UL, 8UL, 72UL, 100UL, 136UL, ~0UL}) {
    EXPECT_EQ(CodeOf(Encrypt(key, Gcm(iv, {}, bits), {})), "MechanismParamInvalid") << bits;
  }
  EXPECT_EQ(CodeOf(Encrypt(key, Gcm({}, {}, 128), {})), "MechanismParamInvalid");
  EXPECT_EQ(CodeOf(Encrypt(key, Gcm(Bytes(128), {}, 128), {})), "ok");
  EXPECT_EQ(CodeOf(Encrypt(key, Gcm(Bytes(129), {}, 128), {})), "MechanismParamInvalid");
}

TEST(AesKwTest, OtherInitialValues) {
  const KeyPtr key = AesKeyOf(16);
  const Bytes input(16, 2);
  const Bytes usual = Get(Encrypt(key, Mech(CKM_AES_KEY_WRAP), input));
  EXPECT_EQ(Get(Encrypt(key, WithBytes(CKM_AES_KEY_WRAP, Hex("a6a6a6a6a6a6a6a6")), input)), usual);
  EXPECT_NE(Get(Encrypt(key, WithBytes(CKM_AES_KEY_WRAP, Bytes(8, 1)), input)), usual);
  EXPECT_EQ(CodeOf(Encrypt(key, WithBytes(CKM_AES_KEY_WRAP, Bytes(4)), input)),
            "MechanismParamInvalid");
  const Bytes padded = Get(Encrypt(key, Mech(CKM_AES_KEY_WRAP_KWP), Bytes(5, 2)));
  EXPECT_EQ(padded, Get(Encrypt(key, Mech(CKM_AES_KEY_WRAP_PAD), Bytes(5, 2))));
  EXPECT_EQ(Get(Encrypt(key, WithBytes(CKM_AES_KEY_WRAP_KWP, Hex("a65959a6")), Bytes(5, 2))),
            padded);
  EXPECT_EQ(CodeOf(Encrypt(key, Mech(CKM_AES_KEY_WRAP_KWP), {})), "DataLenRange");
}

TEST(HmacTest, KeyTypesAndTagLengths) {
  const KeyPtr own = SecretKey(CKK_SHA256_HMAC, Bytes(20, 1));
  const KeyPtr generic = SecretKey(CKK_GENERIC_SECRET, Bytes(20, 1));
  const ByteSpan input = AsBytes("input");
  const Bytes tag = Get(Sign(generic, Mech(CKM_SHA256_HMAC), input));
  EXPECT_EQ(Get(Sign(own, Mech(CKM_SHA256_HMAC), input)), tag);
  EXPECT_EQ(CodeOf(Sign(own, Mech(CKM_SHA384_HMAC), input)), "KeyTypeInconsistent");
  const auto general = [&](uint64_t length) {
    return Sign(generic, WithBytes(CKM_SHA256_HMAC_GENERAL, wire::UlongBytes(length)), input);
  };
  EXPECT_EQ(Get(general(32)), tag);
  EXPECT_EQ(Get(general(1)), ToBytes(ByteSpan(tag).first(1)));
  EXPECT_EQ(CodeOf(general(0)), "MechanismParamInvalid");
  EXPECT_EQ(CodeOf(general(33)), "MechanismParamInvalid");
}

}  // namespace
}  // namespace keyclave::mech
