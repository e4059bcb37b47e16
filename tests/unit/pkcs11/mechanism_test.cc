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
