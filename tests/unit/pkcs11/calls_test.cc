// Every function of functions.inc against the rules that hold for all of them.
#include "pkcs11/calls.h"

#include <gtest/gtest.h>

#include "pkcs11/entry.h"
#include "pkcs11/rv_map.h"
#include "tests/unit/pkcs11/module_fixture.h"

namespace keyclave::pkcs11 {
namespace {

using testing::ModuleTest;

// A call with zero for every argument, but `first` for the first one if it is a number.
template <class... Args>
CK_RV CallWith(CK_RV (*function)(Args...), CK_ULONG first) {
  const auto value = [&, at = size_t{0}](auto* type) mutable {
    using Type = std::remove_pointer_t<decltype(type)>;
    if constexpr (std::is_same_v<Type, CK_ULONG>) return at++ == 0 ? first : Type{};
    ++at;
    return Type{};
  };
  auto make = value;
  std::tuple<Args...> arguments{make(static_cast<Args*>(nullptr))...};
  return std::apply(function, arguments);
}

struct Row {
  const char* name;
  bool takes_session;
  CK_RV (*call)(CK_ULONG first);
};
template <class First, class... Rest>
constexpr bool TakesSession(CK_RV (*)(First, Rest...), std::string_view parameters) {
  return parameters.starts_with("(CK_SESSION_HANDLE ");
}
const Row kRows[] = {
#define KC_FUNCTION(name, parameters, arguments) \
  {#name, TakesSession(::name, #parameters),     \
   [](CK_ULONG first) { return CallWith(::name, first); }},
#include "pkcs11/functions.inc"
};

bool WorksWithoutInitialize(std::string_view name) {
  return name == "C_Initialize" || name == "C_GetFunctionList" || name == "C_GetInterfaceList" ||
         name == "C_GetInterface";
}

class CallsTest : public ModuleTest {};

TEST(Functions, AreAllThere) { EXPECT_EQ(std::size(kRows), 68U + 24U + 12U); }

TEST(Functions, AnswerNotInitializedFirst) {
  for (const Row& row : kRows) {
    if (WorksWithoutInitialize(row.name)) continue;
    EXPECT_EQ(RvName(row.call(0)), "CKR_CRYPTOKI_NOT_INITIALIZED") << row.name;
  }
}

TEST_F(CallsTest, AnswerSessionHandleInvalidBeforeTheyLookAtArguments) {
  for (const Row& row : kRows) {
    if (!row.takes_session) continue;
    for (const CK_ULONG handle : {CK_ULONG{0}, CK_ULONG{12345}, ~CK_ULONG{0}}) {
      EXPECT_EQ(RvName(row.call(handle)), "CKR_SESSION_HANDLE_INVALID") << row.name;
    }
  }
  EXPECT_EQ(enclave().Total(), 0U);
}

// With a session and nothing else, every function refuses, and none crashes.
TEST_F(CallsTest, AnswerNullArgumentsWithAnError) {
  for (const Row& row : kRows) {
    if (!row.takes_session) continue;
    const CK_SESSION_HANDLE session = OpenSession();
    const CK_RV rv = row.call(session);
    const std::string_view name = row.name;
    const bool needs_nothing = name == "C_CloseSession" || name == "C_SessionCancel" ||
                               name == "C_FindObjectsInit" || name == "C_GenerateRandom" ||
                               name == "C_SeedRandom";
    if (needs_nothing) {
      EXPECT_EQ(rv, CKR_OK) << name;
    } else {
      EXPECT_NE(rv, CKR_OK) << name;
      EXPECT_NE(rv, CKR_GENERAL_ERROR) << name;
      EXPECT_NE(rv, CKR_SESSION_HANDLE_INVALID) << name;
    }
    C_CloseAllSessions(0);
  }
}

TEST_F(CallsTest, StepsWithoutAnOperationSayOperationNotInitialized) {
  const CK_SESSION_HANDLE session = OpenSession();
  for (const Row& row : kRows) {
    const std::string_view name = row.name;
    const bool is_step = name.ends_with("Update") || name.ends_with("Final") || name == "C_Sign" ||
                         name == "C_Verify" || name == "C_Encrypt" || name == "C_Decrypt" ||
                         name == "C_Digest" || name == "C_DigestKey" || name == "C_FindObjects";
    if (!is_step || name.find("Message") != std::string_view::npos) continue;
    EXPECT_EQ(RvName(row.call(session)), "CKR_OPERATION_NOT_INITIALIZED") << name;
  }
}

TEST_F(CallsTest, InitWithoutMechanismIsAnArgumentError) {
  const CK_SESSION_HANDLE session = OpenSession();
  EXPECT_EQ(C_SignInit(session, nullptr, 1), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(C_EncryptInit(session, nullptr, 1), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(C_DigestInit(session, nullptr), CKR_ARGUMENTS_BAD);
}

TEST_F(CallsTest, SlotCallsSayWhatIsWrong) {
  CK_SLOT_INFO slot_info;
  CK_TOKEN_INFO token_info;
  CK_MECHANISM_INFO mechanism_info;
  CK_ULONG count = 0;
  CK_SESSION_HANDLE session = 0;
  EXPECT_EQ(C_GetSlotInfo(77, &slot_info), CKR_SLOT_ID_INVALID);
  EXPECT_EQ(C_GetTokenInfo(77, &token_info), CKR_SLOT_ID_INVALID);
  EXPECT_EQ(C_GetMechanismList(77, nullptr, &count), CKR_SLOT_ID_INVALID);
  EXPECT_EQ(C_GetMechanismInfo(77, CKM_RSA_PKCS, &mechanism_info), CKR_SLOT_ID_INVALID);
  EXPECT_EQ(C_GetMechanismInfo(0, CKM_DES_ECB, &mechanism_info), CKR_MECHANISM_INVALID);
  EXPECT_EQ(C_OpenSession(77, CKF_SERIAL_SESSION, nullptr, nullptr, &session), CKR_SLOT_ID_INVALID);
  EXPECT_EQ(C_CloseAllSessions(77), CKR_SLOT_ID_INVALID);
  EXPECT_EQ(C_GetSlotList(CK_TRUE, nullptr, nullptr), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(C_GetSlotInfo(0, nullptr), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(C_GetInfo(nullptr), CKR_ARGUMENTS_BAD);
}

TEST_F(CallsTest, ListsFollowTheTwoCallConvention) {
  CK_ULONG count = 0;
  ASSERT_EQ(C_GetMechanismList(0, nullptr, &count), CKR_OK);
  ASSERT_GT(count, 1U);
  std::vector<CK_MECHANISM_TYPE> types(count);
  CK_ULONG small = count - 1;
  EXPECT_EQ(C_GetMechanismList(0, types.data(), &small), CKR_BUFFER_TOO_SMALL);
  EXPECT_EQ(small, count);
  EXPECT_EQ(C_GetMechanismList(0, types.data(), &count), CKR_OK);
  EXPECT_NE(std::find(types.begin(), types.end(), CKM_SHA256), types.end());
  EXPECT_EQ(std::count(types.begin(), types.end(), CKM_SHA256), 1);
}

TEST(Lists, AreExactly2_40And3_0And3_2) {
  CK_FUNCTION_LIST* list = nullptr;
  ASSERT_EQ(C_GetFunctionList(&list), CKR_OK);
  EXPECT_EQ(list->version.major, 2);
  EXPECT_EQ(list->version.minor, 40);
  EXPECT_EQ(list->C_WaitForSlotEvent, &C_WaitForSlotEvent);
  EXPECT_EQ(list->C_Sign, &C_Sign);
  EXPECT_EQ(C_GetFunctionList(nullptr), CKR_ARGUMENTS_BAD);

  CK_ULONG count = 0;
  ASSERT_EQ(C_GetInterfaceList(nullptr, &count), CKR_OK);
  ASSERT_EQ(count, 3U);
  CK_INTERFACE all[3];
  count = 1;
  EXPECT_EQ(C_GetInterfaceList(all, &count), CKR_BUFFER_TOO_SMALL);
  EXPECT_EQ(count, 3U);
  ASSERT_EQ(C_GetInterfaceList(all, &count), CKR_OK);

  CK_INTERFACE* found = nullptr;
  ASSERT_EQ(C_GetInterface(nullptr, nullptr, &found, 0), CKR_OK);
  const auto* list32 = static_cast<CK_FUNCTION_LIST_3_2*>(found->pFunctionList);
  EXPECT_EQ(list32->version.major, 3);
  EXPECT_EQ(list32->version.minor, 2);
  EXPECT_EQ(list32->C_MessageVerifyFinal, &C_MessageVerifyFinal);
  EXPECT_EQ(list32->C_UnwrapKeyAuthenticated, &C_UnwrapKeyAuthenticated);
  CK_VERSION wanted{3, 0};
  ASSERT_EQ(C_GetInterface(nullptr, &wanted, &found, 0), CKR_OK);
  const auto* list30 = static_cast<CK_FUNCTION_LIST_3_0*>(found->pFunctionList);
  EXPECT_EQ(list30->version.minor, 0);
  EXPECT_EQ(list30->C_MessageVerifyFinal, &C_MessageVerifyFinal);
  wanted = {2, 40};
  CK_UTF8CHAR name[] = "PKCS 11";
  ASSERT_EQ(C_GetInterface(name, &wanted, &found, 0), CKR_OK);
  EXPECT_EQ(found->pFunctionList, list);
}

TEST(Lists, RefuseInterfacesThatAreNotThere) {
  CK_INTERFACE* found = nullptr;
  CK_UTF8CHAR wrong[] = "PKCS 12";
  CK_UTF8CHAR longer[] = "PKCS 11 and more";
  CK_VERSION future{3, 9};
  EXPECT_EQ(C_GetInterface(wrong, nullptr, &found, 0), CKR_FUNCTION_FAILED);
  EXPECT_EQ(C_GetInterface(longer, nullptr, &found, 0), CKR_FUNCTION_FAILED);
  EXPECT_EQ(C_GetInterface(nullptr, &future, &found, 0), CKR_FUNCTION_FAILED);
  EXPECT_EQ(C_GetInterface(nullptr, nullptr, &found, CKF_INTERFACE_FORK_SAFE), CKR_FUNCTION_FAILED);
  EXPECT_EQ(C_GetInterface(nullptr, nullptr, nullptr, 0), CKR_ARGUMENTS_BAD);
}

TEST_F(CallsTest, InfoNamesTheVersionOfItsList) {
  CK_INFO info;
  ASSERT_EQ(C_GetInfo(&info), CKR_OK);
  EXPECT_EQ(info.cryptokiVersion.major, 2);
  EXPECT_EQ(info.cryptokiVersion.minor, 40);
  EXPECT_EQ(AsText(info.manufacturerID), "Keyclave                        ");
  CK_INTERFACE* found = nullptr;
  ASSERT_EQ(C_GetInterface(nullptr, nullptr, &found, 0), CKR_OK);
  ASSERT_EQ(static_cast<CK_FUNCTION_LIST_3_0*>(found->pFunctionList)->C_GetInfo(&info), CKR_OK);
  EXPECT_EQ(info.cryptokiVersion.major, 3);
}

TEST(RvMap, HasAValueForEveryCode) {
#define KC_CODE(number, name, sentence) EXPECT_NE(ToRv(Code::name), CKR_OK) << #name;
#include "enclave/base/error_codes.inc"
#undef KC_CODE
  EXPECT_EQ(ToRv(Code::kDenied), CKR_KEY_FUNCTION_NOT_PERMITTED);
  EXPECT_EQ(ToRv(Code::kUnreachable), CKR_DEVICE_ERROR);
  EXPECT_EQ(ToRv(Code::kNotLoggedIn), CKR_USER_NOT_LOGGED_IN);
}

TEST(Barrier, TurnsExceptionsIntoReturnValues) {
  EXPECT_EQ(Barrier("test", []() -> Status { throw std::bad_alloc(); }), CKR_HOST_MEMORY);
  EXPECT_EQ(Barrier("test", []() -> Status { throw std::runtime_error("x"); }), CKR_GENERAL_ERROR);
  EXPECT_EQ(Barrier("test", []() -> Status { throw 7; }), CKR_GENERAL_ERROR);
  EXPECT_EQ(Barrier("test", []() -> Status { return Done{}; }), CKR_OK);
}

}  // namespace
}  // namespace keyclave::pkcs11
