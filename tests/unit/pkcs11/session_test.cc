// Slots, tokens, sessions, logins.
#include "pkcs11/session.h"

#include <thread>

#include "tests/unit/pkcs11/module_fixture.h"

namespace keyclave::pkcs11 {
namespace {

using testing::ModuleTest;

CK_UTF8CHAR user_pin[] = "1234";
CK_UTF8CHAR so_pin[] = "87654321";
CK_UTF8CHAR wrong_pin[] = "0000";

class SessionTest : public ModuleTest {
 protected:
  static CK_STATE StateOf(CK_SESSION_HANDLE session) {
    CK_SESSION_INFO info{};
    EXPECT_EQ(C_GetSessionInfo(session, &info), CKR_OK);
    return info.state;
  }
  static CK_TOKEN_INFO TokenInfo(CK_SLOT_ID slot = 0) {
    CK_TOKEN_INFO info{};
    EXPECT_EQ(C_GetTokenInfo(slot, &info), CKR_OK);
    return info;
  }
  static std::vector<CK_SLOT_ID> Slots(CK_BBOOL present) {
    CK_ULONG count = 0;
    EXPECT_EQ(C_GetSlotList(present, nullptr, &count), CKR_OK);
    std::vector<CK_SLOT_ID> slots(count);
    CK_SLOT_ID none = 0;
    EXPECT_EQ(C_GetSlotList(present, slots.empty() ? &none : slots.data(), &count), CKR_OK);
    return slots;
  }
};

TEST_F(SessionTest, TokenWithoutPinsHasAProtectedPath) {
  const CK_TOKEN_INFO info = TokenInfo();
  EXPECT_EQ(AsText(info.label), "first                           ");
  EXPECT_EQ(AsText(info.serialNumber), "00112233445566aa");
  EXPECT_NE(info.flags & CKF_TOKEN_INITIALIZED, 0U);
  EXPECT_NE(info.flags & CKF_PROTECTED_AUTHENTICATION_PATH, 0U);
  EXPECT_EQ(info.flags & CKF_LOGIN_REQUIRED, 0U);
}

TEST_F(SessionTest, TokenWithPinsSaysSo) {
  enclave().SetPins("1234", "87654321");
  const CK_TOKEN_INFO info = TokenInfo();
  EXPECT_EQ(info.flags & CKF_PROTECTED_AUTHENTICATION_PATH, 0U);
  EXPECT_NE(info.flags & CKF_LOGIN_REQUIRED, 0U);
  EXPECT_NE(info.flags & CKF_USER_PIN_INITIALIZED, 0U);
  EXPECT_EQ(info.flags & (CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_LOCKED),
            0U);
}

TEST_F(SessionTest, StatesFollowTheLogin) {
  enclave().SetPins("1234", "87654321");
  const CK_SESSION_HANDLE ro = OpenSession(0);
  const CK_SESSION_HANDLE rw = OpenSession();
  EXPECT_EQ(StateOf(ro), CKS_RO_PUBLIC_SESSION);
  EXPECT_EQ(StateOf(rw), CKS_RW_PUBLIC_SESSION);
  EXPECT_EQ(C_Login(ro, CKU_SO, so_pin, 8), CKR_SESSION_READ_ONLY_EXISTS);
  EXPECT_EQ(C_Login(ro, CKU_USER, wrong_pin, 4), CKR_PIN_INCORRECT);
  EXPECT_EQ(C_Login(ro, CKU_USER, user_pin, 4), CKR_OK);
  EXPECT_EQ(StateOf(ro), CKS_RO_USER_FUNCTIONS);
  EXPECT_EQ(StateOf(rw), CKS_RW_USER_FUNCTIONS);
  EXPECT_EQ(C_Login(rw, CKU_USER, user_pin, 4), CKR_USER_ALREADY_LOGGED_IN);
  EXPECT_EQ(C_Login(rw, CKU_SO, so_pin, 8), CKR_USER_ANOTHER_ALREADY_LOGGED_IN);
  EXPECT_EQ(C_Logout(rw), CKR_OK);
  EXPECT_EQ(C_Logout(rw), CKR_USER_NOT_LOGGED_IN);
  EXPECT_EQ(C_CloseSession(ro), CKR_OK);
  EXPECT_EQ(C_Login(rw, CKU_SO, so_pin, 8), CKR_OK);
  EXPECT_EQ(StateOf(rw), CKS_RW_SO_FUNCTIONS);
  CK_SESSION_HANDLE another = 0;
  EXPECT_EQ(C_OpenSession(0, CKF_SERIAL_SESSION, nullptr, nullptr, &another),
            CKR_SESSION_READ_WRITE_SO_EXISTS);
}

TEST_F(SessionTest, LoginChecksUserAndPin) {
  enclave().SetPins("1234", "87654321");
  const CK_SESSION_HANDLE session = OpenSession();
  EXPECT_EQ(C_Login(session, CKU_USER, nullptr, 0), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(C_Login(session, 99, user_pin, 4), CKR_USER_TYPE_INVALID);
  EXPECT_EQ(C_Login(session, CKU_CONTEXT_SPECIFIC, user_pin, 4), CKR_OPERATION_NOT_INITIALIZED);
  std::vector<CK_UTF8CHAR> endless(300, '1');
  EXPECT_EQ(C_Login(session, CKU_USER, endless.data(), endless.size()), CKR_PIN_INCORRECT);
  CK_UTF8CHAR name[] = "joe";
  EXPECT_EQ(C_LoginUser(session, CKU_USER, user_pin, 4, name, 3), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(C_LoginUser(session, CKU_USER, user_pin, 4, nullptr, 0), CKR_OK);
}

TEST_F(SessionTest, EvidenceAloneOpensATokenWithoutPins) {
  const CK_SESSION_HANDLE session = OpenSession();
  EXPECT_EQ(C_Login(session, CKU_USER, user_pin, 4), CKR_USER_PIN_NOT_INITIALIZED);
  EXPECT_EQ(C_Login(session, CKU_USER, nullptr, 0), CKR_OK);
  EXPECT_EQ(StateOf(session), CKS_RW_USER_FUNCTIONS);
  EXPECT_EQ(C_Logout(session), CKR_OK);
  enclave().SetUnreachable(true);
  EXPECT_EQ(C_Login(session, CKU_USER, nullptr, 0), CKR_DEVICE_ERROR);
}

// A PIN that was set meanwhile is asked for.
TEST_F(SessionTest, EvidenceAloneDoesNotOpenATokenThatGotAPin) {
  const CK_SESSION_HANDLE session = OpenSession();
  enclave().SetPins("1234", "87654321");
  EXPECT_EQ(C_Login(session, CKU_USER, nullptr, 0), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(StateOf(session), CKS_RW_PUBLIC_SESSION);
}

TEST_F(SessionTest, LastSessionLogsOut) {
  enclave().SetPins("1234", "87654321");
  const CK_SESSION_HANDLE one = OpenSession();
  const CK_SESSION_HANDLE two = OpenSession();
  ASSERT_EQ(C_Login(one, CKU_USER, user_pin, 4), CKR_OK);
  EXPECT_EQ(C_CloseSession(one), CKR_OK);
  EXPECT_TRUE(enclave().logged_in());
  EXPECT_EQ(C_CloseSession(two), CKR_OK);
  EXPECT_FALSE(enclave().logged_in());
  EXPECT_EQ(StateOf(OpenSession()), CKS_RW_PUBLIC_SESSION);
}

TEST_F(SessionTest, OwedLogoutIsDoneBeforeTheNextSession) {
  enclave().SetPins("1234", "87654321");
  ASSERT_EQ(C_Login(OpenSession(), CKU_USER, user_pin, 4), CKR_OK);
  enclave().SetUnreachable(true);
  EXPECT_EQ(C_CloseAllSessions(0), CKR_OK);
  CK_SESSION_HANDLE session = 0;
  EXPECT_EQ(C_OpenSession(0, CKF_SERIAL_SESSION, nullptr, nullptr, &session), CKR_DEVICE_ERROR);
  enclave().SetUnreachable(false);
  EXPECT_TRUE(enclave().logged_in());
  OpenSession();
  EXPECT_FALSE(enclave().logged_in());
}

TEST_F(SessionTest, OpenSessionChecksItsArguments) {
  CK_SESSION_HANDLE session = 0;
  EXPECT_EQ(C_OpenSession(0, 0, nullptr, nullptr, &session), CKR_SESSION_PARALLEL_NOT_SUPPORTED);
  EXPECT_EQ(C_OpenSession(0, CKF_SERIAL_SESSION, nullptr, nullptr, nullptr), CKR_ARGUMENTS_BAD);
  const CK_SESSION_HANDLE open = OpenSession();
  EXPECT_EQ(C_CloseSession(open), CKR_OK);
  EXPECT_EQ(C_CloseSession(open), CKR_SESSION_HANDLE_INVALID);
}

TEST_F(SessionTest, CountsSessions) {
  OpenSession(0);
  OpenSession();
  OpenSession();
  EXPECT_EQ(TokenInfo().ulSessionCount, 3U);
  EXPECT_EQ(TokenInfo().ulRwSessionCount, 2U);
  EXPECT_EQ(TokenInfo().ulMaxSessionCount, CK_ULONG{CK_EFFECTIVELY_INFINITE});
  EXPECT_EQ(TokenInfo().ulMaxRwSessionCount, CK_ULONG{CK_EFFECTIVELY_INFINITE});
  EXPECT_EQ(C_CloseAllSessions(0), CKR_OK);
  EXPECT_EQ(TokenInfo().ulSessionCount, 0U);
}

TEST_F(SessionTest, EnclaveThatIsGoneIsASlotWithoutToken) {
  EXPECT_EQ(Slots(CK_TRUE).size(), 1U);
  enclave().SetUnreachable(true);
  EXPECT_EQ(Slots(CK_TRUE).size(), 0U);
  EXPECT_EQ(Slots(CK_FALSE).size(), 1U);
  CK_SLOT_INFO info{};
  EXPECT_EQ(C_GetSlotInfo(0, &info), CKR_OK);
  EXPECT_EQ(info.flags & CKF_TOKEN_PRESENT, 0U);
  CK_TOKEN_INFO token_info{};
  EXPECT_EQ(C_GetTokenInfo(0, &token_info), CKR_DEVICE_ERROR);
  CK_SESSION_HANDLE session = 0;
  EXPECT_EQ(C_OpenSession(0, CKF_SERIAL_SESSION, nullptr, nullptr, &session),
            CKR_TOKEN_NOT_PRESENT);
  enclave().SetUnreachable(false);
  EXPECT_EQ(C_OpenSession(0, CKF_SERIAL_SESSION, nullptr, nullptr, &session), CKR_OK);
}

TEST_F(SessionTest, EnclaveThatWasNeverThereIsAnEmptySlotToo) {
  enclave().SetUnreachable(true);
  Restart();
  EXPECT_EQ(Slots(CK_TRUE).size(), 0U);
  EXPECT_EQ(Slots(CK_FALSE), std::vector<CK_SLOT_ID>{0});
  enclave().SetUnreachable(false);
  EXPECT_EQ(Slots(CK_TRUE), std::vector<CK_SLOT_ID>{0});
}

TEST_F(SessionTest, SpareSlotMakesATokenThatStaysThere) {
  enclave().SetCanCreate(true);
  ASSERT_EQ(Slots(CK_TRUE), (std::vector<CK_SLOT_ID>{0, 1}));
  EXPECT_EQ(TokenInfo(1).flags & CKF_TOKEN_INITIALIZED, 0U);
  CK_SESSION_HANDLE session = 0;
  EXPECT_EQ(C_OpenSession(1, CKF_SERIAL_SESSION, nullptr, nullptr, &session),
            CKR_TOKEN_NOT_RECOGNIZED);
  std::array<CK_UTF8CHAR, 32> label{};
  label.fill(' ');
  std::copy_n("second", 6, label.begin());
  ASSERT_EQ(C_InitToken(1, so_pin, 8, label.data()), CKR_OK);
  EXPECT_EQ(AsText(TokenInfo(1).label), "second                          ");
  EXPECT_NE(TokenInfo(1).flags & CKF_TOKEN_INITIALIZED, 0U);
  EXPECT_EQ(Slots(CK_TRUE), (std::vector<CK_SLOT_ID>{0, 1, 2}));

  session = OpenSession(CKF_RW_SESSION, 1);
  EXPECT_EQ(C_Login(session, CKU_USER, user_pin, 4), CKR_USER_PIN_NOT_INITIALIZED);
  EXPECT_EQ(C_InitPIN(session, user_pin, 4), CKR_USER_NOT_LOGGED_IN);
  ASSERT_EQ(C_Login(session, CKU_SO, so_pin, 8), CKR_OK);
  ASSERT_EQ(C_InitPIN(session, user_pin, 4), CKR_OK);
  ASSERT_EQ(C_Logout(session), CKR_OK);
  EXPECT_EQ(C_SetPIN(session, wrong_pin, 4, wrong_pin, 4), CKR_PIN_INCORRECT);
  EXPECT_EQ(C_SetPIN(session, user_pin, 4, wrong_pin, 4), CKR_OK);
  EXPECT_EQ(C_Login(session, CKU_USER, wrong_pin, 4), CKR_OK);
}

TEST_F(SessionTest, InitTokenRules) {
  enclave().SetPins("1234", "87654321");
  std::array<CK_UTF8CHAR, 32> label{};
  label.fill(' ');
  EXPECT_EQ(C_InitToken(0, so_pin, 8, nullptr), CKR_ARGUMENTS_BAD);
  ASSERT_EQ(Slots(CK_TRUE).size(), 1U);
  EXPECT_EQ(C_InitToken(0, nullptr, 0, label.data()), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(C_InitToken(0, wrong_pin, 4, label.data()), CKR_PIN_INCORRECT);
  const CK_SESSION_HANDLE session = OpenSession();
  EXPECT_EQ(C_InitToken(0, so_pin, 8, label.data()), CKR_SESSION_EXISTS);
  C_CloseSession(session);
  label[0] = 0xff;
  EXPECT_EQ(C_InitToken(0, so_pin, 8, label.data()), CKR_ARGUMENTS_BAD);
}

TEST_F(SessionTest, PinsNeedReadWriteSessions) {
  enclave().SetPins("1234", "87654321");
  const CK_SESSION_HANDLE session = OpenSession(0);
  EXPECT_EQ(C_SetPIN(session, user_pin, 4, wrong_pin, 4), CKR_SESSION_READ_ONLY);
}

TEST_F(SessionTest, SmallFunctionsSayWhatTheyDo) {
  const CK_SESSION_HANDLE session = OpenSession();
  CK_SLOT_ID slot = 0;
  CK_BYTE byte = 0;
  EXPECT_EQ(C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, nullptr), CKR_NO_EVENT);
  EXPECT_EQ(C_WaitForSlotEvent(0, nullptr, nullptr), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(C_GetFunctionStatus(session), CKR_FUNCTION_NOT_PARALLEL);
  EXPECT_EQ(C_CancelFunction(session), CKR_FUNCTION_NOT_PARALLEL);
  EXPECT_EQ(C_SeedRandom(session, &byte, 1), CKR_OK);
  EXPECT_EQ(enclave().Count(wire::Op::kRandom), 1U);
  EXPECT_EQ(C_SeedRandom(session, nullptr, 1), CKR_ARGUMENTS_BAD);
}

TEST_F(SessionTest, TokensThatComeAndGoAreEvents) {
  CK_SLOT_ID slot = 77;
  const auto poll = [&] { return C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, nullptr); };
  EXPECT_EQ(poll(), CKR_NO_EVENT);
  enclave().SetUnreachable(true);
  EXPECT_EQ(poll(), CKR_OK);
  EXPECT_EQ(slot, 0U);
  EXPECT_EQ(poll(), CKR_NO_EVENT);
  enclave().SetUnreachable(false);
  EXPECT_EQ(poll(), CKR_OK);
  EXPECT_EQ(poll(), CKR_NO_EVENT);
  enclave().SetCanCreate(true);  // one more slot
  EXPECT_EQ(poll(), CKR_OK);
  EXPECT_EQ(slot, 1U);
}

TEST_F(SessionTest, WaitingForAnEventEndsWithOneOrWithTheRun) {
  CK_SLOT_ID slot = 77;
  ASSERT_EQ(C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, nullptr), CKR_NO_EVENT);
  std::thread waiter([&] { EXPECT_EQ(C_WaitForSlotEvent(0, &slot, nullptr), CKR_OK); });
  enclave().SetUnreachable(true);
  waiter.join();
  EXPECT_EQ(slot, 0U);
  enclave().SetUnreachable(false);
  const uint64_t before = enclave().Count(wire::Op::kListTokens);
  waiter = std::thread([&] {
    CK_SLOT_ID other = 0;
    CK_RV rv = CKR_OK;
    while (rv == CKR_OK) rv = C_WaitForSlotEvent(0, &other, nullptr);
    EXPECT_EQ(rv, CKR_CRYPTOKI_NOT_INITIALIZED);
  });
  while (enclave().Count(wire::Op::kListTokens) == before) std::this_thread::yield();
  EXPECT_EQ(C_Finalize(nullptr), CKR_OK);
  waiter.join();
  EXPECT_EQ(C_Initialize(nullptr), CKR_OK);  // for TearDown
}

TEST_F(SessionTest, RandomBytesComeFromTheEnclaveInPieces) {
  const CK_SESSION_HANDLE session = OpenSession();
  std::vector<CK_BYTE> bytes((size_t{64} << 10) + 1, 0);
  EXPECT_EQ(C_GenerateRandom(session, bytes.data(), bytes.size()), CKR_OK);
  EXPECT_EQ(enclave().Count(wire::Op::kRandom), 2U);
  EXPECT_EQ(bytes.front(), 1);
  EXPECT_EQ(bytes.back(), 2);
  EXPECT_EQ(C_GenerateRandom(session, nullptr, 1), CKR_ARGUMENTS_BAD);
}

}  // namespace
}  // namespace keyclave::pkcs11
