// How a long start says how far it is: to the log, and to systemd, whose part is a socket here.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "enclave/base/bytes.h"
#include "enclave/daemon/process.h"
#include "tests/fakes/temporary_directory.h"

namespace keyclave::daemon {
namespace {

using std::chrono::milliseconds;

class ManualClock final : public Clock {
 public:
  UnixTime Now() const override { return 0; }
  std::chrono::steady_clock::time_point Steady() const override { return now; }
  std::chrono::steady_clock::time_point now{};
};

std::vector<std::string>* lines = nullptr;
void KeepLine(LogLevel /*level*/, std::string_view line) { lines->emplace_back(line); }

class StartProgressTest : public testing::Test {
 protected:
  void SetUp() override {
    lines = &lines_;
    SetLogSink(&KeepLine, LogLevel::kInfo);
    socket_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const std::string path = folder_.path() + "/notify";
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    ASSERT_LT(path.size(), sizeof address.sun_path);
    std::copy(path.begin(), path.end(), address.sun_path);
    const void* generic = &address;
    ASSERT_EQ(bind(socket_, static_cast<const sockaddr*>(generic), sizeof address), 0);
    setenv("NOTIFY_SOCKET", path.c_str(), 1);
  }
  void TearDown() override {
    unsetenv("NOTIFY_SOCKET");
    SetLogSink(nullptr, LogLevel::kError);
    close(socket_);
  }
  // The next message for systemd; empty if there is none.
  std::string Told() const {
    std::array<uint8_t, 512> text{};
    const ssize_t size = recv(socket_, text.data(), text.size(), 0);
    if (size <= 0) return {};
    return std::string(AsText(ByteSpan(text).first(static_cast<size_t>(size))));
  }

  fakes::TemporaryDirectory folder_;
  int socket_ = -1;
  std::vector<std::string> lines_;
  ManualClock clock_;
};

TEST_F(StartProgressTest, AQuickStartSaysNothing) {
  StartProgress progress(clock_);
  for (int i = 0; i < 10; ++i) {
    clock_.now += milliseconds(199);
    progress(100, 1000);
  }
  EXPECT_EQ(Told(), "");
  EXPECT_TRUE(lines_.empty());
}

TEST_F(StartProgressTest, ALongOneSaysHowFarItIsAndAsksForMoreTime) {
  StartProgress progress(clock_);
  for (uint64_t i = 1; i <= 50; ++i) {
    clock_.now += milliseconds(100);
    progress(i, 50);
  }
  EXPECT_EQ(Told(), "STATUS=reading the store: 20 of 50 rows\nEXTEND_TIMEOUT_USEC=60000000");
  EXPECT_EQ(Told(), "STATUS=reading the store: 40 of 50 rows\nEXTEND_TIMEOUT_USEC=60000000");
  EXPECT_EQ(Told(), "");
  EXPECT_THAT(lines_, testing::ElementsAre("reading the store: 20 of 50 rows",
                                           "reading the store: 40 of 50 rows"));
}

}  // namespace
}  // namespace keyclave::daemon
