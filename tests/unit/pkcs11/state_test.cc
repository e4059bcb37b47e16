// Saved operations: C_GetOperationState, C_SetOperationState (v3.2 §5.6.4, §5.6.5).
#include "pkcs11/saved_states.h"
#include "tests/unit/pkcs11/module_fixture.h"

namespace keyclave::pkcs11 {
namespace {

class StateTest : public testing::ModuleTest {
 protected:
  void SetUp() override {
    ModuleTest::SetUp();
    session_ = OpenSession();
  }
  void Begin() const { ASSERT_EQ(C_DigestInit(session_, &sha256), CKR_OK); }
  static void Add(CK_SESSION_HANDLE session, const char* text) {
    std::string part(text);
    const auto* bytes = static_cast<const void*>(part.data());
    EXPECT_EQ(C_DigestUpdate(session, const_cast<CK_BYTE*>(static_cast<const CK_BYTE*>(bytes)),
                             part.size()),
              CKR_OK);
  }
  static Bytes Finish(CK_SESSION_HANDLE session) {
    Bytes digest(32);
    CK_ULONG size = digest.size();
    EXPECT_EQ(C_DigestFinal(session, digest.data(), &size), CKR_OK);
    return digest;
  }
  static Bytes Save(CK_SESSION_HANDLE session) {
    CK_ULONG size = 0;
    EXPECT_EQ(C_GetOperationState(session, nullptr, &size), CKR_OK);
    Bytes state(size);
    EXPECT_EQ(C_GetOperationState(session, state.data(), &size), CKR_OK);
    return state;
  }
  static CK_RV Load(CK_SESSION_HANDLE session, Bytes state, CK_OBJECT_HANDLE key = 0) {
    return C_SetOperationState(session, state.data(), state.size(), key, 0);
  }
  static Bytes DigestOf(const char* text) { return ToBytes(Sha256(AsBytes(text))); }

  inline static CK_MECHANISM sha256{CKM_SHA256, nullptr, 0};
  CK_SESSION_HANDLE session_ = 0;
};

TEST_F(StateTest, DigestGoesOnInAnotherSessionAsOftenAsOneLikes) {
  Begin();
  Add(session_, "one ");
  const Bytes state = Save(session_);
  Add(session_, "two");
  EXPECT_EQ(Finish(session_), DigestOf("one two"));
  const CK_SESSION_HANDLE other = OpenSession(0);
  for (const char* rest : {"three", "four"}) {
    ASSERT_EQ(Load(other, state), CKR_OK);
    Add(other, rest);
    EXPECT_EQ(Finish(other), DigestOf((std::string("one ") + rest).c_str()));
  }
  // What is active gives way.
  ASSERT_EQ(C_DigestInit(other, &sha256), CKR_OK);
  Add(other, "forgotten");
  ASSERT_EQ(Load(other, state), CKR_OK);
  EXPECT_EQ(Finish(other), DigestOf("one "));
}

TEST_F(StateTest, SmallBufferSavesNothingAndSaysHowMuch) {
  Begin();
  CK_ULONG size = 5;
  CK_BYTE small[5] = {};
  EXPECT_EQ(C_GetOperationState(session_, small, &size), CKR_BUFFER_TOO_SMALL);
  EXPECT_EQ(size, SavedStates::kSize);
  EXPECT_EQ(C_GetOperationState(session_, nullptr, nullptr), CKR_ARGUMENTS_BAD);
  Add(session_, "still there");
  EXPECT_EQ(Finish(session_), DigestOf("still there"));
}

TEST_F(StateTest, WhatCannotBeSavedSaysSo) {
  CK_ULONG size = 0;
  EXPECT_EQ(C_GetOperationState(session_, nullptr, &size), CKR_OPERATION_NOT_INITIALIZED);
  CK_MECHANISM ecdsa{CKM_ECDSA_SHA256, nullptr, 0};
  ASSERT_EQ(C_SignInit(session_, &ecdsa, PlantEc(session_)), CKR_OK);
  EXPECT_EQ(C_GetOperationState(session_, nullptr, &size), CKR_STATE_UNSAVEABLE);
}

TEST_F(StateTest, WhatIsNoStateIsRefused) {
  const CK_OBJECT_HANDLE key = PlantEc(session_);
  Begin();
  const Bytes state = Save(session_);
  Bytes changed = state;
  changed[3] ^= 1;
  EXPECT_EQ(Load(session_, changed), CKR_SAVED_STATE_INVALID);
  EXPECT_EQ(Load(session_, Bytes(state.begin(), state.end() - 1)), CKR_SAVED_STATE_INVALID);
  EXPECT_EQ(Load(session_, {}), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(Load(session_, state, key), CKR_KEY_NOT_NEEDED);
  Add(session_, "unharmed");
  EXPECT_EQ(Finish(session_), DigestOf("unharmed"));
  Restart();
  EXPECT_EQ(Load(OpenSession(), state), CKR_SAVED_STATE_INVALID);
}

TEST_F(StateTest, OldestOfTooManyIsForgotten) {
  Begin();
  const Bytes first = Save(session_);
  const Bytes second = Save(session_);
  for (size_t i = 1; i < SavedStates::kKept; ++i) Save(session_);
  EXPECT_EQ(Load(session_, first), CKR_SAVED_STATE_INVALID);
  EXPECT_EQ(Load(session_, second), CKR_OK);
}

}  // namespace
}  // namespace keyclave::pkcs11
