// C_EncapsulateKey, C_DecapsulateKey, and the calls that came with them: signatures that are
// recovered, digests of the enclave.
#include "enclave/wire/pkcs11_numbers.h"
#include "tests/unit/pkcs11/module_fixture.h"

namespace keyclave::pkcs11 {
namespace {

using testing::ModuleTest;

class EncapsulateTest : public ModuleTest {
 protected:
  void SetUp() override {
    ModuleTest::SetUp();
    session_ = OpenSession();
  }
  // An RSA key of this class that may do all of this.
  CK_OBJECT_HANDLE Plant(CK_OBJECT_CLASS object_class, const wire::AttributeList& more = {}) {
    wire::AttributeList key = testing::RsaKey();
    key.SetUlong(CKA_CLASS, object_class);
    for (const CK_ATTRIBUTE_TYPE usage :
         {CKA_ENCAPSULATE, CKA_DECAPSULATE, CKA_SIGN_RECOVER, CKA_VERIFY_RECOVER})
      key.SetBool(usage, true);
    for (const wire::Attribute& attribute : more.items) key.Set(attribute.type, attribute.value);
    enclave().Plant(key);
    wire::AttributeList match;
    match.SetUlong(CKA_CLASS, object_class);
    return FindOne(session_, match);
  }
  CK_RV Encapsulate(CK_OBJECT_HANDLE key, CK_BYTE* out, CK_ULONG* size, CK_OBJECT_HANDLE* made) {
    CK_ATTRIBUTE label = {CKA_LABEL, text_, 3};
    return C_EncapsulateKey(session_, &mechanism_, key, &label, 1, out, size, made);
  }

  CK_SESSION_HANDLE session_ = 0;
  CK_MECHANISM mechanism_ = {CKM_RSA_PKCS, nullptr, 0};
  CK_BYTE text_[3] = {'n', 'e', 'w'};
};

TEST_F(EncapsulateTest, NothingIsMadeWhoseCiphertextDoesNotFit) {
  const CK_OBJECT_HANDLE key = Plant(CKO_PUBLIC_KEY);
  CK_BYTE out[256] = {};
  CK_ULONG size = 0;
  CK_OBJECT_HANDLE made = 0;
  EXPECT_EQ(Encapsulate(key, nullptr, &size, nullptr), CKR_OK);
  EXPECT_EQ(size, 256U);
  size = 255;
  EXPECT_EQ(Encapsulate(key, out, &size, &made), CKR_BUFFER_TOO_SMALL);
  EXPECT_EQ(size, 256U);
  EXPECT_EQ(Encapsulate(key, out, &size, nullptr), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(enclave().Count(wire::Op::kEncapsulateKey), 0U);
  EXPECT_EQ(Encapsulate(key, out, &size, &made), CKR_OK);
  EXPECT_EQ(enclave().Count(wire::Op::kEncapsulateKey), 1U);
  EXPECT_EQ(out[0], 0x33);
  EXPECT_NE(made, 0U);
}

TEST_F(EncapsulateTest, KeysThatMayNotAreRefusedByTheirOwnCodes) {
  wire::AttributeList none;
  none.SetBool(CKA_ENCAPSULATE, false);
  none.SetBool(CKA_DECAPSULATE, false);
  const CK_OBJECT_HANDLE key = Plant(CKO_PUBLIC_KEY, none);
  CK_BYTE out[256] = {};
  CK_ULONG size = sizeof(out);
  CK_OBJECT_HANDLE made = 0;
  EXPECT_EQ(Encapsulate(key, out, &size, &made), CKR_KEY_FUNCTION_NOT_PERMITTED);
  EXPECT_EQ(Encapsulate(999, out, &size, &made), CKR_KEY_HANDLE_INVALID);
  EXPECT_EQ(C_DecapsulateKey(session_, &mechanism_, 999, nullptr, 0, out, size, &made),
            CKR_UNWRAPPING_KEY_HANDLE_INVALID);
  EXPECT_EQ(C_DecapsulateKey(session_, &mechanism_, key, nullptr, 0, out, size, &made),
            CKR_KEY_FUNCTION_NOT_PERMITTED);
}

TEST_F(EncapsulateTest, DecapsulationSaysWhatIsWrong) {
  const CK_OBJECT_HANDLE key = Plant(CKO_PRIVATE_KEY);
  CK_BYTE ciphertext[256] = {};
  CK_OBJECT_HANDLE made = 0;
  const auto decapsulate = [&] {
    return C_DecapsulateKey(session_, &mechanism_, key, nullptr, 0, ciphertext, sizeof(ciphertext),
                            &made);
  };
  EXPECT_EQ(decapsulate(), CKR_WRAPPED_KEY_INVALID);
  std::fill(std::begin(ciphertext), std::end(ciphertext), CK_BYTE{0x33});
  EXPECT_EQ(decapsulate(), CKR_OK);
  EXPECT_NE(made, 0U);
  CK_MECHANISM other = {CKM_ECDH1_DERIVE, nullptr, 0};
  EXPECT_EQ(C_DecapsulateKey(session_, &other, key, nullptr, 0, ciphertext, 1, &made),
            CKR_MECHANISM_INVALID);
}

// "If any attribute conflict occurs on an attempt to encapsulate a key then the function SHALL
// return CKR_KEY_HANDLE_INVALID" (3.2 §5.18.8).
TEST_F(EncapsulateTest, TheKeysTemplateIsNotContradicted) {
  wire::AttributeList fixed;
  fixed.SetText(CKA_LABEL, "old");
  wire::AttributeList more;
  more.Set(CKA_ENCAPSULATE_TEMPLATE, wire::Encode(fixed));
  const CK_OBJECT_HANDLE key = Plant(CKO_PUBLIC_KEY, more);
  CK_BYTE out[256] = {};
  CK_ULONG size = sizeof(out);
  CK_OBJECT_HANDLE made = 0;
  EXPECT_EQ(Encapsulate(key, out, &size, &made), CKR_KEY_HANDLE_INVALID);
  EXPECT_EQ(enclave().Count(wire::Op::kEncapsulateKey), 0U);
  std::copy_n("old", 3, text_);
  EXPECT_EQ(Encapsulate(key, out, &size, &made), CKR_OK);
}

TEST_F(EncapsulateTest, RecoveredSignaturesFollowTheTwoCallConvention) {
  const CK_OBJECT_HANDLE private_key = Plant(CKO_PRIVATE_KEY);
  const CK_OBJECT_HANDLE public_key = Plant(CKO_PUBLIC_KEY);
  CK_BYTE data[5] = {1, 2, 3, 4, 5};
  CK_BYTE out[256] = {};
  CK_ULONG size = 0;
  ASSERT_EQ(C_SignRecoverInit(session_, &mechanism_, private_key), CKR_OK);
  EXPECT_EQ(C_SignRecover(session_, data, 5, nullptr, &size), CKR_OK);
  EXPECT_EQ(size, 256U);
  EXPECT_EQ(enclave().Count(wire::Op::kSignRecover), 0U);
  EXPECT_EQ(C_SignRecover(session_, data, 5, out, &size), CKR_OK);
  EXPECT_EQ(C_SignRecover(session_, data, 5, out, &size), CKR_OPERATION_NOT_INITIALIZED);
  ASSERT_EQ(C_VerifyRecoverInit(session_, &mechanism_, public_key), CKR_OK);
  EXPECT_EQ(C_SignRecoverInit(session_, &mechanism_, private_key), CKR_OPERATION_ACTIVE);
  size = 2;
  EXPECT_EQ(C_VerifyRecover(session_, out, 256, data, &size), CKR_BUFFER_TOO_SMALL);
  EXPECT_EQ(size, 5U);
  EXPECT_EQ(C_VerifyRecover(session_, out, 256, data, &size), CKR_OK);
  EXPECT_EQ(enclave().Count(wire::Op::kVerifyRecover), 1U);
  ASSERT_EQ(C_VerifyRecoverInit(session_, &mechanism_, public_key), CKR_OK);
  EXPECT_EQ(C_VerifyRecover(session_, out, 255, data, &size), CKR_SIGNATURE_LEN_RANGE);
}

TEST_F(EncapsulateTest, DigestsThatTheLibraryLacksAreOneRequest) {
  const CK_OBJECT_HANDLE aes = PlantAes(session_);
  CK_MECHANISM sha = {CKM_SHA512_256, nullptr, 0};
  CK_BYTE part[7] = {};
  CK_BYTE out[32] = {};
  CK_ULONG size = 0;
  ASSERT_EQ(C_DigestInit(session_, &sha), CKR_OK);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(C_DigestUpdate(session_, part, 7), CKR_OK);
  EXPECT_EQ(C_DigestKey(session_, aes), CKR_KEY_INDIGESTIBLE);
  ASSERT_EQ(C_DigestInit(session_, &sha), CKR_OK) << "the refusal ended the operation";
  for (int i = 0; i < 3; ++i) EXPECT_EQ(C_DigestUpdate(session_, part, 7), CKR_OK);
  EXPECT_EQ(C_DigestFinal(session_, nullptr, &size), CKR_OK);
  EXPECT_EQ(size, 32U);
  EXPECT_EQ(enclave().Count(wire::Op::kDigest), 0U);
  EXPECT_EQ(C_DigestFinal(session_, out, &size), CKR_OK);
  EXPECT_EQ(out[0], 21);
  EXPECT_EQ(enclave().Count(wire::Op::kDigest), 1U);
  CK_MECHANISM lacking = {CKM_SHA512_224, nullptr, 0};
  EXPECT_EQ(C_DigestInit(session_, &lacking), CKR_MECHANISM_INVALID);
}

}  // namespace
}  // namespace keyclave::pkcs11
