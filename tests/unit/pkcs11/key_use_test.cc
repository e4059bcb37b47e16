// Signing, verifying, encrypting, decrypting, digesting: requests, lengths, and how operations end.
#include "enclave/base/hash.h"
#include "enclave/client/signed_message.h"
#include "tests/unit/pkcs11/module_fixture.h"

namespace keyclave::pkcs11 {
namespace {

using testing::EcKey;
using testing::ModuleTest;
using wire::Op;

CK_MECHANISM ecdsa{CKM_ECDSA, nullptr, 0};
CK_MECHANISM ecdsa_sha256{CKM_ECDSA_SHA256, nullptr, 0};
CK_MECHANISM rsa_sha256{CKM_SHA256_RSA_PKCS, nullptr, 0};
CK_MECHANISM hmac{CKM_SHA256_HMAC, nullptr, 0};
CK_BYTE message[] = {'a', 'b', 'c'};
CK_BYTE iv[16] = {};

class KeyUseTest : public ModuleTest {
 protected:
  void SetUp() override {
    ModuleTest::SetUp();
    session_ = OpenSession();
    ec_ = PlantEc(session_);
    aes_ = PlantAes(session_);
    // So that what follows counts operations alone.
    CK_ULONG count = 0;
    ASSERT_EQ(C_GetMechanismList(0, nullptr, &count), CKR_OK);
    before_ = enclave().Total();
  }
  uint64_t Requests() { return enclave().Total() - before_; }

  CK_SESSION_HANDLE session_ = 0;
  CK_OBJECT_HANDLE ec_ = 0;
  CK_OBJECT_HANDLE aes_ = 0;
  uint64_t before_ = 0;
};

TEST_F(KeyUseTest, OneSignatureIsOneRequest) {
  CK_BYTE signature[64];
  CK_ULONG size = 0;
  ASSERT_EQ(C_SignInit(session_, &ecdsa_sha256, ec_), CKR_OK);
  EXPECT_EQ(Requests(), 0U);
  ASSERT_EQ(C_Sign(session_, message, 3, nullptr, &size), CKR_OK);
  EXPECT_EQ(size, 64U);
  size = 63;
  ASSERT_EQ(C_Sign(session_, message, 3, signature, &size), CKR_BUFFER_TOO_SMALL);
  EXPECT_EQ(size, 64U);
  EXPECT_EQ(Requests(), 0U);
  ASSERT_EQ(C_Sign(session_, message, 3, signature, &size), CKR_OK);
  EXPECT_EQ(Requests(), 1U);
  EXPECT_EQ(C_Sign(session_, message, 3, signature, &size), CKR_OPERATION_NOT_INITIALIZED);
}

TEST_F(KeyUseTest, HashedSignaturesSendTheMessage) {
  CK_BYTE signature[256];
  CK_ULONG size = 64;
  const std::vector<CK_BYTE> longest(client::kMaxWholeMessage, 7);
  for (const bool parts : {false, true}) {
    ASSERT_EQ(C_SignInit(session_, &ecdsa_sha256, ec_), CKR_OK);
    auto* data = const_cast<CK_BYTE*>(longest.data());
    size = 64;
    if (parts) {
      ASSERT_EQ(C_SignUpdate(session_, data, 1), CKR_OK);
      ASSERT_EQ(C_SignUpdate(session_, data, longest.size() - 1), CKR_OK);
      ASSERT_EQ(C_SignFinal(session_, signature, &size), CKR_OK);
    } else {
      ASSERT_EQ(C_Sign(session_, data, longest.size(), signature, &size), CKR_OK);
    }
    EXPECT_EQ(enclave().last_operation()->mechanism.type, CKM_ECDSA_SHA256);
    EXPECT_TRUE(Equal(enclave().last_operation()->input, longest));
  }
}

TEST_F(KeyUseTest, HashedSignaturesOfLongMessagesSendTheDigest) {
  CK_BYTE signature[256];
  CK_ULONG size = 64;
  std::vector<CK_BYTE> data(client::kMaxWholeMessage + 1, 7);
  ASSERT_EQ(C_SignInit(session_, &ecdsa_sha256, ec_), CKR_OK);
  ASSERT_EQ(C_Sign(session_, data.data(), data.size(), signature, &size), CKR_OK);
  EXPECT_EQ(enclave().last_operation()->mechanism.type, CKM_ECDSA);
  EXPECT_TRUE(Equal(enclave().last_operation()->input, Sha256(data)));
  const CK_OBJECT_HANDLE rsa = PlantRsa(session_);
  ASSERT_EQ(C_SignInit(session_, &rsa_sha256, rsa), CKR_OK);
  size = 256;
  ASSERT_EQ(C_Sign(session_, data.data(), data.size(), signature, &size), CKR_OK);
  EXPECT_EQ(enclave().last_operation()->mechanism.type, CKM_RSA_PKCS);
  EXPECT_EQ(enclave().last_operation()->input.size(), 51U);
}

TEST_F(KeyUseTest, PartsOfAnyLengthAreOneRequest) {
  CK_BYTE whole[64];
  CK_BYTE parts[64];
  CK_ULONG size = 64;
  std::vector<CK_BYTE> big(3 << 20, 7);  // more than a request can carry
  ASSERT_EQ(C_SignInit(session_, &ecdsa_sha256, ec_), CKR_OK);
  ASSERT_EQ(C_Sign(session_, big.data(), big.size(), whole, &size), CKR_OK);
  ASSERT_EQ(C_SignInit(session_, &ecdsa_sha256, ec_), CKR_OK);
  for (size_t at = 0; at < big.size(); at += 1 << 20)
    ASSERT_EQ(C_SignUpdate(session_, big.data() + at, 1 << 20), CKR_OK);
  EXPECT_EQ(C_SignFinal(session_, nullptr, &size), CKR_OK);
  ASSERT_EQ(C_SignFinal(session_, parts, &size), CKR_OK);
  EXPECT_EQ(Requests(), 2U);
  EXPECT_TRUE(std::equal(whole, whole + 64, parts));
}

TEST_F(KeyUseTest, MessagesThatTravelWholeHaveALimit) {
  CK_BYTE mac[32];
  CK_ULONG size = 32;
  std::vector<CK_BYTE> big((1 << 20) + 1);
  ASSERT_EQ(C_SignInit(session_, &hmac, aes_), CKR_OK);
  EXPECT_EQ(C_Sign(session_, big.data(), big.size(), mac, &size), CKR_DATA_LEN_RANGE);
  ASSERT_EQ(C_SignInit(session_, &hmac, aes_), CKR_OK);
  EXPECT_EQ(C_SignUpdate(session_, big.data(), big.size()), CKR_DATA_LEN_RANGE);
  EXPECT_EQ(C_SignUpdate(session_, big.data(), 1), CKR_OPERATION_NOT_INITIALIZED);
}

// The length of an HMAC is not known here: the enclave is asked once, and the answer kept.
TEST_F(KeyUseTest, OutputOfUnknownLengthIsMadeOnceAndKept) {
  CK_BYTE mac[32];
  CK_ULONG size = 0;
  ASSERT_EQ(C_SignInit(session_, &hmac, aes_), CKR_OK);
  ASSERT_EQ(C_Sign(session_, message, 3, nullptr, &size), CKR_OK);
  EXPECT_EQ(size, 32U);
  ASSERT_EQ(C_Sign(session_, message, 3, mac, &size), CKR_OK);
  EXPECT_EQ(Requests(), 1U);
}

TEST_F(KeyUseTest, KeptOutputIsNotGivenForAnotherMessage) {
  CK_BYTE mac[32];
  CK_BYTE expected[32];
  CK_ULONG size = 0;
  ASSERT_EQ(C_SignInit(session_, &hmac, aes_), CKR_OK);
  ASSERT_EQ(C_Sign(session_, message, 3, nullptr, &size), CKR_OK);
  ASSERT_EQ(C_Sign(session_, message, 2, mac, &size), CKR_OK);
  ASSERT_EQ(C_SignInit(session_, &hmac, aes_), CKR_OK);
  ASSERT_EQ(C_Sign(session_, message, 2, expected, &size), CKR_OK);
  EXPECT_TRUE(std::equal(mac, mac + 32, expected));
}

TEST_F(KeyUseTest, ErrorsEndTheOperation) {
  CK_BYTE signature[64];
  CK_ULONG size = 64;
  ASSERT_EQ(C_SignInit(session_, &ecdsa, ec_), CKR_OK);
  enclave().FailNext(Op::kSign, Code::kDenied);
  EXPECT_EQ(C_Sign(session_, message, 3, signature, &size), CKR_KEY_FUNCTION_NOT_PERMITTED);
  EXPECT_EQ(C_Sign(session_, message, 3, signature, &size), CKR_OPERATION_NOT_INITIALIZED);
  ASSERT_EQ(C_SignInit(session_, &ecdsa, ec_), CKR_OK);
  EXPECT_EQ(C_Sign(session_, nullptr, 3, signature, &size), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(C_Sign(session_, message, 3, signature, &size), CKR_OPERATION_NOT_INITIALIZED);
  ASSERT_EQ(C_SignInit(session_, &ecdsa, ec_), CKR_OK);
  EXPECT_EQ(C_Sign(session_, message, 3, signature, nullptr), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(C_SignInit(session_, &ecdsa, ec_), CKR_OK);
  EXPECT_EQ(C_SignInit(session_, &ecdsa, ec_), CKR_OPERATION_ACTIVE);
  EXPECT_EQ(C_SignInit(session_, nullptr, 0), CKR_OK);  // 3.0: ends it
  EXPECT_EQ(C_SignInit(session_, &ecdsa, ec_), CKR_OK);
  EXPECT_EQ(C_SessionCancel(session_, CKF_SIGN), CKR_OK);
  EXPECT_EQ(C_SignFinal(session_, signature, &size), CKR_OPERATION_NOT_INITIALIZED);
}

TEST_F(KeyUseTest, OnePartCannotEndWhatPartsBegan) {
  CK_BYTE signature[64];
  CK_ULONG size = 64;
  ASSERT_EQ(C_SignInit(session_, &ecdsa_sha256, ec_), CKR_OK);
  ASSERT_EQ(C_SignUpdate(session_, message, 3), CKR_OK);
  EXPECT_EQ(C_Sign(session_, message, 3, signature, &size), CKR_OPERATION_ACTIVE);
  EXPECT_EQ(C_SignFinal(session_, signature, &size), CKR_OPERATION_NOT_INITIALIZED);
}

TEST_F(KeyUseTest, InitChecksKeyAndMechanism) {
  CK_MECHANISM unknown{CKM_DES_ECB, nullptr, 0};
  CK_MECHANISM keygen{CKM_AES_KEY_GEN, nullptr, 0};
  EXPECT_EQ(C_SignInit(session_, &ecdsa, 999), CKR_KEY_HANDLE_INVALID);
  EXPECT_EQ(C_SignInit(session_, &unknown, ec_), CKR_MECHANISM_INVALID);
  EXPECT_EQ(C_SignInit(session_, &keygen, ec_), CKR_MECHANISM_INVALID);
  EXPECT_EQ(C_SignInit(session_, &rsa_sha256, ec_), CKR_KEY_TYPE_INCONSISTENT);
  CK_MECHANISM odd{CKM_ECDSA, message, 3};
  EXPECT_EQ(C_SignInit(session_, &odd, ec_), CKR_MECHANISM_PARAM_INVALID);
  CK_BBOOL no = CK_FALSE;
  CK_ATTRIBUTE change{CKA_SIGN, &no, 1};
  ASSERT_EQ(C_SetAttributeValue(session_, ec_, &change, 1), CKR_OK);
  EXPECT_EQ(C_SignInit(session_, &ecdsa, ec_), CKR_KEY_FUNCTION_NOT_PERMITTED);
}

TEST_F(KeyUseTest, AKeyThatMaySignNowIsNotRefusedFromMemory) {
  wire::AttributeList idle = EcKey();
  idle.SetBool(CKA_SIGN, false);
  idle.SetText(CKA_LABEL, "idle");
  const wire::ObjectId id = enclave().Plant(idle);
  wire::AttributeList match;
  match.SetText(CKA_LABEL, "idle");
  const CK_OBJECT_HANDLE key = FindOne(session_, match);
  EXPECT_EQ(C_SignInit(session_, &ecdsa, key), CKR_KEY_FUNCTION_NOT_PERMITTED);
  const uint8_t on = 1;
  enclave().Change(id, CKA_SIGN, {&on, 1});
  EXPECT_EQ(C_SignInit(session_, &ecdsa, key), CKR_OK);
}

TEST_F(KeyUseTest, AKeyThatIsGoneIsAnInvalidHandle) {
  wire::AttributeList passing = EcKey();
  passing.SetText(CKA_LABEL, "passing");
  const wire::ObjectId id = enclave().Plant(passing);
  wire::AttributeList match;
  match.SetText(CKA_LABEL, "passing");
  const CK_OBJECT_HANDLE key = FindOne(session_, match);
  ASSERT_EQ(C_SignInit(session_, &ecdsa, key), CKR_OK);
  enclave().Vanish(id);
  CK_BYTE signature[64];
  CK_ULONG size = 64;
  EXPECT_EQ(C_Sign(session_, message, 3, signature, &size), CKR_KEY_HANDLE_INVALID);
  EXPECT_EQ(C_SignInit(session_, &ecdsa, key), CKR_KEY_HANDLE_INVALID);
}

TEST_F(KeyUseTest, VerifiesAndSaysWhy) {
  CK_BYTE signature[64];
  CK_ULONG size = 64;
  ASSERT_EQ(C_SignInit(session_, &ecdsa_sha256, ec_), CKR_OK);
  ASSERT_EQ(C_Sign(session_, message, 3, signature, &size), CKR_OK);
  ASSERT_EQ(C_VerifyInit(session_, &ecdsa_sha256, ec_), CKR_OK);
  EXPECT_EQ(C_Verify(session_, message, 3, signature, 64), CKR_OK);
  ASSERT_EQ(C_VerifyInit(session_, &ecdsa_sha256, ec_), CKR_OK);
  ASSERT_EQ(C_VerifyUpdate(session_, message, 1), CKR_OK);
  ASSERT_EQ(C_VerifyUpdate(session_, message + 1, 2), CKR_OK);
  EXPECT_EQ(C_VerifyFinal(session_, signature, 64), CKR_OK);
  ASSERT_EQ(C_VerifyInit(session_, &ecdsa_sha256, ec_), CKR_OK);
  EXPECT_EQ(C_Verify(session_, message, 3, signature, 63), CKR_SIGNATURE_LEN_RANGE);
  ASSERT_EQ(C_VerifyInit(session_, &ecdsa_sha256, ec_), CKR_OK);
  signature[0] ^= 1;
  EXPECT_EQ(C_Verify(session_, message, 3, signature, 64), CKR_SIGNATURE_INVALID);
  EXPECT_EQ(C_Verify(session_, message, 3, signature, 64), CKR_OPERATION_NOT_INITIALIZED);
}

TEST_F(KeyUseTest, DecryptionOfUnknownLengthIsOneRequest) {
  const CK_OBJECT_HANDLE rsa = PlantRsa(session_);
  const uint64_t before = enclave().Total();
  CK_MECHANISM pkcs{CKM_RSA_PKCS, nullptr, 0};
  CK_BYTE ciphertext[256] = {};
  CK_BYTE plaintext[256];
  CK_ULONG size = 0;
  ASSERT_EQ(C_DecryptInit(session_, &pkcs, rsa), CKR_OK);
  ASSERT_EQ(C_Decrypt(session_, ciphertext, 256, nullptr, &size), CKR_OK);
  EXPECT_EQ(size, 256U);  // a bound
  EXPECT_EQ(enclave().Total(), before);
  size = 4;
  ASSERT_EQ(C_Decrypt(session_, ciphertext, 256, plaintext, &size), CKR_BUFFER_TOO_SMALL);
  EXPECT_EQ(size, 5U);
  ASSERT_EQ(C_Decrypt(session_, ciphertext, 256, plaintext, &size), CKR_OK);
  EXPECT_EQ(size, 5U);
  EXPECT_EQ(enclave().Total(), before + 1);
}

// Encrypts and decrypts in parts of `step` bytes; the fake cipher shows what travelled.
class CipherTest : public KeyUseTest, public ::testing::WithParamInterface<size_t> {
 protected:
  Bytes InParts(bool encrypt, CK_MECHANISM& mechanism, ByteSpan input, CK_RV expected = CKR_OK) {
    const auto init = encrypt ? C_EncryptInit : C_DecryptInit;
    const auto update = encrypt ? C_EncryptUpdate : C_DecryptUpdate;
    const auto final = encrypt ? C_EncryptFinal : C_DecryptFinal;
    EXPECT_EQ(init(session_, &mechanism, aes_), CKR_OK);
    Bytes output;
    CK_BYTE room[4096];
    for (size_t at = 0; at < input.size(); at += GetParam()) {
      const ByteSpan part = input.subspan(at, std::min(GetParam(), input.size() - at));
      CK_ULONG size = 0;
      auto* data = const_cast<CK_BYTE*>(part.data());
      EXPECT_EQ(update(session_, data, part.size(), nullptr, &size), CKR_OK);
      const CK_ULONG announced = size;
      size = sizeof(room);
      EXPECT_EQ(update(session_, data, part.size(), room, &size), CKR_OK);
      EXPECT_EQ(size, announced);
      output.insert(output.end(), room, room + size);
    }
    CK_ULONG size = sizeof(room);
    EXPECT_EQ(final(session_, room, &size), expected);
    if (expected == CKR_OK) output.insert(output.end(), room, room + size);
    return output;
  }
};

Bytes Plaintext(size_t size) {
  Bytes bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<uint8_t>(i * 7);
  return bytes;
}

TEST_P(CipherTest, PaddedDataComesBackWhole) {
  CK_MECHANISM mechanism{CKM_AES_CBC_PAD, iv, 16};
  for (const size_t size : {0U, 1U, 15U, 16U, 17U, 31U, 32U, 33U, 100U}) {
    const Bytes plain = Plaintext(size);
    const Bytes cipher = InParts(true, mechanism, plain);
    EXPECT_EQ(cipher.size(), (size / 16 + 1) * 16);
    EXPECT_EQ(InParts(false, mechanism, cipher), plain);
  }
}

TEST_P(CipherTest, BlocksAndStreamsComeBackWhole) {
  CK_AES_CTR_PARAMS counter{128, {}};
  CK_MECHANISM cbc{CKM_AES_CBC, iv, 16};
  CK_MECHANISM ctr{CKM_AES_CTR, &counter, sizeof(counter)};
  const Bytes plain = Plaintext(96);
  EXPECT_EQ(InParts(false, cbc, InParts(true, cbc, plain)), plain);
  const Bytes odd = Plaintext(77);
  EXPECT_EQ(InParts(false, ctr, InParts(true, ctr, odd)), odd);
  InParts(true, cbc, odd, CKR_DATA_LEN_RANGE);
}

// Nothing of the plaintext comes out before the tag was checked.
TEST_P(CipherTest, TaggedDataIsHeldBack) {
  CK_BYTE nonce[12] = {};
  CK_GCM_PARAMS gcm{nonce, 12, 96, nullptr, 0, 128};
  CK_MECHANISM mechanism{CKM_AES_GCM, &gcm, sizeof(gcm)};
  const Bytes plain = Plaintext(100);
  Bytes cipher = InParts(true, mechanism, plain);
  EXPECT_EQ(InParts(false, mechanism, cipher), plain);
  cipher.back() ^= 1;
  EXPECT_TRUE(InParts(false, mechanism, cipher, CKR_ENCRYPTED_DATA_INVALID).empty());
}

INSTANTIATE_TEST_SUITE_P(Steps, CipherTest, ::testing::Values(1, 15, 16, 17, 64, 1000));

TEST_F(KeyUseTest, BigDataIsCutWhereTheModeAllows) {
  CK_MECHANISM mechanism{CKM_AES_CBC_PAD, iv, 16};
  Bytes plain = Plaintext((3 << 20) + 5);
  std::vector<CK_BYTE> cipher(plain.size() + 16);
  CK_ULONG size = cipher.size();
  ASSERT_EQ(C_EncryptInit(session_, &mechanism, aes_), CKR_OK);
  ASSERT_EQ(C_Encrypt(session_, plain.data(), plain.size(), cipher.data(), &size), CKR_OK);
  EXPECT_EQ(size, (plain.size() / 16 + 1) * 16);
  EXPECT_EQ(enclave().Count(Op::kEncrypt), 7U);
  std::vector<CK_BYTE> back(size);
  ASSERT_EQ(C_DecryptInit(session_, &mechanism, aes_), CKR_OK);
  ASSERT_EQ(C_Decrypt(session_, cipher.data(), size, back.data(), &size), CKR_OK);
  EXPECT_EQ(size, plain.size());
  EXPECT_TRUE(std::equal(plain.begin(), plain.end(), back.begin()));
}

TEST_F(KeyUseTest, DualCallsFeedBothOperations) {
  CK_MECHANISM cbc{CKM_AES_CBC, iv, 16};
  CK_MECHANISM sha{CKM_SHA256, nullptr, 0};
  const Bytes plain = Plaintext(64);
  auto* data = const_cast<CK_BYTE*>(plain.data());
  CK_BYTE cipher[64];
  CK_BYTE digest[32];
  CK_ULONG size = 8;
  ASSERT_EQ(C_DigestInit(session_, &sha), CKR_OK);
  ASSERT_EQ(C_EncryptInit(session_, &cbc, aes_), CKR_OK);
  EXPECT_EQ(C_DigestEncryptUpdate(session_, data, 64, cipher, &size), CKR_BUFFER_TOO_SMALL);
  EXPECT_EQ(size, 64U);
  ASSERT_EQ(C_DigestEncryptUpdate(session_, data, 64, cipher, &size), CKR_OK);
  CK_BYTE nothing[16];
  size = 16;
  ASSERT_EQ(C_EncryptFinal(session_, nothing, &size), CKR_OK);
  EXPECT_EQ(size, 0U);
  size = 32;
  ASSERT_EQ(C_DigestFinal(session_, digest, &size), CKR_OK);
  EXPECT_EQ(ToHex(digest), ToHex(Sha256(plain)));

  ASSERT_EQ(C_DigestInit(session_, &sha), CKR_OK);
  ASSERT_EQ(C_DecryptInit(session_, &cbc, aes_), CKR_OK);
  CK_BYTE back[64];
  size = 64;
  ASSERT_EQ(C_DecryptDigestUpdate(session_, cipher, 64, back, &size), CKR_OK);
  EXPECT_EQ(C_DecryptFinal(session_, nothing, &size), CKR_OK);
  size = 32;
  ASSERT_EQ(C_DigestFinal(session_, digest, &size), CKR_OK);
  EXPECT_EQ(ToHex(digest), ToHex(Sha256(plain)));
}

TEST_F(KeyUseTest, DigestsAreLocal) {
  CK_MECHANISM sha{CKM_SHA256, nullptr, 0};
  CK_BYTE digest[32];
  CK_ULONG size = 0;
  ASSERT_EQ(C_DigestInit(session_, &sha), CKR_OK);
  ASSERT_EQ(C_Digest(session_, message, 3, nullptr, &size), CKR_OK);
  EXPECT_EQ(size, 32U);
  ASSERT_EQ(C_Digest(session_, message, 3, digest, &size), CKR_OK);
  EXPECT_EQ(ToHex(digest), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Requests(), 0U);
  ASSERT_EQ(C_DigestInit(session_, &sha), CKR_OK);
  EXPECT_EQ(C_DigestKey(session_, aes_), CKR_KEY_INDIGESTIBLE);
  EXPECT_EQ(C_DigestFinal(session_, digest, &size), CKR_OPERATION_NOT_INITIALIZED);
}

}  // namespace
}  // namespace keyclave::pkcs11
