// Parameters, lengths and special cases of the RSA mechanisms; what all rows share is in the
// contract.

#include "enclave/base/hash.h"
#include "tests/unit/mech/mech_testing.h"

namespace keyclave::mech {
namespace {

TEST(RsaKeygenTest, SizeAndExponentAreChecked) {
  const auto generate = [](uint64_t bits, std::string_view exponent) {
    wire::AttributeList attributes;
    attributes.SetUlong(CKA_MODULUS_BITS, bits);
    if (!exponent.empty()) attributes.Set(CKA_PUBLIC_EXPONENT, Hex(exponent));
    return FamilyOf(CKM_RSA_PKCS_KEY_PAIR_GEN)
        .generate(Mech(CKM_RSA_PKCS_KEY_PAIR_GEN), attributes);
  };
  for (const uint64_t bits : {0UL, 512UL, 1024UL, 2047UL, 2049UL, 8193UL, 16384UL, ~0UL}) {
    EXPECT_EQ(CodeOf(generate(bits, "")), "AttributeValueInvalid") << bits;
  }
  for (const std::string_view exponent :
       {"00", "01", "03", "ff", "ffff", "010002", "0100000000000000000001"}) {
    EXPECT_EQ(CodeOf(generate(2048, exponent)), "AttributeValueInvalid") << exponent;
  }
  const NewKey usual = Get(generate(2048, ""));
  EXPECT_EQ(ToHex(*usual.attributes.Find(CKA_PUBLIC_EXPONENT)), "010001");
  const NewKey other = Get(generate(2048, "000000010003"));
  EXPECT_EQ(ToHex(*other.attributes.Find(CKA_PUBLIC_EXPONENT)), "010003");
  EXPECT_EQ(other.attributes.Ulong(CKA_MODULUS_BITS), 2048U);
  EXPECT_EQ(other.attributes.Find(CKA_MODULUS)->size(), 256U);
}

TEST(RsaTest, KeysOutsideTheRangeAreRefused) {
  // A public key of 1024 bits can be loaded; no mechanism uses it.
  wire::AttributeList attributes;
  attributes.SetUlong(CKA_KEY_TYPE, CKK_RSA);
  Bytes modulus(128, 0xd5);
  attributes.Set(CKA_MODULUS, modulus);
  attributes.Set(CKA_PUBLIC_EXPONENT, Hex("010001"));
  const KeyPtr key = Load(attributes, CKO_PUBLIC_KEY, {});
  EXPECT_EQ(CodeOf(Verify(key, Mech(CKM_SHA256_RSA_PKCS), Bytes(1), Bytes(128))), "KeySizeRange");
  EXPECT_EQ(CodeOf(Encrypt(key, Mech(CKM_RSA_PKCS), Bytes(1))), "KeySizeRange");
  EXPECT_EQ(CodeOf(Encrypt(key, Oaep(CKM_SHA256, CKG_MGF1_SHA256), Bytes(1))), "KeySizeRange");
}

TEST(RsaPkcs1Test, InputLengths) {
  const KeyPair& pair = SomeRsaPair();
  const wire::Mechanism raw = Mech(CKM_RSA_PKCS);
  for (const size_t size : {0U, 1U, 36U, 244U, 245U}) {
    const Bytes input(size, 0x31);
    if (size > 0) {
      const Bytes signature = Get(Sign(pair.private_key, raw, input));
      EXPECT_EQ(CodeOf(Verify(pair.public_key, raw, input, signature)), "ok") << size;
    }
    const Bytes sealed = Get(Encrypt(pair.public_key, raw, input));
    EXPECT_EQ(Get(Decrypt(pair.private_key, raw, sealed)), input) << size;
  }
  EXPECT_EQ(CodeOf(Sign(pair.private_key, raw, {})), "DataLenRange");
  EXPECT_EQ(CodeOf(Verify(pair.public_key, raw, {}, Bytes(256))), "DataLenRange");
  for (const size_t size : {246U, 256U, 257U, 5000U}) {
    const Bytes input(size, 0x31);
    EXPECT_EQ(CodeOf(Sign(pair.private_key, raw, input)), "DataLenRange");
    EXPECT_EQ(CodeOf(Verify(pair.public_key, raw, input, Bytes(256))), "DataLenRange");
    EXPECT_EQ(CodeOf(Encrypt(pair.public_key, raw, input)), "DataLenRange");
  }
  for (const size_t size : {0U, 255U, 257U}) {
    EXPECT_EQ(CodeOf(Decrypt(pair.private_key, raw, Bytes(size))), "EncryptedDataLenRange");
  }
}

TEST(RsaPkcs1Test, RawSignatureOfADigestInfoIsTheHashedSignature) {
  const KeyPair& pair = SomeRsaPair();
  const ByteSpan message = AsBytes("message");
  Bytes digest_info = Hex("3031300d060960864801650304020105000420");  // RFC 8017 §9.2, SHA-256
  const ByteArray<32> digest = Sha256(message);
  digest_info.insert(digest_info.end(), digest.begin(), digest.end());
  EXPECT_EQ(Get(Sign(pair.private_key, Mech(CKM_RSA_PKCS), digest_info)),
            Get(Sign(pair.private_key, Mech(CKM_SHA256_RSA_PKCS), message)));
}

TEST(RsaPssTest, ParameterIsChecked) {
  const KeyPair& pair = SomeRsaPair();
  const Bytes digest(32, 1);
  const auto sign = [&](const wire::Mechanism& m, size_t size = 32) {
    return CodeOf(Sign(pair.private_key, m, Bytes(size, 1)));
  };
  const uint64_t raw = CKM_RSA_PKCS_PSS;
  EXPECT_EQ(sign(Pss(raw, CKM_SHA256, CKG_MGF1_SHA256, 0)), "ok");
  EXPECT_EQ(sign(Pss(raw, CKM_SHA256, CKG_MGF1_SHA512, 222)), "ok");
  EXPECT_EQ(sign(Pss(raw, CKM_SHA256, CKG_MGF1_SHA256, 223)), "MechanismParamInvalid");
  EXPECT_EQ(sign(Pss(raw, CKM_SHA256, CKG_MGF1_SHA256, ~0UL)), "MechanismParamInvalid");
  EXPECT_EQ(sign(Pss(raw, CKM_SHA256_RSA_PKCS, CKG_MGF1_SHA256, 32)), "MechanismParamInvalid");
  EXPECT_EQ(sign(Pss(raw, CKM_SHA256, 77, 32)), "MechanismParamInvalid");
  EXPECT_EQ(sign(Pss(CKM_SHA256_RSA_PKCS_PSS, CKM_SHA384, CKG_MGF1_SHA384, 48)),
            "MechanismParamInvalid");
  for (const size_t size : {0U, 31U, 33U, 64U}) {
    EXPECT_EQ(sign(Pss(raw, CKM_SHA256, CKG_MGF1_SHA256, 32), size), "DataLenRange") << size;
  }
}

TEST(RsaPssTest, OtherSaltHashOrMaskDoesNotVerify) {
  const KeyPair& pair = SomeRsaPair();
  const Bytes digest(32, 1);
  const uint64_t raw = CKM_RSA_PKCS_PSS;
  const Bytes signature =
      Get(Sign(pair.private_key, Pss(raw, CKM_SHA256, CKG_MGF1_SHA256, 32), digest));
  const auto verify = [&](const wire::Mechanism& m) {
    return CodeOf(Verify(pair.public_key, m, digest, signature));
  };
  EXPECT_EQ(verify(Pss(raw, CKM_SHA256, CKG_MGF1_SHA256, 32)), "ok");
  EXPECT_EQ(verify(Pss(raw, CKM_SHA256, CKG_MGF1_SHA256, 31)), "SignatureInvalid");
  EXPECT_EQ(verify(Pss(raw, CKM_SHA256, CKG_MGF1_SHA384, 32)), "SignatureInvalid");
  EXPECT_EQ(verify(Pss(raw, CKM_SHA3_256, CKG_MGF1_SHA256, 32)), "SignatureInvalid");
}

TEST(RsaOaepTest, EveryHashWithEveryMaskAndALabel) {
  const KeyPair& pair = SomeRsaPair();
  const uint64_t hashes[] = {CKM_SHA_1, CKM_SHA224, CKM_SHA256, CKM_SHA384, CKM_SHA512};
  const uint64_t masks[] = {CKG_MGF1_SHA1, CKG_MGF1_SHA224, CKG_MGF1_SHA256, CKG_MGF1_SHA384,
                            CKG_MGF1_SHA512};
  for (const uint64_t hash : hashes) {
    for (const uint64_t mask : masks) {
      const wire::Mechanism oaep = Oaep(hash, mask, ToBytes("label"));
      const Bytes sealed = Get(Encrypt(pair.public_key, oaep, AsBytes("secret")));
      EXPECT_EQ(AsText(Get(Decrypt(pair.private_key, oaep, sealed))), "secret");
      EXPECT_EQ(CodeOf(Decrypt(pair.private_key, Oaep(hash, mask), sealed)),
                "EncryptedDataInvalid");
      EXPECT_EQ(CodeOf(Decrypt(pair.private_key, Oaep(hash, mask, ToBytes("Label")), sealed)),
                "EncryptedDataInvalid");
    }
  }
}

TEST(RsaOaepTest, Lengths) {
  const KeyPair& pair = SomeRsaPair();
  const wire::Mechanism oaep = Oaep(CKM_SHA256, CKG_MGF1_SHA256);
  EXPECT_EQ(CodeOf(Encrypt(pair.public_key, oaep, Bytes(190))), "ok");
  EXPECT_EQ(CodeOf(Encrypt(pair.public_key, oaep, Bytes(191))), "DataLenRange");
  EXPECT_EQ(CodeOf(Encrypt(pair.public_key, oaep, {})), "ok");
  EXPECT_EQ(CodeOf(Decrypt(pair.private_key, oaep, Bytes(255))), "EncryptedDataLenRange");
  EXPECT_EQ(CodeOf(Encrypt(pair.public_key, Oaep(CKM_RSA_PKCS, CKG_MGF1_SHA1), {})),
            "MechanismParamInvalid");
  EXPECT_EQ(CodeOf(Encrypt(pair.public_key, Oaep(CKM_SHA_1, 99), {})), "MechanismParamInvalid");
}

TEST(RsaX509Test, FillsWithZerosInFrontAndStaysBelowTheModulus) {
  const KeyPair& pair = SomeRsaPair();
  const wire::Mechanism raw = Mech(CKM_RSA_X_509);
  const Bytes plain =
      Get(Decrypt(pair.private_key, raw, Get(Encrypt(pair.public_key, raw, Hex("05")))));
  EXPECT_EQ(plain.size(), 256U);
  EXPECT_EQ(plain.back(), 5);
  const Bytes modulus = *pair.attributes.Find(CKA_MODULUS);
  Bytes less = modulus;
  less.back() = static_cast<uint8_t>(less.back() - 1);
  EXPECT_EQ(CodeOf(Sign(pair.private_key, raw, less)), "ok");
  EXPECT_EQ(CodeOf(Sign(pair.private_key, raw, modulus)), "DataInvalid");
  EXPECT_EQ(CodeOf(Encrypt(pair.public_key, raw, modulus)), "DataInvalid");
  EXPECT_EQ(CodeOf(Decrypt(pair.private_key, raw, modulus)), "EncryptedDataInvalid");
  EXPECT_EQ(CodeOf(Sign(pair.private_key, raw, Bytes(257))), "DataLenRange");
}

// RFC 5246 §7.4.7.1: whatever is wrong, the answer is 48 bytes that tell nothing.
TEST(RsaTlsTest, BadCiphertextsGiveRandomSecrets) {
  const KeyPair& pair = SomeRsaPair();
  const wire::Mechanism pkcs1 = Mech(CKM_RSA_PKCS);
  Bytes secret(48, 0x5a);
  secret[0] = 3;
  secret[1] = 3;
  const Bytes good = Get(Encrypt(pair.public_key, pkcs1, secret));
  EXPECT_EQ(Get(Decrypt(pair.private_key, Tls(0x0303), good)), secret);
  EXPECT_EQ(Get(Decrypt(pair.private_key, Tls(0x0304, 0x0303), good)), secret);
  Bytes short_secret = secret;
  short_secret.pop_back();
  const Bytes bad[] = {Get(Encrypt(pair.public_key, pkcs1, short_secret)), Bytes(256, 1),
                       Bytes(256, 0xff),
                       Get(Encrypt(pair.public_key, Mech(CKM_RSA_X_509), secret))};
  for (const Bytes& ciphertext : bad) {
    const Bytes first = Get(Decrypt(pair.private_key, Tls(0x0303), ciphertext));
    const Bytes second = Get(Decrypt(pair.private_key, Tls(0x0303), ciphertext));
    EXPECT_EQ(first.size(), 48U);
    EXPECT_NE(first, second);
    EXPECT_NE(first, secret);
  }
  // A version rolled back in the secret.
  const Bytes other_version = Get(Decrypt(pair.private_key, Tls(0x0302), good));
  EXPECT_EQ(other_version.size(), 48U);
  EXPECT_NE(other_version, secret);
  for (const uint64_t version : {0UL, 0x0200UL, 0x0400UL, ~0UL}) {
    EXPECT_EQ(CodeOf(Decrypt(pair.private_key, Tls(version), good)), "MechanismParamInvalid");
  }
  EXPECT_EQ(CodeOf(Decrypt(pair.private_key, Tls(0x0303, 2), good)), "MechanismParamInvalid");
  EXPECT_EQ(CodeOf(Decrypt(pair.private_key, Tls(0x0303), Bytes(255))), "EncryptedDataLenRange");
}

}  // namespace
}  // namespace keyclave::mech
