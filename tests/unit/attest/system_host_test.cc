// The real system calls, and real programs run by them.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sstream>

#include "attest/produce/io.h"
#include "tests/fakes/temporary_directory.h"

namespace keyclave::attest {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kExitMask = 0xff00;

class SystemHostTest : public testing::Test {
 protected:
  int Shell(const std::string& script, milliseconds timeout = seconds(60), size_t max = 65536) {
    Command command;
    command.arguments = {"/bin/sh", "-c", script};
    command.environment = environment_;
    command.max_output = max;
    command.timeout = timeout;
    return SystemHost().Run(command, outcome_);
  }
  std::string Output() const { return std::string(AsText(outcome_.output)); }

  std::vector<std::string> environment_;
  CommandOutcome outcome_;
};

TEST_F(SystemHostTest, FilesAndFolders) {
  const fakes::TemporaryDirectory place;
  const std::string folder = place.path() + "/folder";
  Io io(SystemHost());
  EXPECT_TRUE(io.MakeFolder(folder).ok());
  EXPECT_TRUE(io.MakeFolder(folder).failed_with(EEXIST));
  EXPECT_TRUE(io.WriteFile(folder + "/file", Bytes(3, 1)).failed_with(ENOENT));
  const int fd = open((folder + "/file").c_str(), O_CREAT | O_WRONLY, 0600);
  ASSERT_GE(fd, 0);
  close(fd);
  EXPECT_TRUE(io.WriteFile(folder + "/file", Bytes(9000, 1)).ok());
  EXPECT_EQ(*io.ReadFile(folder + "/file", 9000), Bytes(9000, 1));
  EXPECT_TRUE(io.ReadFile(folder, 10).failed_with(EISDIR));
  EXPECT_TRUE(io.RemoveFolder(folder).failed_with(ENOTEMPTY));
  unlink((folder + "/file").c_str());
  EXPECT_TRUE(io.RemoveFolder(folder).ok());
}

TEST_F(SystemHostTest, DescriptorsAreNotInherited) {
  const int fd = SystemHost().Open("/dev/null", O_RDONLY);
  ASSERT_GE(fd, 0);
  EXPECT_NE(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
  int argument = 0;
  EXPECT_EQ(SystemHost().Ioctl(fd, 0x5401, &argument), -ENOTTY);
  EXPECT_EQ(SystemHost().Close(fd), 0);
  EXPECT_EQ(SystemHost().Close(-1), -EBADF);
}

TEST_F(SystemHostTest, TimePasses) {
  Host& host = SystemHost();
  const auto before = host.Now();
  host.Sleep(milliseconds(5));
  EXPECT_GE(host.Now() - before, milliseconds(5));
}

TEST_F(SystemHostTest, RunsAProgramToItsEnd) {
  EXPECT_EQ(Shell("echo token; echo complaint >&2"), 0);
  EXPECT_EQ(Output(), "token\n");
  EXPECT_EQ(outcome_.complaint, "complaint\n");
  EXPECT_EQ(outcome_.wait_status, 0);
  EXPECT_EQ(Shell("exit 7"), 0);
  EXPECT_EQ(outcome_.wait_status.value_or(-1) & kExitMask, 7 << 8);
}

TEST_F(SystemHostTest, TellsWhatCannotBeRun) {
  Command command;
  EXPECT_EQ(SystemHost().Run(command, outcome_), -EINVAL);
  command.arguments = {"/nonexistent/program"};
  EXPECT_EQ(SystemHost().Run(command, outcome_), -ENOENT);
  command.arguments = {"/etc/passwd"};
  EXPECT_EQ(SystemHost().Run(command, outcome_), -EACCES);
}

TEST_F(SystemHostTest, GivesTheEnvironmentAndReplacesInIt) {
  ASSERT_EQ(setenv("KEYCLAVE_TEST_KEPT", "kept", 1), 0);
  ASSERT_EQ(setenv("KEYCLAVE_TEST_REPLACED", "old", 1), 0);
  environment_ = {"KEYCLAVE_TEST_REPLACED=new", "KEYCLAVE_TEST_ADDED=added"};
  EXPECT_EQ(Shell("echo $KEYCLAVE_TEST_KEPT $KEYCLAVE_TEST_REPLACED $KEYCLAVE_TEST_ADDED; "
                  "env | grep -c ^KEYCLAVE_TEST_"),
            0);
  EXPECT_EQ(Output(), "kept new added\n3\n");
  unsetenv("KEYCLAVE_TEST_KEPT");
  unsetenv("KEYCLAVE_TEST_REPLACED");
}

TEST_F(SystemHostTest, GivesNoInputAndNoOtherDescriptor) {
  // Not even one that this process forgot to mark.
  const int forgotten = open("/dev/null", O_RDONLY);
  ASSERT_GE(forgotten, 0);
  EXPECT_EQ(Shell("cat; ls -l /proc/self/fd | sed -n 's/.* \\([0-9]*\\) -> .*/\\1/p'"), 0);
  close(forgotten);
  // ls itself opens the folder that it lists as 3.
  EXPECT_EQ(Output(), "0\n1\n2\n3\n");
}

TEST_F(SystemHostTest, EndsWhatTakesTooLong) {
  EXPECT_EQ(Shell("echo begun; echo slow >&2; sleep 1000", milliseconds(300)), -ETIMEDOUT);
  EXPECT_EQ(Output(), "begun\n");
  EXPECT_EQ(outcome_.complaint, "slow\n");
  EXPECT_EQ(outcome_.wait_status, SIGKILL);
}

TEST_F(SystemHostTest, EndsWhatItStartedTogetherWithIt) {
  const fakes::TemporaryDirectory place;
  const std::string file = place.path() + "/pid";
  EXPECT_EQ(Shell("sleep 1000 & echo $! > " + file + "; wait", milliseconds(500)), -ETIMEDOUT);
  Io io(SystemHost());
  auto text = io.ReadFile(file, 100);
  ASSERT_TRUE(text.ok());
  const int pid = std::stoi(std::string(AsText(*text)));
  // Gone, or about to be taken by init.
  for (int i = 0; i < 1000 && kill(pid, 0) == 0; ++i) {
    auto stat = io.ReadFile("/proc/" + std::to_string(pid) + "/stat", 1000);
    if (!stat.ok() || AsText(*stat).find(") Z ") != std::string_view::npos) break;
    SystemHost().Sleep(milliseconds(5));
    ASSERT_LT(i, 999);
  }
}

TEST_F(SystemHostTest, DoesNotWaitForWhatTheProgramLeftBehind) {
  const auto before = SystemHost().Now();
  EXPECT_EQ(Shell("sleep 30 & echo $!"), 0);
  EXPECT_LT(SystemHost().Now() - before, seconds(20));
  EXPECT_EQ(outcome_.wait_status, 0);
  kill(std::stoi(Output()), SIGKILL);
}

TEST_F(SystemHostTest, EndsWhatPrintsTooMuch) {
  EXPECT_EQ(Shell("head -c 1000 /dev/zero", seconds(60), 1000), 0);
  EXPECT_EQ(outcome_.output.size(), 1000u);
  EXPECT_EQ(Shell("head -c 1001 /dev/zero", seconds(60), 1000), -EFBIG);
  EXPECT_EQ(Shell("cat /dev/zero", seconds(60), 1000), -EFBIG);
}

TEST_F(SystemHostTest, KeepsTheEndOfALongComplaint) {
  EXPECT_EQ(Shell("seq 100000 >&2; echo last >&2; echo token"), 0);
  EXPECT_EQ(Output(), "token\n");
  EXPECT_LE(outcome_.complaint.size(), 512u);
  EXPECT_THAT(outcome_.complaint, testing::EndsWith("100000\nlast\n"));
  EXPECT_EQ(Shell("cat /dev/zero >&2", milliseconds(300)), -ETIMEDOUT);
}

TEST_F(SystemHostTest, TheProgramHasOrdinarySignals) {
  sigset_t blocked;
  sigset_t former;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &blocked, &former), 0);
  const auto handler = signal(SIGPIPE, SIG_IGN);
  EXPECT_EQ(Shell("sed -n 's/^Sig\\(Blk\\|Ign\\):\\t//p' /proc/self/status"), 0);
  signal(SIGPIPE, handler);
  pthread_sigmask(SIG_SETMASK, &former, nullptr);
  std::istringstream masks(Output());
  uint64_t blocked_there = 1;
  uint64_t ignored_there = 1;
  masks >> std::hex >> blocked_there >> ignored_there;
  EXPECT_EQ(blocked_there, 0u);
  // Above are glibc's own, which it always hands down ignored.
  EXPECT_EQ(ignored_there & 0x7fffffff, 0u);
}

TEST_F(SystemHostTest, ChildrenOfTheProcessAreLeftAlone) {
  const pid_t own = fork();
  ASSERT_GE(own, 0);
  if (own == 0) _exit(5);
  EXPECT_EQ(Shell("echo token"), 0);
  int status = 0;
  EXPECT_EQ(waitpid(own, &status, 0), own);
  EXPECT_EQ(WEXITSTATUS(status), 5);
}

TEST_F(SystemHostTest, AProcessThatIgnoresItsChildrenLearnsTheOutputAllTheSame) {
  const auto handler = signal(SIGCHLD, SIG_IGN);
  EXPECT_EQ(Shell("echo token"), 0);
  signal(SIGCHLD, handler);
  EXPECT_EQ(Output(), "token\n");
  EXPECT_FALSE(outcome_.wait_status.has_value());
}

TEST_F(SystemHostTest, AProcessWithoutStandardDescriptorsRunsProgramsAsWell) {
  // In a child of its own: the test program needs its own.
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    for (int fd = 0; fd < 3; ++fd) close(fd);
    const bool good = Shell("echo token; echo complaint >&2; cat") == 0 && Output() == "token\n" &&
                      outcome_.complaint == "complaint\n";
    _exit(good ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace keyclave::attest
