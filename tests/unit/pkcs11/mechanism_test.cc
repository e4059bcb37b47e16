#include "pkcs11/mechanism.h"

#include <gtest/gtest.h>

#include "tests/unit/pkcs11/fake_enclave.h"

namespace keyclave::pkcs11 {
namespace {

using testing::EcKey;
using testing::RsaKey;

TEST(Mechanism, WithoutParameterTakesNone) {
  CK_BYTE byte = 0;
  CK_MECHANISM mechanism{CKM_ECDSA, nullptr, 0};
  EXPECT_FALSE(FromMechanism(&mechanism)->HasParameter());
  mechanism = {CKM_ECDSA, &byte, 0};
  EXPECT_TRUE(FromMechanism(&mechanism).ok());
  mechanism = {CKM_ECDSA, &byte, 1};
  EXPECT_EQ(FromMechanism(&mechanism).code(), Code::kMechanismParamInvalid);
  mechanism = {CKM_ECDSA, nullptr, 1};
  EXPECT_EQ(FromMechanism(&mechanism).code(), Code::kMechanismParamInvalid);
  EXPECT_EQ(FromMechanism(nullptr).code(), Code::kP11ArgumentsBad);
}

TEST(Mechanism, ReadsPss) {
  CK_RSA_PKCS_PSS_PARAMS pss{CKM_SHA256, CKG_MGF1_SHA256, 32};
  CK_MECHANISM mechanism{CKM_SHA256_RSA_PKCS_PSS, &pss, sizeof(pss)};
  const auto wire = FromMechanism(&mechanism);
  ASSERT_TRUE(wire.ok());
  EXPECT_EQ(wire->pss->hash, CKM_SHA256);
  EXPECT_EQ(wire->pss->salt_length, 32U);
  for (const CK_ULONG size : {CK_ULONG{0}, sizeof(pss) - 1, sizeof(pss) + 1}) {
    mechanism.ulParameterLen = size;
    EXPECT_EQ(FromMechanism(&mechanism).code(), Code::kMechanismParamInvalid);
  }
}

TEST(Mechanism, RefusesPssThatContradictsItself) {
  CK_RSA_PKCS_PSS_PARAMS pss{CKM_SHA384, CKG_MGF1_SHA256, 32};
  CK_MECHANISM mechanism{CKM_SHA256_RSA_PKCS_PSS, &pss, sizeof(pss)};
  EXPECT_EQ(FromMechanism(&mechanism).code(), Code::kMechanismParamInvalid);
  pss = {CKM_RSA_PKCS, CKG_MGF1_SHA256, 32};
  mechanism.mechanism = CKM_RSA_PKCS_PSS;
  EXPECT_EQ(FromMechanism(&mechanism).code(), Code::kMechanismParamInvalid);
  pss = {CKM_SHA256, 0, 32};
  EXPECT_EQ(FromMechanism(&mechanism).code(), Code::kMechanismParamInvalid);
}

TEST(Mechanism, ReadsOaepWithAndWithoutLabel) {
  char label[] = "L";
  CK_RSA_PKCS_OAEP_PARAMS oaep{CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, label, 1};
  CK_MECHANISM mechanism{CKM_RSA_PKCS_OAEP, &oaep, sizeof(oaep)};
  EXPECT_EQ(AsText(FromMechanism(&mechanism)->oaep->label), "L");
  oaep = {CKM_SHA_1, CKG_MGF1_SHA1, 0, nullptr, 0};
  EXPECT_TRUE(FromMechanism(&mechanism).ok());
  oaep = {CKM_SHA_1, CKG_MGF1_SHA1, 0, label, 1};
  EXPECT_EQ(FromMechanism(&mechanism).code(), Code::kMechanismParamInvalid);
  oaep = {CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, nullptr, 1};
  EXPECT_EQ(FromMechanism(&mechanism).code(), Code::kMechanismParamInvalid);
  oaep = {CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, label, CK_UNAVAILABLE_INFORMATION};
  EXPECT_EQ(FromMechanism(&mechanism).code(), Code::kMechanismParamInvalid);
}

TEST(Mechanism, ReadsRsaAesKeyWrapWithItsOaep) {
  CK_RSA_PKCS_OAEP_PARAMS oaep{CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, nullptr, 0};
  struct Params {
    CK_ULONG aes_key_bits;
    CK_RSA_PKCS_OAEP_PARAMS* oaep;
  } params{256, &oaep};
  CK_MECHANISM mechanism{CKM_RSA_AES_KEY_WRAP, &params, sizeof(params)};
  const auto wire = FromMechanism(&mechanism);
  ASSERT_TRUE(wire.ok());
  EXPECT_EQ(wire->rsa_aes->aes_bits, 256U);
  EXPECT_EQ(wire->rsa_aes->oaep.hash, CKM_SHA256);
  for (const CK_ULONG size : {CK_ULONG{0}, sizeof(params) - 1, sizeof(params) + 1}) {
    mechanism.ulParameterLen = size;
    EXPECT_EQ(FromMechanism(&mechanism).code(), Code::kMechanismParamInvalid);
  }
  mechanism.ulParameterLen = sizeof(params);
  params.oaep = nullptr;
  EXPECT_EQ(FromMechanism(&mechanism).code(), Code::kMechanismParamInvalid);
}

TEST(Mechanism, ReadsGcmInBothLayouts) {
  CK_BYTE iv[12] = {1};
  CK_BYTE aad[3] = {2};
  CK_GCM_PARAMS gcm{iv, 12, 96, aad, 3, 128};
  CK_MECHANISM mechanism{CKM_AES_GCM, &gcm, sizeof(gcm)};
  EXPECT_EQ(FromMechanism(&mechanism)->gcm->aad.size(), 3U);
  struct Old {
    CK_BYTE* iv;
    CK_ULONG iv_size;
    CK_BYTE* aad;
    CK_ULONG aad_size;
    CK_ULONG tag_bits;
  } old{iv, 12, aad, 3, 96};
  mechanism = {CKM_AES_GCM, &old, sizeof(old)};
  const auto wire = FromMechanism(&mechanism);
  ASSERT_TRUE(wire.ok());
  EXPECT_EQ(wire->gcm->tag_bits, 96U);
  EXPECT_EQ(wire->gcm->iv.size(), 12U);
  for (const CK_ULONG bits : {CK_ULONG{129}, CK_ULONG{127}, CK_UNAVAILABLE_INFORMATION}) {
    old.tag_bits = bits;
    EXPECT_EQ(FromMechanism(&mechanism).code(), Code::kMechanismParamInvalid);
  }
}

TEST(Mechanism, IvHasOneBlock) {
  CK_BYTE iv[17] = {};
  for (const CK_ULONG size : {0UL, 15UL, 17UL}) {
    CK_MECHANISM mechanism{CKM_AES_CBC, iv, size};
    EXPECT_EQ(FromMechanism(&mechanism).code(), Code::kMechanismParamInvalid) << size;
  }
  CK_MECHANISM mechanism{CKM_AES_CBC, iv, 16};
  EXPECT_EQ(FromMechanism(&mechanism)->bytes->size(), 16U);
}

TEST(Mechanism, CounterHasBits) {
  for (const CK_ULONG bits : {0UL, 129UL}) {
    CK_AES_CTR_PARAMS ctr{bits, {}};
    CK_MECHANISM mechanism{CKM_AES_CTR, &ctr, sizeof(ctr)};
    EXPECT_EQ(FromMechanism(&mechanism).code(), Code::kMechanismParamInvalid);
  }
}

TEST(Mechanism, ReadsCcm) {
  CK_BYTE iv[12] = {1};
  struct Ccm {
    CK_ULONG data_size;
    CK_BYTE* nonce;
    CK_ULONG nonce_size;
    CK_BYTE* aad;
    CK_ULONG aad_size;
    CK_ULONG mac_size;
  } ccm{5, iv, 12, nullptr, 0, 8};
  CK_MECHANISM mechanism{CKM_AES_CCM, &ccm, sizeof(ccm)};
  const auto wire = FromMechanism(&mechanism);
  ASSERT_TRUE(wire.ok());
  EXPECT_EQ(wire->ccm->tag_size, 8U);
  EXPECT_EQ(wire->ccm->data_size, 5U);
  EXPECT_EQ(CiphertextSize({}, *wire, 5)->bytes, 13U);
  mechanism.ulParameterLen = sizeof(ccm) - 1;
  EXPECT_EQ(FromMechanism(&mechanism).code(), Code::kMechanismParamInvalid);
}

TEST(Mechanism, ReadsGmacInBothLayouts) {
  CK_BYTE iv[12] = {1};
  CK_MECHANISM mechanism{CKM_AES_GMAC, iv, sizeof(iv)};
  EXPECT_EQ(FromMechanism(&mechanism)->gcm->tag_bits, 128U);
  CK_GCM_PARAMS gcm{iv, 12, 96, nullptr, 0, 96};
  mechanism = {CKM_AES_GMAC, &gcm, sizeof(gcm)};
  EXPECT_EQ(FromMechanism(&mechanism)->gcm->tag_bits, 96U);
}

TEST(Mechanism, ReadsEddsaWithAndWithoutParameter) {
  struct Params {
    CK_BBOOL prehash;
    CK_ULONG context_size;
    CK_BYTE* context;
  };
  CK_BYTE context[] = {7};
  Params params{CK_TRUE, 1, context};
  CK_MECHANISM mechanism{CKM_EDDSA, nullptr, 0};
  EXPECT_FALSE(FromMechanism(&mechanism)->HasParameter());
  mechanism = {CKM_EDDSA, &params, sizeof(params)};
  const auto wire = FromMechanism(&mechanism);
  ASSERT_TRUE(wire.ok());
  EXPECT_TRUE(wire->eddsa->prehash);
  EXPECT_EQ(wire->eddsa->context, Bytes{7});
  params.prehash = 2;
  EXPECT_EQ(FromMechanism(&mechanism).code(), Code::kMechanismParamInvalid);
  params = {CK_FALSE, 1, nullptr};
  EXPECT_EQ(FromMechanism(&mechanism).code(), Code::kMechanismParamInvalid);
}

TEST(Mechanism, ReadsTheDataOfDerivations) {
  CK_BYTE data[16] = {3};
  CK_KEY_DERIVATION_STRING_DATA string{data, sizeof(data)};
  CK_MECHANISM mechanism{CKM_XOR_BASE_AND_DATA, &string, sizeof(string)};
  EXPECT_EQ(FromMechanism(&mechanism)->bytes, ToBytes(FromC(data, sizeof(data))));
  string = {nullptr, sizeof(data)};
  EXPECT_EQ(FromMechanism(&mechanism).code(), Code::kMechanismParamInvalid);
  CK_AES_CBC_ENCRYPT_DATA_PARAMS cbc{{9}, data, sizeof(data)};
  mechanism = {CKM_AES_CBC_ENCRYPT_DATA, &cbc, sizeof(cbc)};
  EXPECT_EQ(FromMechanism(&mechanism)->cbc_data->iv[0], 9);
  EXPECT_EQ(FromMechanism(&mechanism)->cbc_data->data.size(), 16U);
}

TEST(Mechanism, ReadsHkdfWithItsSalt) {
  struct Params {
    CK_BBOOL extract;
    CK_BBOOL expand;
    CK_MECHANISM_TYPE hash;
    CK_ULONG salt_type;
    CK_BYTE* salt;
    CK_ULONG salt_size;
    CK_OBJECT_HANDLE salt_key;
    CK_BYTE* info;
    CK_ULONG info_size;
  };
  CK_BYTE bytes[] = {1, 2, 3};
  Params params{CK_TRUE, CK_TRUE, CKM_SHA256, 2, bytes, 3, 0, bytes, 2};
  CK_MECHANISM mechanism{CKM_HKDF_DERIVE, &params, sizeof(params)};
  const auto wire = FromMechanism(&mechanism);
  ASSERT_TRUE(wire.ok());
  EXPECT_EQ(wire->hkdf->salt.size(), 3U);
  EXPECT_EQ(wire->hkdf->info.size(), 2U);
  EXPECT_FALSE(SecondKeyOf(mechanism)->has_value());
  params.salt_type = 4;  // CKF_HKDF_SALT_KEY
  params.salt_key = 77;
  EXPECT_EQ(SecondKeyOf(mechanism)->value(), 77U);
  EXPECT_TRUE(FromMechanism(&mechanism)->hkdf->salt.empty());
  params.salt_type = 8;
  EXPECT_EQ(FromMechanism(&mechanism).code(), Code::kMechanismParamInvalid);
}

TEST(Mechanism, NamesTheSecondKeyOfAConcatenation) {
  CK_OBJECT_HANDLE handle = 5;
  CK_MECHANISM mechanism{CKM_CONCATENATE_BASE_AND_KEY, &handle, sizeof(handle)};
  EXPECT_EQ(SecondKeyOf(mechanism)->value(), 5U);
  EXPECT_TRUE(FromMechanism(&mechanism).ok());
  mechanism.ulParameterLen = 1;
  EXPECT_EQ(SecondKeyOf(mechanism).code(), Code::kMechanismParamInvalid);
  mechanism = {CKM_AES_ECB, nullptr, 0};
  EXPECT_FALSE(SecondKeyOf(mechanism)->has_value());
}

TEST(Mechanism, ReadsTheFieldsOfSp800108) {
  struct Field {
    CK_ULONG type;
    void* value;
    CK_ULONG size;
  };
  struct Counter {
    CK_BBOOL little_endian;
    CK_ULONG bits;
  } counter{CK_FALSE, 32};
  struct Length {
    CK_ULONG method;
    CK_BBOOL little_endian;
    CK_ULONG bits;
  } length{CK_SP800_108_DKM_LENGTH_SUM_OF_KEYS, CK_TRUE, 16};
  CK_BYTE label[] = {1, 2};
  Field fields[] = {{CK_SP800_108_ITERATION_VARIABLE, &counter, sizeof(counter)},
                    {CK_SP800_108_BYTE_ARRAY, label, sizeof(label)},
                    {CK_SP800_108_DKM_LENGTH, &length, sizeof(length)}};
  struct Params {
    CK_ULONG prf;
    CK_ULONG count;
    Field* fields;
    CK_ULONG additional;
    void* keys;
  } params{CKM_SHA256_HMAC, 3, fields, 0, nullptr};
  CK_MECHANISM mechanism{CKM_SP800_108_COUNTER_KDF, &params, sizeof(params)};
  const auto wire = FromMechanism(&mechanism);
  ASSERT_TRUE(wire.ok());
  ASSERT_EQ(wire->kbkdf->fields.size(), 3U);
  EXPECT_EQ(wire->kbkdf->fields[0].width_bits, 32U);
  EXPECT_EQ(wire->kbkdf->fields[1].data.size(), 2U);
  EXPECT_TRUE(wire->kbkdf->fields[2].little_endian);
  params.additional = 1;
  EXPECT_EQ(FromMechanism(&mechanism).code(), Code::kMechanismParamInvalid);
  params.additional = 0;
  params.count = CK_UNAVAILABLE_INFORMATION;
  EXPECT_EQ(FromMechanism(&mechanism).code(), Code::kMechanismParamInvalid);
  params.count = 3;
  fields[2].size = 1;
  EXPECT_EQ(FromMechanism(&mechanism).code(), Code::kMechanismParamInvalid);
}

TEST(Mechanism, UnknownOneTravelsWithPlainBytes) {
  CK_BYTE bytes[] = {1, 2};
  CK_MECHANISM mechanism{CKM_VENDOR_DEFINED | 7, bytes, 2};
  EXPECT_EQ(FromMechanism(&mechanism)->bytes->size(), 2U);
}

// RFC 8017 §9.2 note 1 lists these encodings; the digests follow them.
TEST(SplitHash, MakesTheDigestInfoOfRfc8017) {
  const std::pair<CK_MECHANISM_TYPE, std::string> rows[] = {
      {CKM_SHA1_RSA_PKCS, "3021300906052b0e03021a05000414"},
      {CKM_SHA224_RSA_PKCS, "302d300d06096086480165030402040500041c"},
      {CKM_SHA256_RSA_PKCS, "3031300d060960864801650304020105000420"},
      {CKM_SHA384_RSA_PKCS, "3041300d060960864801650304020205000430"},
      {CKM_SHA512_RSA_PKCS, "3051300d060960864801650304020305000440"},
      {CKM_SHA3_256_RSA_PKCS, "3031300d060960864801650304020805000420"},
  };
  for (const auto& [type, prefix] : rows) {
    wire::Mechanism mechanism;
    mechanism.type = type;
    const auto split = SplitHash(mechanism, RsaKey());
    ASSERT_TRUE(split.has_value());
    EXPECT_EQ(split->raw.type, CKM_RSA_PKCS);
    EXPECT_EQ(ToHex(split->Input(Bytes{0xab})), prefix + "ab");
  }
}

TEST(SplitHash, LeavesRawMechanismsWhole) {
  for (const CK_MECHANISM_TYPE type : {CKM_RSA_PKCS, CKM_ECDSA, CKM_SHA256_HMAC, CKM_EDDSA}) {
    wire::Mechanism mechanism;
    mechanism.type = type;
    EXPECT_FALSE(SplitHash(mechanism, RsaKey()).has_value());
  }
}

TEST(SplitHash, RespectsAllowedMechanisms) {
  wire::AttributeList key = EcKey();
  wire::Mechanism mechanism;
  mechanism.type = CKM_ECDSA_SHA256;
  Bytes allowed = wire::UlongBytes(CKM_ECDSA_SHA256);
  key.Set(CKA_ALLOWED_MECHANISMS, allowed);
  EXPECT_FALSE(SplitHash(mechanism, key).has_value());
  const Bytes raw = wire::UlongBytes(CKM_ECDSA);
  allowed.insert(allowed.end(), raw.begin(), raw.end());
  key.Set(CKA_ALLOWED_MECHANISMS, allowed);
  EXPECT_TRUE(SplitHash(mechanism, key).has_value());
  EXPECT_TRUE(IsAllowed(key, CKM_ECDSA));
  EXPECT_FALSE(IsAllowed(key, CKM_ECDSA_SHA384));
}

TEST(Sizes, FollowFromTheKey) {
  EXPECT_EQ(SignatureSize(RsaKey(), CKM_RSA_PKCS)->bytes, 256U);
  EXPECT_EQ(SignatureSize(EcKey(), CKM_ECDSA_SHA256)->bytes, 64U);
  const std::pair<std::string, size_t> curves[] = {
      {"06052b81040022", 96}, {"06052b81040023", 132}, {"06052b8104000a", 64}};
  for (const auto& [parameters, size] : curves) {
    wire::AttributeList key = EcKey();
    key.Set(CKA_EC_PARAMS, FromHex(parameters).value());
    EXPECT_EQ(SignatureSize(key, CKM_ECDSA)->bytes, size);
  }
  wire::AttributeList unknown = EcKey();
  unknown.Set(CKA_EC_PARAMS, Bytes{0x06, 0x01, 0x2a});
  EXPECT_FALSE(SignatureSize(unknown, CKM_ECDSA).has_value());
  EXPECT_FALSE(SignatureSize(EcKey(), CKM_SHA256_HMAC).has_value());
}

TEST(Sizes, OfPaddedAndTaggedModes) {
  wire::Mechanism mechanism;
  mechanism.type = CKM_AES_CBC_PAD;
  const std::pair<size_t, size_t> padded[] = {{0, 16}, {1, 16}, {15, 16}, {16, 32}, {17, 32}};
  for (const auto& [plain, cipher] : padded)
    EXPECT_EQ(CiphertextSize({}, mechanism, plain)->bytes, cipher);
  mechanism.type = CKM_AES_GCM;
  mechanism.gcm.emplace();
  mechanism.gcm->tag_bits = 128;
  EXPECT_EQ(CiphertextSize({}, mechanism, 5)->bytes, 21U);
  EXPECT_EQ(PlaintextSize({}, mechanism, 21)->bytes, 5U);
  EXPECT_EQ(PlaintextSize({}, mechanism, 3)->bytes, 0U);
}

}  // namespace
}  // namespace keyclave::pkcs11
