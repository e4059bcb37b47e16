// A login for each use of a key: CKA_ALWAYS_AUTHENTICATE and C_Login(CKU_CONTEXT_SPECIFIC), v3.2
// §4.9 and §5.6.8.
#include "tests/unit/pkcs11/module_fixture.h"

namespace keyclave::pkcs11 {
namespace {

CK_UTF8CHAR user_pin[] = "1234";
CK_UTF8CHAR wrong_pin[] = "0000";
CK_BYTE message[] = "to be signed";
CK_MECHANISM ecdsa{CKM_ECDSA_SHA256, nullptr, 0};

class UseLoginTest : public testing::ModuleTest {
 protected:
  void SetUp() override {
    ModuleTest::SetUp();
    enclave().SetPins("1234", "87654321");
    session_ = OpenSession();
    EXPECT_EQ(C_Login(session_, CKU_USER, user_pin, 4), CKR_OK);
    key_ = Plant("each", true);
  }
  CK_OBJECT_HANDLE Plant(const std::string& label, bool always) const {
    wire::AttributeList key = testing::EcKey();
    key.SetText(CKA_LABEL, label);
    key.SetBool(CKA_PRIVATE, true);
    key.SetBool(CKA_ALWAYS_AUTHENTICATE, always);
    enclave().Plant(key);
    wire::AttributeList match;
    match.SetText(CKA_LABEL, label);
    return FindOne(session_, match);
  }
  CK_RV Sign() const {
    std::array<CK_BYTE, 64> out{};
    CK_ULONG size = out.size();
    return C_Sign(session_, message, sizeof(message), out.data(), &size);
  }
  CK_RV LoginForUse(CK_UTF8CHAR* pin) const {
    return C_Login(session_, CKU_CONTEXT_SPECIFIC, pin, 4);
  }

  CK_SESSION_HANDLE session_ = 0;
  CK_OBJECT_HANDLE key_ = 0;
};

TEST_F(UseLoginTest, EachUseNeedsItsOwn) {
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(C_SignInit(session_, &ecdsa, key_), CKR_OK);
    ASSERT_EQ(LoginForUse(user_pin), CKR_OK);
    CK_ULONG size = 0;
    EXPECT_EQ(C_Sign(session_, message, sizeof(message), nullptr, &size), CKR_OK);
    EXPECT_EQ(Sign(), CKR_OK);
    ASSERT_EQ(C_SignInit(session_, &ecdsa, key_), CKR_OK);
    EXPECT_EQ(Sign(), CKR_USER_NOT_LOGGED_IN);
  }
  EXPECT_EQ(enclave().Count(wire::Op::kReauthenticate), 2U);
}

TEST_F(UseLoginTest, WrongPinIsAsIfNoneWasGiven) {
  ASSERT_EQ(C_SignInit(session_, &ecdsa, key_), CKR_OK);
  EXPECT_EQ(LoginForUse(wrong_pin), CKR_PIN_INCORRECT);
  EXPECT_EQ(C_Login(session_, CKU_CONTEXT_SPECIFIC, user_pin, 4), CKR_OK);
  EXPECT_EQ(Sign(), CKR_OK);
  ASSERT_EQ(C_SignInit(session_, &ecdsa, key_), CKR_OK);
  EXPECT_EQ(LoginForUse(wrong_pin), CKR_PIN_INCORRECT);
  EXPECT_EQ(Sign(), CKR_USER_NOT_LOGGED_IN);
  CK_SESSION_INFO info{};
  ASSERT_EQ(C_GetSessionInfo(session_, &info), CKR_OK);
  EXPECT_EQ(info.state, CKS_RW_USER_FUNCTIONS);
}

TEST_F(UseLoginTest, LockedPinLogsOut) {
  ASSERT_EQ(C_SignInit(session_, &ecdsa, key_), CKR_OK);
  enclave().FailNext(wire::Op::kReauthenticate, Code::kPinLocked);
  EXPECT_EQ(LoginForUse(wrong_pin), CKR_PIN_LOCKED);
  CK_SESSION_INFO info{};
  ASSERT_EQ(C_GetSessionInfo(session_, &info), CKR_OK);
  EXPECT_EQ(info.state, CKS_RW_PUBLIC_SESSION);
  EXPECT_FALSE(enclave().logged_in());
}

TEST_F(UseLoginTest, OnlyAnOperationThatWaitsTakesOne) {
  EXPECT_EQ(LoginForUse(user_pin), CKR_OPERATION_NOT_INITIALIZED);
  const CK_OBJECT_HANDLE plain = Plant("plain", false);
  ASSERT_EQ(C_SignInit(session_, &ecdsa, plain), CKR_OK);
  EXPECT_EQ(LoginForUse(user_pin), CKR_OPERATION_NOT_INITIALIZED);
  EXPECT_EQ(Sign(), CKR_OK);
  EXPECT_EQ(C_Login(session_, 7, user_pin, 4), CKR_USER_TYPE_INVALID);
  EXPECT_EQ(enclave().Count(wire::Op::kReauthenticate), 0U);
}

TEST_F(UseLoginTest, PartsAndDecryption) {
  ASSERT_EQ(C_SignInit(session_, &ecdsa, key_), CKR_OK);
  EXPECT_EQ(C_SignUpdate(session_, message, 5), CKR_OK);
  EXPECT_EQ(LoginForUse(user_pin), CKR_OK);
  EXPECT_EQ(C_SignUpdate(session_, message, 5), CKR_OK);
  std::array<CK_BYTE, 256> out{};
  CK_ULONG size = out.size();
  EXPECT_EQ(C_SignFinal(session_, out.data(), &size), CKR_OK);

  wire::AttributeList rsa = testing::RsaKey();
  rsa.SetBool(CKA_ALWAYS_AUTHENTICATE, true);
  enclave().Plant(rsa);
  const CK_OBJECT_HANDLE key = FindOne(session_, rsa);
  CK_MECHANISM pkcs{CKM_RSA_PKCS, nullptr, 0};
  for (const bool login : {false, true}) {
    ASSERT_EQ(C_DecryptInit(session_, &pkcs, key), CKR_OK);
    if (login) {
      EXPECT_EQ(LoginForUse(user_pin), CKR_OK);
    }
    size = out.size();
    EXPECT_EQ(C_Decrypt(session_, out.data(), out.size(), out.data(), &size),
              login ? CKR_OK : CKR_USER_NOT_LOGGED_IN);
  }
}

// Each message is a use.
TEST_F(UseLoginTest, MessagesEachNeedTheirs) {
  ASSERT_EQ(C_MessageSignInit(session_, &ecdsa, key_), CKR_OK);
  std::array<CK_BYTE, 64> out{};
  CK_ULONG size = out.size();
  const auto sign = [&] {
    return C_SignMessage(session_, nullptr, 0, message, sizeof(message), out.data(), &size);
  };
  EXPECT_EQ(LoginForUse(user_pin), CKR_OK);
  EXPECT_EQ(sign(), CKR_OK);
  EXPECT_EQ(sign(), CKR_USER_NOT_LOGGED_IN);
  ASSERT_EQ(C_SignMessageBegin(session_, nullptr, 0), CKR_OK);
  EXPECT_EQ(LoginForUse(user_pin), CKR_OK);
  EXPECT_EQ(C_SignMessageNext(session_, nullptr, 0, message, sizeof(message), out.data(), &size),
            CKR_OK);
  EXPECT_EQ(C_MessageSignFinal(session_), CKR_OK);
}

}  // namespace
}  // namespace keyclave::pkcs11
