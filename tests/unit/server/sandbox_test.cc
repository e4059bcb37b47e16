// Each test gives rights away, so each runs in a child.
#include "enclave/server/sandbox.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <csignal>
#include <fstream>

#include "tests/fakes/fake_daemon.h"
#include "tests/fakes/raw_peer.h"

namespace keyclave::test {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;  // their runtimes need system calls that serving does not
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif
#else
constexpr bool kSanitized = false;
#endif

// How a child ended that did this: its exit status, or minus the signal that killed it.
int Outcome(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit none{.rlim_cur = 0, .rlim_max = 0};
    ::setrlimit(RLIMIT_CORE, &none);
    ::_exit(body());
  }
  int status = 0;
  if (::waitpid(child, &status, 0) != child) return -1000;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int Sandboxed(const std::function<int()>& body) {
  return Outcome([&] {
    if (!server::HideMemory().ok()) return 101;
    if (!server::FilterSystemCalls().ok()) return 102;
    return body();
  });
}

TEST(Sandbox, HiddenMemoryIsNotDumped) {
  EXPECT_EQ(Outcome([] {
              if (!server::HideMemory().ok()) return 1;
              if (::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0) return 2;
              return ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 3;
            }),
            0);
}

TEST(Sandbox, ServingWorksInside) {
  if (kSanitized) return;
  const TestFolder folder;
  EXPECT_EQ(Sandboxed([&] {
              FakeDaemon daemon(folder);
              if (!daemon.started.ok()) return 1;
              client::Client client(folder.ClientConfig());
              for (int i = 0; i < 10; ++i) {
                if (!client.Call<wire::Op::kRandom>(wire::RandomRequest{16, std::nullopt}).ok())
                  return 2;
              }
              return client.Call<wire::Op::kVerify>({}).ok() ? 0 : 3;
            }),
            0);
}

TEST(Sandbox, FilesCanBeWritten) {
  if (kSanitized) return;
  const TestFolder folder;
  EXPECT_EQ(Sandboxed([&] {
              std::ofstream(folder.File("a")) << "text";
              std::filesystem::rename(folder.File("a"), folder.File("b"));
              return std::filesystem::file_size(folder.File("b")) == 4 ? 0 : 1;
            }),
            0);
}

TEST(Sandbox, WhatOnlyAnIntruderWouldCallIsDeadly) {
  if (kSanitized) return;
  const struct {
    const char* what;
    std::function<int()> call;
  } deadly[] = {
      {"execve",
       [] {
         char name[] = "/bin/true";
         char* const arguments[] = {name, nullptr};
         return ::execv(name, arguments);
       }},
      {"fork", [] { return static_cast<int>(::syscall(SYS_fork)); }},
      {"clone", [] { return static_cast<int>(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); }},
      {"ptrace", [] { return static_cast<int>(::ptrace(PTRACE_TRACEME, 0, 0, 0)); }},
      {"process_vm_readv",
       [] { return static_cast<int>(::syscall(SYS_process_vm_readv, 1, 0, 0, 0, 0, 0)); }},
      {"setuid", [] { return static_cast<int>(::syscall(SYS_setuid, 0)); }},
      {"bpf", [] { return static_cast<int>(::syscall(SYS_bpf, 0, 0, 0)); }},
      {"executable memory",
       [] {
         return ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
                        MAP_FAILED
                    ? 1
                    : 0;
       }},
      {"memory made executable",
       [] {
         void* page =
             ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
         return ::mprotect(page, 4096, PROT_READ | PROT_EXEC);
       }},
  };
  for (const auto& one : deadly) EXPECT_EQ(Sandboxed(one.call), -SIGSYS) << one.what;
}

TEST(Sandbox, WhatIsNotListedIsNotThere) {
  if (kSanitized) return;
  EXPECT_EQ(
      Sandboxed([] { return ::syscall(SYS_swapon, "/x", 0) == -1 && errno == ENOSYS ? 0 : 1; }), 0);
}

TEST(Sandbox, ThreadsThatAreThereAlreadyAreFilteredToo) {
  if (kSanitized) return;
  EXPECT_EQ(Outcome([] {
              std::atomic<bool> filtered{false};
              std::atomic<int> result{0};
              std::thread thread([&] {
                while (!filtered) std::this_thread::yield();
                result = ::syscall(SYS_swapon, "/x", 0) == -1 && errno == ENOSYS ? 1 : 2;
              });
              if (!server::HideMemory().ok() || !server::FilterSystemCalls().ok()) return 3;
              filtered = true;
              thread.join();
              return result == 1 ? 0 : 4;
            }),
            0);
}

TEST(Sandbox, RootDoesNotComeBack) {
  if (::geteuid() != 0) return;  // there is nothing to give away
  EXPECT_EQ(Outcome([] {
              const auto user = server::FindUser("nobody");
              if (!user.ok() || user->uid == 0) return 1;
              if (!server::BecomeUser(*user).ok()) return 2;
              if (::getuid() != user->uid || ::geteuid() != user->uid) return 3;
              if (::getgid() != user->gid || ::getgroups(0, nullptr) != 0) return 4;
              return ::setuid(0) == -1 && ::setgid(0) == -1 ? 0 : 5;
            }),
            0);
}

TEST(Sandbox, UsersAreFoundByNameAndNumber) {
  const auto root = server::FindUser("root");
  ASSERT_TRUE(root.ok());
  EXPECT_EQ(root->uid, 0U);
  const auto pair = server::FindUser("0:0");
  ASSERT_TRUE(pair.ok());
  EXPECT_EQ(pair->gid, 0U);
  EXPECT_EQ(server::FindUser("no-such-user").code(), Code::kInvalidArgument);
  EXPECT_EQ(server::FindUser("root:no-such-group").code(), Code::kInvalidArgument);
  EXPECT_FALSE(server::FindUser("").ok());
}

}  // namespace
}  // namespace keyclave::test
