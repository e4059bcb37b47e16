// Keys from templates, PKCS#8 and attributes, and back.

#include "enclave/mech/key.h"

#include "tests/unit/mech/mech_testing.h"

namespace keyclave::mech {
namespace {

wire::AttributeList PrivateTemplate(const KeyPair& pair) {
  wire::AttributeList attributes = Get(SecretAttributes(*pair.private_key));
  attributes.SetUlong(CKA_CLASS, CKO_PRIVATE_KEY);
  attributes.SetUlong(CKA_KEY_TYPE, *pair.attributes.Ulong(CKA_KEY_TYPE));
  for (const uint64_t type : {CKA_MODULUS, CKA_PUBLIC_EXPONENT, CKA_EC_PARAMS}) {
    if (const Bytes* value = pair.attributes.Find(type); value != nullptr) {
      attributes.Set(type, *value);
    }
  }
  return attributes;
}

std::vector<KeyPair> PairsOfEveryType() {
  std::vector<KeyPair> pairs;
  pairs.push_back(NewRsaPair(2048));
  for (const std::string_view curve : {kP256, kP384, kP521, kK256}) {
    pairs.push_back(NewEcPair(curve));
  }
  pairs.push_back(NewEcPair(kEd25519, CKM_EC_EDWARDS_KEY_PAIR_GEN));
  pairs.push_back(NewEcPair(kEd448, CKM_EC_EDWARDS_KEY_PAIR_GEN));
  pairs.push_back(NewEcPair(kX25519, CKM_EC_MONTGOMERY_KEY_PAIR_GEN));
  pairs.push_back(NewEcPair(kX448, CKM_EC_MONTGOMERY_KEY_PAIR_GEN));
  return pairs;
}

TEST(KeyTest, EveryTypeComesBackFromItsTemplateAndItsFile) {
  for (const KeyPair& pair : PairsOfEveryType()) {
    const NewKey from_template = Get(MaterialFromTemplate(PrivateTemplate(pair)));
    EXPECT_TRUE(from_template.material == pair.material);
    EXPECT_EQ(from_template.attributes, pair.attributes);
    const NewKey from_file = Get(MaterialFromPkcs8(pair.material.Expose(SecretAccess())));
    EXPECT_TRUE(from_file.material == pair.material);
    EXPECT_EQ(from_file.attributes, pair.attributes);
  }
}

TEST(KeyTest, NoSecretIsAmongTheAttributes) {
  for (const KeyPair& pair : PairsOfEveryType()) {
    for (const uint64_t type : {CKA_VALUE, CKA_PRIVATE_EXPONENT, CKA_PRIME_1, CKA_PRIME_2,
                                CKA_EXPONENT_1, CKA_EXPONENT_2, CKA_COEFFICIENT}) {
      EXPECT_FALSE(pair.attributes.Has(type));
    }
    EXPECT_FALSE(Get(SecretAttributes(*pair.private_key)).items.empty());
    EXPECT_TRUE(Get(SecretAttributes(*pair.public_key)).items.empty());
  }
}

TEST(KeyTest, RsaKeyNeedsOnlyModulusAndExponents) {
  const KeyPair& pair = SomeRsaPair();
  wire::AttributeList attributes = PrivateTemplate(pair);
  for (const uint64_t type :
       {CKA_COEFFICIENT, CKA_EXPONENT_2, CKA_EXPONENT_1, CKA_PRIME_2, CKA_PRIME_1}) {
    attributes.Remove(type);
    EXPECT_TRUE(Get(MaterialFromTemplate(attributes)).material == pair.material) << type;
  }
  for (const uint64_t type :
       {CKA_MODULUS, CKA_PUBLIC_EXPONENT, CKA_PRIVATE_EXPONENT, CKA_KEY_TYPE, CKA_CLASS}) {
    wire::AttributeList less = attributes;
    less.Remove(type);
    EXPECT_EQ(CodeOf(MaterialFromTemplate(less)), "TemplateIncomplete") << type;
  }
}

TEST(KeyTest, RsaPartsThatDoNotFitAreRefused) {
  const wire::AttributeList attributes = PrivateTemplate(SomeRsaPair());
  for (const uint64_t type : {CKA_MODULUS, CKA_PUBLIC_EXPONENT, CKA_PRIVATE_EXPONENT, CKA_PRIME_1,
                              CKA_PRIME_2, CKA_EXPONENT_1, CKA_EXPONENT_2, CKA_COEFFICIENT}) {
    wire::AttributeList wrong = attributes;
    Bytes value = *wrong.Find(type);
    value[value.size() / 2] = static_cast<uint8_t>(value[value.size() / 2] ^ 2);
    wrong.Set(type, value);
    EXPECT_EQ(CodeOf(MaterialFromTemplate(wrong)), "AttributeValueInvalid") << type;
    wrong.Set(type, {});
    EXPECT_EQ(CodeOf(MaterialFromTemplate(wrong)), "AttributeValueInvalid") << type;
    wrong.Set(type, Bytes(2000, 0xff));
    EXPECT_EQ(CodeOf(MaterialFromTemplate(wrong)), "AttributeValueInvalid") << type;
  }
}

TEST(KeyTest, RsaExponentOfAnotherKeyIsRefusedWithoutPrimes) {
  wire::AttributeList attributes = PrivateTemplate(SomeRsaPair());
  const KeyPair other = NewRsaPair(2048);
  attributes.Set(CKA_PRIVATE_EXPONENT, *PrivateTemplate(other).Find(CKA_PRIVATE_EXPONENT));
  for (const uint64_t type :
       {CKA_PRIME_1, CKA_PRIME_2, CKA_EXPONENT_1, CKA_EXPONENT_2, CKA_COEFFICIENT}) {
    attributes.Remove(type);
  }
  EXPECT_EQ(CodeOf(MaterialFromTemplate(attributes)), "AttributeValueInvalid");
}

TEST(KeyTest, EcValueMustLieBelowTheOrder) {
  wire::AttributeList attributes = PrivateTemplate(NewEcPair(kP256));
  for (const std::string_view value :
       {"", "00", "0000000000000000000000000000000000000000000000000000000000000000",
        "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "000000000000000000000000000000000000000000000000000000000000000000000001"}) {
    attributes.Set(CKA_VALUE, Hex(value));
    EXPECT_EQ(CodeOf(MaterialFromTemplate(attributes)), "AttributeValueInvalid") << value;
  }
  attributes.Set(CKA_VALUE, Hex("01"));
  const NewKey one = Get(MaterialFromTemplate(attributes));
  // The public point of 1 is the curve's base point (FIPS 186-4, D.1.2.3).
  EXPECT_EQ(ToHex(*one.attributes.Find(CKA_EC_POINT)),
            "0441046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
            "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5");
}

TEST(KeyTest, EcPointComesInEveryEncoding) {
  const KeyPair pair = NewEcPair(kP256);
  const Bytes der = *pair.attributes.Find(CKA_EC_POINT);
  const Bytes bare = ToBytes(ByteSpan(der).subspan(2));
  Bytes compressed = ToBytes(ByteSpan(bare).first(33));
  compressed.front() = static_cast<uint8_t>(2 + (bare.back() & 1));
  Bytes compressed_der = Hex("0421");
  compressed_der.insert(compressed_der.end(), compressed.begin(), compressed.end());
  wire::AttributeList attributes = pair.attributes;
  attributes.SetUlong(CKA_CLASS, CKO_PUBLIC_KEY);
  for (const Bytes& point : {der, bare, compressed, compressed_der}) {
    attributes.Set(CKA_EC_POINT, point);
    EXPECT_EQ(Get(MaterialFromTemplate(attributes)).attributes, pair.attributes);
    EXPECT_EQ(Get(PublicKeyInfo(*Get(LoadKey(attributes, {})))),
              *pair.attributes.Find(CKA_PUBLIC_KEY_INFO));
  }
}

TEST(KeyTest, EcPointThatIsNoneIsRefused) {
  const KeyPair pair = NewEcPair(kP256);
  wire::AttributeList attributes = pair.attributes;
  attributes.SetUlong(CKA_CLASS, CKO_PUBLIC_KEY);
  const Bytes der = *pair.attributes.Find(CKA_EC_POINT);
  const Bytes off_curve = Flipped(der, 8 * der.size() - 1);
  Bytes trailing = der;
  trailing.push_back(0);
  const Bytes infinity = Hex("00");
  for (const Bytes& point :
       {off_curve, trailing, infinity, Bytes(), Hex("040100"),
        ToBytes(ByteSpan(der).first(der.size() - 1)), Bytes(65, 0), Bytes(65, 0xff)}) {
    attributes.Set(CKA_EC_POINT, point);
    EXPECT_EQ(CodeOf(LoadKey(attributes, {})), "AttributeValueInvalid") << ToHex(point);
  }
}

TEST(KeyTest, CurvesAreNamedByObjectIdentifierOrName) {
  wire::AttributeList attributes;
  const auto generate = [&](const Bytes& params) {
    attributes.Set(CKA_EC_PARAMS, params);
    return FamilyOf(CKM_EC_KEY_PAIR_GEN).generate(Mech(CKM_EC_KEY_PAIR_GEN), attributes);
  };
  const auto printable = [](std::string_view name) {
    Bytes der = {0x13, static_cast<uint8_t>(name.size())};
    der.insert(der.end(), name.begin(), name.end());
    return der;
  };
  for (const std::string_view name : {"secp256r1", "prime256v1", "secp384r1", "secp521r1"}) {
    const NewKey made = Get(generate(printable(name)));
    EXPECT_EQ(made.attributes.Find(CKA_EC_PARAMS)->front(), 0x06) << name;
  }
  EXPECT_EQ(CodeOf(generate(printable("secp256r2"))), "CurveUnsupported");
  EXPECT_EQ(CodeOf(generate(Hex("06052b81040021"))), "CurveUnsupported");  // P-224
  EXPECT_EQ(CodeOf(generate(Hex("0500"))), "CurveUnsupported");            // implicitCurve
  EXPECT_EQ(CodeOf(generate(Hex("30050201010500"))), "CurveUnsupported");  // explicit
  EXPECT_EQ(CodeOf(generate(Hex(kEd25519))), "CurveUnsupported");
  for (const std::string_view bad : {"", "06", "0608", "06082a8648ce3d0301", "0600", "040100"}) {
    EXPECT_EQ(CodeOf(generate(Hex(bad))), "DomainParamsInvalid") << bad;
  }
}

TEST(KeyTest, CurvesHaveTheNamesOfTheirClients) {
  const auto made = [](uint64_t mechanism, std::string_view params) {
    wire::AttributeList attributes;
    attributes.Set(CKA_EC_PARAMS, Hex(params));
    return ToHex(*Get(FamilyOf(mechanism).generate(Mech(mechanism), attributes))
                      .attributes.Find(CKA_EC_PARAMS));
  };
  EXPECT_EQ(made(CKM_EC_EDWARDS_KEY_PAIR_GEN, "06092b06010401da470f01"), kEd25519);  // OpenPGP
  for (const std::string_view name : {"060a2b060104019755010501",                    // OpenPGP
                                      "130a63757276653235353139",                    // PKCS#11
                                      "130b63757276653235353139"}) {  // pkcs11-tool 0.23
    EXPECT_EQ(made(CKM_EC_MONTGOMERY_KEY_PAIR_GEN, name), "06032b656e") << name;
  }
}

TEST(KeyTest, DamagedKeyFilesAreRefused) {
  for (const KeyPair& pair : PairsOfEveryType()) {
    const ByteSpan der = pair.material.Expose(SecretAccess());
    for (size_t size = 0; size < der.size(); size += 1 + der.size() / 60) {
      EXPECT_EQ(CodeOf(MaterialFromPkcs8(der.first(size))), "KeyFileInvalid") << size;
    }
    EXPECT_EQ(CodeOf(MaterialFromPkcs8(der.first(der.size() - 1))), "KeyFileInvalid");
    Bytes longer = ToBytes(der);
    longer.push_back(0);
    EXPECT_EQ(CodeOf(MaterialFromPkcs8(longer)), "KeyFileInvalid");
  }
  EXPECT_EQ(CodeOf(MaterialFromPkcs8(AsBytes("-----BEGIN PRIVATE KEY-----"))), "KeyFileInvalid");
  EXPECT_EQ(CodeOf(MaterialFromPkcs8(Bytes(70000, 0x30))), "KeyFileInvalid");
}

TEST(KeyTest, FlippedBitsInAKeyFileNeverGiveABrokenKey) {
  const KeyPair pair = NewEcPair(kP256);
  const Bytes der = ToBytes(pair.material.Expose(SecretAccess()));
  for (size_t bit = 0; bit < der.size() * 8; ++bit) {
    const Bytes flipped = Flipped(der, bit);
    Result<NewKey> made = MaterialFromPkcs8(flipped);
    if (!made.ok()) continue;
    // What is still read is a whole key of its own.
    const KeyPair other = ToPair(std::move(made).value());
    const Bytes signature = Get(Sign(other.private_key, Mech(CKM_ECDSA), Bytes(32, 1)));
    EXPECT_EQ(CodeOf(Verify(other.public_key, Mech(CKM_ECDSA), Bytes(32, 1), signature)), "ok");
  }
}

TEST(KeyTest, EncryptedKeyFileSaysSo) {
  // EncryptedPrivateKeyInfo { PBES2 with no parameters, 8 bytes } (RFC 5958 §3)
  const Bytes encrypted = Hex("3019300d06092a864886f70d01050d050004080102030405060708");
  const Result<NewKey> made = MaterialFromPkcs8(encrypted);
  ASSERT_EQ(CodeOf(made), "KeyFileInvalid");
  EXPECT_NE(made.error().detail().find("encrypted"), std::string::npos);
}

TEST(KeyTest, MaterialOfAnotherTypeIsRefused) {
  const KeyPair pair = NewEcPair(kP256);
  wire::AttributeList attributes;
  attributes.SetUlong(CKA_CLASS, CKO_PRIVATE_KEY);
  attributes.SetUlong(CKA_KEY_TYPE, CKK_RSA);
  EXPECT_EQ(CodeOf(LoadKey(attributes, pair.material)), "KeyFileInvalid");
  attributes.SetUlong(CKA_KEY_TYPE, CKK_EC);
  EXPECT_EQ(CodeOf(LoadKey(attributes, SecretBytes())), "KeyFileInvalid");
  EXPECT_EQ(CodeOf(LoadKey(attributes, pair.material)), "ok");
  attributes.SetUlong(CKA_CLASS, CKO_CERTIFICATE);
  EXPECT_EQ(CodeOf(LoadKey(attributes, pair.material)), "AttributeValueInvalid");
  attributes.SetUlong(CKA_CLASS, CKO_SECRET_KEY);
  attributes.SetUlong(CKA_KEY_TYPE, CKK_AES);
  for (const size_t size : {0U, 15U, 17U, 31U, 33U}) {
    EXPECT_EQ(CodeOf(LoadKey(attributes, SecretBytes(size))), "KeyFileInvalid") << size;
  }
  EXPECT_EQ(CodeOf(LoadKey(attributes, SecretBytes(24))), "ok");
}

TEST(KeyTest, CheckValues) {
  wire::AttributeList attributes;
  attributes.SetUlong(CKA_CLASS, CKO_SECRET_KEY);
  attributes.SetUlong(CKA_KEY_TYPE, CKK_AES);
  attributes.Set(CKA_VALUE, Hex("00000000000000000000000000000000"));
  // FIPS 197's cipher of the zero block under the zero key: 66e94bd4ef8a2c3b884cfa59ca342b2e.
  EXPECT_EQ(ToHex(*Get(MaterialFromTemplate(attributes)).attributes.Find(CKA_CHECK_VALUE)),
            "66e94b");
  attributes.SetUlong(CKA_KEY_TYPE, CKK_GENERIC_SECRET);
  attributes.Set(CKA_VALUE, AsBytes("abc"));
  // FIPS 180-4's SHA-1 of "abc": a9993e36…
  EXPECT_EQ(ToHex(*Get(MaterialFromTemplate(attributes)).attributes.Find(CKA_CHECK_VALUE)),
            "a9993e");
  for (const size_t size : {0U, 1025U}) {
    attributes.Set(CKA_VALUE, Bytes(size, 1));
    EXPECT_EQ(CodeOf(MaterialFromTemplate(attributes)), "AttributeValueInvalid") << size;
  }
  attributes.SetUlong(CKA_KEY_TYPE, CKK_DES3);
  EXPECT_EQ(CodeOf(MaterialFromTemplate(attributes)), "AttributeValueInvalid");
}

TEST(KeyTest, WrappedPrivateKeyComesBack) {
  const MechEntry kwp = Get(FindMechanism(CKM_AES_KEY_WRAP_KWP));
  const KeyPtr wrapping = AesKeyOf(32);
  for (const KeyPair& pair : PairsOfEveryType()) {
    const Bytes wrapped = Get(WrapKey(kwp, *wrapping, Mech(kwp.row->type), *pair.private_key));
    wire::AttributeList attributes;
    attributes.SetUlong(CKA_CLASS, CKO_PRIVATE_KEY);
    attributes.SetUlong(CKA_KEY_TYPE, pair.private_key->key_type());
    const auto unwrap = [&] {
      return UnwrapKey(kwp, *wrapping, Mech(kwp.row->type), wrapped, attributes);
    };
    EXPECT_TRUE(Get(unwrap()).material == pair.material);
    attributes.SetUlong(CKA_KEY_TYPE, CKK_DSA);
    EXPECT_EQ(CodeOf(unwrap()), "TemplateInconsistent");
    attributes.SetUlong(CKA_CLASS, CKO_CERTIFICATE);
    EXPECT_EQ(CodeOf(unwrap()), "TemplateInconsistent");
    attributes.Remove(CKA_KEY_TYPE);
    EXPECT_EQ(CodeOf(unwrap()), "TemplateIncomplete");
    EXPECT_EQ(CodeOf(WrapKey(kwp, *wrapping, Mech(kwp.row->type), *pair.public_key)),
              "KeyNotWrappable");
  }
}

TEST(KeyTest, UnpaddedUnwrapIsCutToItsLengthOnlyIfZerosFollow) {
  const MechEntry cbc = Get(FindMechanism(CKM_AES_CBC));
  const wire::Mechanism mechanism = WithBytes(CKM_AES_CBC, Bytes(16, 5));
  const KeyPtr wrapping = AesKeyOf(16);
  const Bytes wrapped =
      Get(WrapKey(cbc, *wrapping, mechanism, *SecretKey(CKK_GENERIC_SECRET, Bytes(20, 7))));
  EXPECT_EQ(wrapped.size(), 32U);
  wire::AttributeList attributes;
  attributes.SetUlong(CKA_CLASS, CKO_SECRET_KEY);
  attributes.SetUlong(CKA_KEY_TYPE, CKK_GENERIC_SECRET);
  const auto unwrap = [&] { return UnwrapKey(cbc, *wrapping, mechanism, wrapped, attributes); };
  EXPECT_EQ(CodeOf(unwrap()), "TemplateIncomplete");
  attributes.SetUlong(CKA_VALUE_LEN, 32);
  EXPECT_EQ(Get(unwrap()).material.size(), 32U);
  attributes.SetUlong(CKA_VALUE_LEN, 20);
  EXPECT_EQ(Get(unwrap()).material.size(), 20U);
  attributes.SetUlong(CKA_VALUE_LEN, 19);
  EXPECT_EQ(CodeOf(unwrap()), "WrappedKeyLenRange");
  attributes.SetUlong(CKA_VALUE_LEN, 33);
  EXPECT_EQ(CodeOf(unwrap()), "WrappedKeyLenRange");
}

// Of 24 bytes, filled up, or of 32?
TEST(KeyTest, AnAesKeyFromWholeBlocksHasOneLength) {
  const MechEntry cbc = Get(FindMechanism(CKM_AES_CBC));
  const wire::Mechanism mechanism = WithBytes(CKM_AES_CBC, Bytes(16, 5));
  const KeyPtr wrapping = AesKeyOf(16);
  wire::AttributeList attributes;
  attributes.SetUlong(CKA_CLASS, CKO_SECRET_KEY);
  attributes.SetUlong(CKA_KEY_TYPE, CKK_AES);
  for (const size_t size : {16U, 24U, 32U}) {
    const Bytes wrapped =
        Get(WrapKey(cbc, *wrapping, mechanism, *SecretKey(CKK_AES, Bytes(size, 7))));
    EXPECT_EQ(CodeOf(UnwrapKey(cbc, *wrapping, mechanism, wrapped, attributes)),
              size == 24 ? "TemplateIncomplete" : "ok");
  }
}

}  // namespace
}  // namespace keyclave::mech
