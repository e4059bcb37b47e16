#include "bench/watch.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <functional>
#include <stdexcept>

namespace keyclave::bench {
namespace {

[[noreturn]] void Compute() {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (;;) getppid();
}

// A process of the test's own, ended with it.
class Child {
 public:
  explicit Child(const std::function<void()>& work) : pid_(fork()) {
    if (pid_ == 0) {
      work();
      _exit(0);
    }
  }
  ~Child() { End(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  pid_t pid() const { return pid_; }
  void End() {
    if (pid_ > 0 && !ended_) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    ended_ = true;
  }

 private:
  const pid_t pid_;
  bool ended_ = false;
};

CpuWatch Watch(pid_t pid) { return CpuWatch(std::array{pid}); }

void WaitForTime(const CpuWatch& watch) {
  while (watch.Seconds().at(0) < 0.01) {
  }
}

TEST(CpuWatchTest, CountsTheTimeOfAnotherProcess) {
  const Child child(Compute);
  WaitForTime(Watch(child.pid()));
}

TEST(CpuWatchTest, CountsChildrenToo) {
  std::array<int, 2> ready{};
  ASSERT_EQ(pipe(ready.data()), 0);
  // The grandchild computes; its parent only waits for the end.
  const Child child([&] {
    const Child grandchild(Compute);
    const pid_t pid = grandchild.pid();
    if (write(ready[1], &pid, sizeof pid) != sizeof pid) _exit(1);
    for (;;) pause();
  });
  pid_t grandchild = 0;
  ASSERT_EQ(read(ready[0], &grandchild, sizeof grandchild), sizeof grandchild);
  WaitForTime(Watch(child.pid()));
  EXPECT_EQ(kill(grandchild, SIGKILL), 0);
  close(ready[0]);
  close(ready[1]);
}

TEST(CpuWatchTest, AProcessThatEndsIsAnError) {
  Child child(Compute);
  const CpuWatch watch = Watch(child.pid());
  child.End();
  EXPECT_THROW(watch.Seconds(), std::runtime_error);
  EXPECT_THROW(Watch(child.pid()), std::runtime_error);
}

TEST(CpuWatchTest, NobodyTakesNoTime) { EXPECT_TRUE(CpuWatch({}).Seconds().empty()); }

}  // namespace
}  // namespace keyclave::bench
