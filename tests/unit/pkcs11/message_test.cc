// What 3.0 and 3.2 add: message-based functions, signatures that come first, authenticated
// wrapping, validation flags, asynchronous functions.
#include <set>

#include "pkcs11/message_param.h"
#include "pkcs11/rv_map.h"
#include "tests/unit/pkcs11/module_fixture.h"

namespace keyclave::pkcs11 {
namespace {

using testing::ModuleTest;
using wire::Op;

CK_MECHANISM ecdsa_sha256{CKM_ECDSA_SHA256, nullptr, 0};
CK_MECHANISM gcm{CKM_AES_GCM, nullptr, 0};
CK_BYTE data[] = {'a', 'b', 'c', 'd', 'e'};

class MessageTest : public ModuleTest {
 protected:
  void SetUp() override {
    ModuleTest::SetUp();
    session_ = OpenSession();
    ec_ = PlantEc(session_);
    aes_ = PlantAes(session_);
    param_ = {iv_.data(), iv_.size(), 0, CKG_NO_GENERATE, tag_.data(), tag_.size() * 8};
  }
  CK_RV Encrypt(CK_BYTE* out, CK_ULONG* size) {
    return C_EncryptMessage(session_, &param_, sizeof(param_), nullptr, 0, data, 5, out, size);
  }
  CK_RV EncryptBegin() { return C_EncryptMessageBegin(session_, &param_, sizeof(param_), data, 2); }
  CK_RV EncryptNext(CK_ULONG from, CK_ULONG count, CK_BYTE* out, CK_ULONG* size, CK_FLAGS flags) {
    return C_EncryptMessageNext(session_, &param_, sizeof(param_), data + from, count, out, size,
                                flags);
  }

  CK_SESSION_HANDLE session_ = 0;
  CK_OBJECT_HANDLE ec_ = 0;
  CK_OBJECT_HANDLE aes_ = 0;
  ByteArray<12> iv_{1, 2, 3};
  ByteArray<16> tag_{};
  CK_GCM_MESSAGE_PARAMS param_{};
};

TEST_F(MessageTest, SignaturesGoOnUntilTheProcessIsFinished) {
  CK_BYTE first[64];
  CK_BYTE second[64];
  CK_ULONG size = 0;
  EXPECT_EQ(C_SignMessage(session_, nullptr, 0, data, 3, first, &size),
            CKR_OPERATION_NOT_INITIALIZED);
  ASSERT_EQ(C_MessageSignInit(session_, &ecdsa_sha256, ec_), CKR_OK);
  EXPECT_EQ(C_SignInit(session_, &ecdsa_sha256, ec_), CKR_OPERATION_ACTIVE);
  EXPECT_EQ(C_MessageSignInit(session_, &ecdsa_sha256, ec_), CKR_OPERATION_ACTIVE);
  // Once for the length, once too small, once.
  ASSERT_EQ(C_SignMessage(session_, nullptr, 0, data, 3, nullptr, &size), CKR_OK);
  EXPECT_EQ(size, 64U);
  size = 63;
  EXPECT_EQ(C_SignMessage(session_, nullptr, 0, data, 3, first, &size), CKR_BUFFER_TOO_SMALL);
  EXPECT_EQ(enclave().Count(Op::kSign), 0U);
  ASSERT_EQ(C_SignMessage(session_, nullptr, 0, data, 3, first, &size), CKR_OK);
  EXPECT_EQ(enclave().Count(Op::kSign), 1U);
  // The same message in parts; the last part comes with the buffer.
  ASSERT_EQ(C_SignMessageBegin(session_, nullptr, 0), CKR_OK);
  EXPECT_EQ(C_SignMessageBegin(session_, nullptr, 0), CKR_OPERATION_ACTIVE);
  EXPECT_EQ(C_SignMessage(session_, nullptr, 0, data, 3, first, &size), CKR_OPERATION_ACTIVE);
  ASSERT_EQ(C_SignMessageNext(session_, nullptr, 0, data, 1, nullptr, nullptr), CKR_OK);
  ASSERT_EQ(C_SignMessageNext(session_, nullptr, 0, data + 1, 2, nullptr, &size), CKR_OK);
  EXPECT_EQ(size, 64U);
  ASSERT_EQ(C_SignMessageNext(session_, nullptr, 0, data + 1, 2, second, &size), CKR_OK);
  EXPECT_TRUE(std::equal(std::begin(first), std::end(first), second));
  EXPECT_EQ(C_SignMessageNext(session_, nullptr, 0, data, 1, nullptr, nullptr),
            CKR_OPERATION_NOT_INITIALIZED);
  EXPECT_EQ(C_SignMessage(session_, data, 1, data, 3, first, &size), CKR_MECHANISM_PARAM_INVALID);
  // A message that failed is over; the process is not.
  enclave().FailNext(Op::kSign, Code::kDenied);
  EXPECT_EQ(C_SignMessage(session_, nullptr, 0, data, 3, first, &size),
            CKR_KEY_FUNCTION_NOT_PERMITTED);
  EXPECT_EQ(C_SignMessage(session_, nullptr, 0, data, 3, first, &size), CKR_OK);
  EXPECT_EQ(C_MessageSignFinal(session_), CKR_OK);
  EXPECT_EQ(C_MessageSignFinal(session_), CKR_OPERATION_NOT_INITIALIZED);
  EXPECT_EQ(C_SignInit(session_, &ecdsa_sha256, ec_), CKR_OK);
}

TEST_F(MessageTest, VerificationsLikewise) {
  CK_BYTE signature[64];
  CK_ULONG size = 64;
  ASSERT_EQ(C_SignInit(session_, &ecdsa_sha256, ec_), CKR_OK);
  ASSERT_EQ(C_Sign(session_, data, 3, signature, &size), CKR_OK);
  ASSERT_EQ(C_MessageVerifyInit(session_, &ecdsa_sha256, ec_), CKR_OK);
  EXPECT_EQ(C_VerifyMessage(session_, nullptr, 0, data, 3, signature, 64), CKR_OK);
  EXPECT_EQ(C_VerifyMessage(session_, nullptr, 0, data, 4, signature, 64), CKR_SIGNATURE_INVALID);
  EXPECT_EQ(C_VerifyMessage(session_, nullptr, 0, data, 3, signature, 63), CKR_SIGNATURE_LEN_RANGE);
  ASSERT_EQ(C_VerifyMessageBegin(session_, nullptr, 0), CKR_OK);
  ASSERT_EQ(C_VerifyMessageNext(session_, nullptr, 0, data, 2, nullptr, 0), CKR_OK);
  EXPECT_EQ(C_VerifyMessageNext(session_, nullptr, 0, data + 2, 1, signature, 64), CKR_OK);
  EXPECT_EQ(C_VerifyMessageNext(session_, nullptr, 0, data, 1, nullptr, 0),
            CKR_OPERATION_NOT_INITIALIZED);
  // NULL ends it, with the message in the middle.
  ASSERT_EQ(C_VerifyMessageBegin(session_, nullptr, 0), CKR_OK);
  EXPECT_EQ(C_MessageVerifyInit(session_, nullptr, 0), CKR_OK);
  EXPECT_EQ(C_MessageVerifyInit(session_, nullptr, 0), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(C_MessageVerifyFinal(session_), CKR_OPERATION_NOT_INITIALIZED);
}

TEST_F(MessageTest, TheSignatureMayComeFirst) {
  CK_BYTE signature[64];
  CK_ULONG size = 64;
  ASSERT_EQ(C_SignInit(session_, &ecdsa_sha256, ec_), CKR_OK);
  ASSERT_EQ(C_Sign(session_, data, 3, signature, &size), CKR_OK);
  EXPECT_EQ(C_VerifySignatureInit(session_, &ecdsa_sha256, ec_, signature, 63),
            CKR_SIGNATURE_LEN_RANGE);
  EXPECT_EQ(C_VerifySignatureInit(session_, &ecdsa_sha256, ec_, nullptr, 64), CKR_ARGUMENTS_BAD);
  ASSERT_EQ(C_VerifySignatureInit(session_, &ecdsa_sha256, ec_, signature, 64), CKR_OK);
  EXPECT_EQ(C_Verify(session_, data, 3, signature, 64), CKR_OPERATION_NOT_INITIALIZED);
  EXPECT_EQ(C_VerifyFinal(session_, signature, 64), CKR_OPERATION_NOT_INITIALIZED);
  EXPECT_EQ(C_VerifySignature(session_, data, 3), CKR_OK);
  EXPECT_EQ(C_VerifySignature(session_, data, 3), CKR_OPERATION_NOT_INITIALIZED);
  ASSERT_EQ(C_VerifySignatureInit(session_, &ecdsa_sha256, ec_, signature, 64), CKR_OK);
  ASSERT_EQ(C_VerifySignatureUpdate(session_, data, 1), CKR_OK);
  EXPECT_EQ(C_VerifySignature(session_, data, 3), CKR_OPERATION_ACTIVE);
  ASSERT_EQ(C_VerifySignatureInit(session_, &ecdsa_sha256, ec_, signature, 64), CKR_OK);
  ASSERT_EQ(C_VerifySignatureUpdate(session_, data, 1), CKR_OK);
  ASSERT_EQ(C_VerifySignatureUpdate(session_, data + 1, 3), CKR_OK);
  EXPECT_EQ(C_VerifySignatureFinal(session_), CKR_SIGNATURE_INVALID);
  // And an operation of C_Verify is none of these functions'.
  ASSERT_EQ(C_VerifyInit(session_, &ecdsa_sha256, ec_), CKR_OK);
  EXPECT_EQ(C_VerifySignatureFinal(session_), CKR_OPERATION_NOT_INITIALIZED);
  EXPECT_EQ(C_Verify(session_, data, 3, signature, 64), CKR_OK);
}

TEST_F(MessageTest, ACiphertextAndItsTagComeApart) {
  CK_BYTE out[8];
  CK_ULONG size = 4;
  ASSERT_EQ(C_MessageEncryptInit(session_, &gcm, aes_), CKR_OK);
  EXPECT_EQ(Encrypt(nullptr, &size), CKR_OK);
  EXPECT_EQ(size, 5U);
  size = 4;
  EXPECT_EQ(Encrypt(out, &size), CKR_BUFFER_TOO_SMALL);
  EXPECT_EQ(enclave().Count(Op::kEncrypt), 0U);
  ASSERT_EQ(Encrypt(out, &size), CKR_OK);
  EXPECT_EQ(size, 5U);
  EXPECT_EQ(tag_[0], 0x88);  // the fake's, as its ciphertext turned over
  EXPECT_EQ(enclave().last_operation()->mechanism.gcm->iv, Bytes(iv_.begin(), iv_.end()));
  const ByteArray<16> tag = tag_;
  ASSERT_EQ(EncryptBegin(), CKR_OK);
  EXPECT_EQ(Encrypt(out, &size), CKR_OPERATION_ACTIVE);
  EXPECT_EQ(EncryptBegin(), CKR_OPERATION_ACTIVE);
  CK_BYTE parts[8];
  size = sizeof(parts);
  ASSERT_EQ(EncryptNext(0, 3, parts, &size, 0), CKR_OK);
  EXPECT_EQ(size, 0U);
  size = 4;
  EXPECT_EQ(EncryptNext(3, 2, parts, &size, CKF_END_OF_MESSAGE), CKR_BUFFER_TOO_SMALL);
  ASSERT_EQ(EncryptNext(3, 2, parts, &size, CKF_END_OF_MESSAGE), CKR_OK);
  EXPECT_TRUE(std::equal(out, out + 5, parts));
  EXPECT_EQ(tag_, tag);
  EXPECT_EQ(enclave().last_operation()->mechanism.gcm->aad, (Bytes{'a', 'b'}));
  EXPECT_EQ(EncryptNext(0, 1, parts, &size, 0), CKR_OPERATION_NOT_INITIALIZED);
  ASSERT_EQ(C_MessageEncryptFinal(session_), CKR_OK);

  ASSERT_EQ(C_MessageDecryptInit(session_, &gcm, aes_), CKR_OK);
  const auto decrypt = [&](CK_BYTE* to) {
    size = 5;
    return C_DecryptMessage(session_, &param_, sizeof(param_), nullptr, 0, out, 5, to, &size);
  };
  ASSERT_EQ(decrypt(parts), CKR_OK);
  EXPECT_TRUE(std::equal(data, data + 5, parts));
  tag_[15] ^= 1;
  EXPECT_EQ(decrypt(parts), CKR_ENCRYPTED_DATA_INVALID);
  tag_[15] ^= 1;
  EXPECT_EQ(decrypt(parts), CKR_OK) << "the process goes on";
  EXPECT_EQ(C_SessionCancel(session_, CKF_MESSAGE_DECRYPT), CKR_OK);
  EXPECT_EQ(decrypt(parts), CKR_OPERATION_NOT_INITIALIZED);
}

TEST_F(MessageTest, ParametersOfMessages) {
  CK_BYTE out[8];
  CK_ULONG size = 8;
  CK_MECHANISM other{CKM_AES_GCM, out, 3};
  EXPECT_EQ(C_MessageEncryptInit(session_, &other, aes_), CKR_MECHANISM_PARAM_INVALID);
  CK_MECHANISM cbc{CKM_AES_CBC, nullptr, 0};
  EXPECT_EQ(C_MessageEncryptInit(session_, &cbc, aes_), CKR_MECHANISM_INVALID);
  CK_MECHANISM with{CKM_AES_GCM, &param_, sizeof(param_)};
  ASSERT_EQ(C_MessageEncryptInit(session_, &with, aes_), CKR_OK);
  const CK_GCM_MESSAGE_PARAMS good = param_;
  const auto with_param = [&](auto change) {
    param_ = good;
    change(param_);
    return RvName(Encrypt(out, &size));
  };
  constexpr std::string_view kBad = "CKR_MECHANISM_PARAM_INVALID";
  EXPECT_EQ(with_param([](auto& p) { p.ulIvLen = 0; }), kBad);
  EXPECT_EQ(with_param([](auto& p) { p.ulIvLen = 257; }), kBad);
  EXPECT_EQ(with_param([](auto& p) { p.pIv = nullptr; }), kBad);
  EXPECT_EQ(with_param([](auto& p) { p.pTag = nullptr; }), kBad);
  EXPECT_EQ(with_param([](auto& p) { p.ulTagBits = 127; }), kBad);
  EXPECT_EQ(with_param([](auto& p) { p.ulTagBits = 136; }), kBad);
  EXPECT_EQ(with_param([](auto& p) { p.ulIvFixedBits = 97; }), kBad);
  EXPECT_EQ(with_param([](auto& p) { p.ivGenerator = 5; }), kBad);
  EXPECT_EQ(with_param([](auto& p) { p.ulIvFixedBits = 33, p.ivGenerator = CKG_GENERATE; }), kBad);
  EXPECT_EQ(with_param([](auto&) {}), "CKR_OK");
}

TEST_F(MessageTest, VectorsAreMadeBehindTheirFixedBits) {
  ASSERT_EQ(C_MessageEncryptInit(session_, &gcm, aes_), CKR_OK);
  param_.ulIvFixedBits = 20;
  param_.ivGenerator = CKG_GENERATE;
  CK_BYTE out[8];
  std::set<ByteArray<12>> seen;
  for (int i = 0; i < 64; ++i) {
    CK_ULONG size = 8;
    ASSERT_EQ(Encrypt(out, &size), CKR_OK);
    EXPECT_EQ(iv_[0], 1);
    EXPECT_EQ(iv_[1], 2);
    EXPECT_EQ(iv_[2] >> 4, 0);
    EXPECT_EQ(enclave().last_operation()->mechanism.gcm->iv, Bytes(iv_.begin(), iv_.end()));
    seen.insert(iv_);
  }
  EXPECT_EQ(seen.size(), 64U);
}

TEST(Vectors, CountBehindTheirFixedBits) {
  uint64_t counter = 0;
  const auto next = [&](const Bytes& given, uint64_t fixed, CK_ULONG generator) {
    return NextIv(given, fixed, generator, counter);
  };
  const Bytes given = {0xff, 0xff, 0xff, 0xff};
  EXPECT_EQ(next(given, 20, CKG_NO_GENERATE).value(), given);
  EXPECT_EQ(next(given, 20, CKG_GENERATE_COUNTER).value(), (Bytes{0xff, 0xff, 0xf0, 0}));
  EXPECT_EQ(next(given, 20, CKG_GENERATE_COUNTER).value(), (Bytes{0xff, 0xff, 0xf0, 1}));
  EXPECT_EQ(next(given, 20, CKG_GENERATE_COUNTER_XOR).value(), (Bytes{0xff, 0xff, 0xff, 0xfd}));
  counter = 0xfff;
  EXPECT_EQ(next(given, 20, CKG_GENERATE_COUNTER).value(), given);
  EXPECT_EQ(next(given, 20, CKG_GENERATE_COUNTER).code(), Code::kMechanismParamInvalid);
  EXPECT_EQ(next(given, 32, CKG_GENERATE_COUNTER).code(), Code::kMechanismParamInvalid);
  counter = 0x0102030405060708;
  EXPECT_EQ(next(Bytes(12, 0), 32, CKG_GENERATE_COUNTER).value(),
            (Bytes{0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8}));
}

TEST_F(MessageTest, WrappedKeysWithAssociatedData) {
  const CK_OBJECT_HANDLE wrapped_key = PlantAes(session_);
  CK_MECHANISM mechanism{CKM_AES_GCM, &param_, sizeof(param_)};
  param_.ivGenerator = CKG_GENERATE;
  param_.ulIvFixedBits = 24;
  CK_BYTE out[64];
  CK_ULONG size = 0;
  const auto wrap = [&](CK_BYTE* to) {
    return C_WrapKeyAuthenticated(session_, &mechanism, aes_, wrapped_key, data, 5, to, &size);
  };
  const ByteArray<12> before = iv_;
  ASSERT_EQ(wrap(nullptr), CKR_OK);
  EXPECT_EQ(size, 24U);  // the fake's 40 bytes, less the tag
  EXPECT_EQ(iv_, before);
  ASSERT_EQ(wrap(out), CKR_OK);
  EXPECT_EQ(enclave().Count(Op::kWrapKey), 1U) << "the length and the key are of one request";
  EXPECT_NE(iv_, before);
  EXPECT_EQ(tag_[0], 0x42);
  for (const CK_ULONG generator : {CKG_GENERATE_COUNTER, CKG_GENERATE_COUNTER_XOR}) {
    param_.ivGenerator = generator;
    EXPECT_EQ(wrap(out), CKR_MECHANISM_PARAM_INVALID);
  }
  CK_MECHANISM kw{CKM_AES_KEY_WRAP, nullptr, 0};
  EXPECT_EQ(C_WrapKeyAuthenticated(session_, &kw, aes_, wrapped_key, nullptr, 0, out, &size),
            CKR_MECHANISM_INVALID);
  CK_OBJECT_HANDLE key = 0;
  CK_OBJECT_CLASS secret = CKO_SECRET_KEY;
  CK_ATTRIBUTE attributes[] = {{CKA_CLASS, &secret, sizeof(secret)}};
  param_.ivGenerator = CKG_NO_GENERATE;
  EXPECT_EQ(
      C_UnwrapKeyAuthenticated(session_, &mechanism, aes_, out, 24, attributes, 1, data, 5, &key),
      CKR_OK);
  EXPECT_NE(key, 0U);
  // C_WrapKey with CK_GCM_WRAP_PARAMS: the tag follows.
  CK_GCM_WRAP_PARAMS wrap_param{iv_.data(), iv_.size(), 0, CKG_GENERATE_RANDOM, data, 5, 128};
  CK_MECHANISM plain{CKM_AES_GCM, &wrap_param, sizeof(wrap_param)};
  const ByteArray<12> given = iv_;
  size = sizeof(out);
  ASSERT_EQ(C_WrapKey(session_, &plain, aes_, wrapped_key, out, &size), CKR_OK);
  EXPECT_EQ(size, 40U);
  EXPECT_NE(iv_, given);
  EXPECT_EQ(C_EncryptInit(session_, &plain, aes_), CKR_MECHANISM_PARAM_INVALID);
}

TEST_F(MessageTest, NothingIsValidatedAndNothingIsPending) {
  CK_FLAGS flags = 7;
  EXPECT_EQ(C_GetSessionValidationFlags(session_, CKS_LAST_VALIDATION_OK, &flags), CKR_OK);
  EXPECT_EQ(flags, 0U);
  EXPECT_EQ(C_GetSessionValidationFlags(session_, 2, &flags), CKR_ARGUMENTS_BAD);
  CK_UTF8CHAR name[] = "C_Sign";
  CK_ASYNC_DATA result{};
  CK_ULONG id = 0;
  EXPECT_EQ(C_AsyncComplete(session_, name, &result), CKR_OPERATION_NOT_INITIALIZED);
  EXPECT_EQ(C_AsyncGetID(session_, name, &id), CKR_OPERATION_NOT_INITIALIZED);
  EXPECT_EQ(C_AsyncJoin(session_, name, 1, data, 5), CKR_SAVED_STATE_INVALID);
  CK_SESSION_HANDLE another = 0;
  EXPECT_EQ(
      RvName(C_OpenSession(0, CKF_SERIAL_SESSION | CKF_ASYNC_SESSION, nullptr, nullptr, &another)),
      "CKR_SESSION_ASYNC_NOT_SUPPORTED");
}

TEST_F(MessageTest, MechanismsSayWhatMessagesTheyTake) {
  constexpr CK_FLAGS kSigns = CKF_MESSAGE_SIGN | CKF_MESSAGE_VERIFY | CKF_MULTI_MESSAGE;
  constexpr CK_FLAGS kCiphers = CKF_MESSAGE_ENCRYPT | CKF_MESSAGE_DECRYPT | CKF_MULTI_MESSAGE;
  constexpr CK_FLAGS kAll = kSigns | kCiphers;
  const auto flags_of = [](CK_MECHANISM_TYPE type) {
    CK_MECHANISM_INFO info{};
    EXPECT_EQ(C_GetMechanismInfo(0, type, &info), CKR_OK);
    return info.flags & kAll;
  };
  EXPECT_EQ(flags_of(CKM_ECDSA_SHA256), kSigns);
  EXPECT_EQ(flags_of(CKM_AES_GCM), kCiphers);
  EXPECT_EQ(flags_of(CKM_AES_CBC), 0U);
  EXPECT_EQ(flags_of(CKM_SHA256), 0U);
}

}  // namespace
}  // namespace keyclave::pkcs11
