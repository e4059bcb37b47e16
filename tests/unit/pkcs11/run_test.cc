// C_Initialize to C_Finalize: arguments, threads, fork.
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "tests/unit/pkcs11/module_fixture.h"

namespace keyclave::pkcs11 {
namespace {

using testing::ModuleTest;

CK_RV Mutex1(CK_VOID_PTR* /*mutex*/) { return CKR_OK; }
CK_RV Mutex2(CK_VOID_PTR /*mutex*/) { return CKR_OK; }

class RunTest : public ModuleTest {
 protected:
  static CK_RV Again(CK_C_INITIALIZE_ARGS args) {
    EXPECT_EQ(C_Finalize(nullptr), CKR_OK);
    const CK_RV rv = C_Initialize(&args);
    if (rv != CKR_OK) {
      EXPECT_EQ(C_Initialize(nullptr), CKR_OK);
    }
    return rv;
  }
  // What `child` returns in a forked child.
  template <class Child>
  static int InChild(Child child) {
    const pid_t pid = fork();
    if (pid == 0) _exit(child());
    int status = 0;
    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT_TRUE(WIFEXITED(status));
    return WEXITSTATUS(status);
  }
};

TEST_F(RunTest, BeginsAndEndsOnce) {
  EXPECT_EQ(C_Initialize(nullptr), CKR_CRYPTOKI_ALREADY_INITIALIZED);
  EXPECT_EQ(C_Finalize(nullptr), CKR_OK);
  EXPECT_EQ(C_Finalize(nullptr), CKR_CRYPTOKI_NOT_INITIALIZED);
  EXPECT_EQ(C_Initialize(nullptr), CKR_OK);
  int something = 0;
  EXPECT_EQ(C_Finalize(&something), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(C_Initialize(nullptr), CKR_CRYPTOKI_ALREADY_INITIALIZED);
}

TEST_F(RunTest, ChecksItsArguments) {
  EXPECT_EQ(Again({nullptr, nullptr, nullptr, nullptr, 0, nullptr}), CKR_OK);
  EXPECT_EQ(Again({nullptr, nullptr, nullptr, nullptr, CKF_OS_LOCKING_OK, nullptr}), CKR_OK);
  EXPECT_EQ(
      Again({nullptr, nullptr, nullptr, nullptr, CKF_LIBRARY_CANT_CREATE_OS_THREADS, nullptr}),
      CKR_OK);
  EXPECT_EQ(Again({Mutex1, Mutex2, Mutex2, Mutex2, 0, nullptr}), CKR_OK);
  EXPECT_EQ(Again({Mutex1, Mutex2, Mutex2, Mutex2, CKF_OS_LOCKING_OK, nullptr}), CKR_OK);
  EXPECT_EQ(Again({Mutex1, nullptr, nullptr, nullptr, CKF_OS_LOCKING_OK, nullptr}),
            CKR_ARGUMENTS_BAD);
  EXPECT_EQ(Again({Mutex1, Mutex2, Mutex2, nullptr, 0, nullptr}), CKR_ARGUMENTS_BAD);
  int something = 0;
  EXPECT_EQ(Again({nullptr, nullptr, nullptr, nullptr, 0, &something}), CKR_ARGUMENTS_BAD);
}

TEST_F(RunTest, DoesNotAskTheEnclave) { EXPECT_EQ(enclave().Total(), 0U); }

TEST_F(RunTest, SaysWhatIsWrongWithTheConfiguration) {
  ASSERT_EQ(C_Finalize(nullptr), CKR_OK);
  const char* good = getenv("KEYCLAVE_CONFIG");
  const std::string path = good;
  setenv("KEYCLAVE_CONFIG", "/nonexistent/client.yaml", 1);
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(C_Initialize(nullptr), CKR_GENERAL_ERROR);
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("/nonexistent/client.yaml"),
            std::string::npos);
  setenv("KEYCLAVE_CONFIG", path.c_str(), 1);
  EXPECT_EQ(C_Initialize(nullptr), CKR_OK);
}

TEST_F(RunTest, HandlesEndWithTheRun) {
  const CK_SESSION_HANDLE session = OpenSession();
  Restart();
  CK_SESSION_INFO info;
  EXPECT_EQ(C_GetSessionInfo(session, &info), CKR_SESSION_HANDLE_INVALID);
}

TEST_F(RunTest, ForkedChildBeginsItsOwnRun) {
  const CK_SESSION_HANDLE session = OpenSession();
  EXPECT_EQ(InChild([&] {
              CK_SESSION_INFO info;
              if (C_GetSessionInfo(session, &info) != CKR_CRYPTOKI_NOT_INITIALIZED) return 1;
              if (C_Finalize(nullptr) != CKR_CRYPTOKI_NOT_INITIALIZED) return 2;
              if (C_Initialize(nullptr) != CKR_OK) return 3;
              if (C_GetSessionInfo(session, &info) != CKR_SESSION_HANDLE_INVALID) return 4;
              CK_SESSION_HANDLE own = 0;
              if (C_OpenSession(0, CKF_SERIAL_SESSION, nullptr, nullptr, &own) != CKR_OK) return 5;
              if (C_Initialize(nullptr) != CKR_CRYPTOKI_ALREADY_INITIALIZED) return 6;
              return C_Finalize(nullptr) == CKR_OK ? 0 : 7;
            }),
            0);
  CK_SESSION_INFO info;
  EXPECT_EQ(C_GetSessionInfo(session, &info), CKR_OK);
}

TEST_F(RunTest, GrandchildBeginsItsOwnRunToo) {
  EXPECT_EQ(InChild([&] {
              if (C_Initialize(nullptr) != CKR_OK) return 1;
              return InChild([] { return C_Initialize(nullptr) == CKR_OK ? 0 : 2; });
            }),
            0);
}

TEST_F(RunTest, ChildIsFreeWhileTheParentsThreadsWork) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        const CK_SESSION_HANDLE session = OpenSession();
        C_CloseSession(session);
      }
    });
  }
  for (int i = 0; i < 20; ++i) {
    // The fake enclave's own lock may be held at the fork: the child stays away from it.
    EXPECT_EQ(InChild([] {
                CK_INFO info;
                if (C_GetInfo(&info) != CKR_CRYPTOKI_NOT_INITIALIZED) return 1;
                if (C_Initialize(nullptr) != CKR_OK) return 2;
                return C_GetInfo(&info) == CKR_OK ? 0 : 3;
              }),
              0);
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

TEST_F(RunTest, OneOfManyThreadsInitializes) {
  ASSERT_EQ(C_Finalize(nullptr), CKR_OK);
  std::atomic<int> done{0};
  std::atomic<int> already{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&] {
      const CK_RV rv = C_Initialize(nullptr);
      if (rv == CKR_OK) ++done;
      if (rv == CKR_CRYPTOKI_ALREADY_INITIALIZED) ++already;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(done, 1);
  EXPECT_EQ(already, 15);
}

TEST_F(RunTest, FinalizeWhileOthersWorkEndsCleanly) {
  for (int round = 0; round < 20; ++round) {
    std::vector<std::thread> threads;
    std::atomic<int> running{0};
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        ++running;
        for (;;) {
          CK_SESSION_HANDLE session = 0;
          const CK_RV rv = C_OpenSession(0, CKF_SERIAL_SESSION, nullptr, nullptr, &session);
          if (rv == CKR_CRYPTOKI_NOT_INITIALIZED) return;
          CK_MECHANISM sha{CKM_SHA256, nullptr, 0};
          const CK_RV init = C_DigestInit(session, &sha);
          EXPECT_TRUE(init == CKR_OK || init == CKR_CRYPTOKI_NOT_INITIALIZED ||
                      init == CKR_SESSION_HANDLE_INVALID);
        }
      });
    }
    while (running < 4) std::this_thread::yield();
    EXPECT_EQ(C_Finalize(nullptr), CKR_OK);
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(C_Initialize(nullptr), CKR_OK);
  }
}

}  // namespace
}  // namespace keyclave::pkcs11
