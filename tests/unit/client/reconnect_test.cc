// What becomes of calls when the daemon is away, dead, stopped or another one.
#include <gtest/gtest.h>
#include <sys/un.h>

#include "tests/fakes/fake_daemon.h"
#include "tests/fakes/raw_peer.h"

namespace keyclave::test {
namespace {

using client::Client;
using wire::Op;

Status Random(Client& client) {
  KC_CHECK_OK(client.Call<Op::kRandom>(wire::RandomRequest{16, std::nullopt}));
  return Done{};
}

Status CreateToken(Client& client) {
  KC_CHECK_OK(client.Call<Op::kCreateToken>(wire::CreateTokenRequest()));
  return Done{};
}

// A unix socket on which nobody accepts.
Fd SilentListener(const std::string& path, int backlog = 16) {
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto address = wire::SocketAddress::Unix(path);
  EXPECT_EQ(::bind(socket.get(), address.get(), address.size()), 0);
  EXPECT_EQ(::listen(socket.get(), backlog), 0);
  return socket;
}

TEST(Reconnect, AMissingSocketSaysWhatToDo) {
  const TestFolder folder;
  Client client(folder.ClientConfig());
  const Status status = Random(client);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.code(), Code::kUnreachable);
  EXPECT_NE(status.error().Text().find("is keyclaved running?"), std::string::npos);
  EXPECT_NE(status.error().Text().find(folder.Socket()), std::string::npos);
}

TEST(Reconnect, ASocketWithoutListenerIsUnreachable) {
  const TestFolder folder;
  { const Fd dead = SilentListener(folder.Socket()); }
  Client client(folder.ClientConfig());
  EXPECT_EQ(Random(client).code(), Code::kUnreachable);
  Client tcp(folder.ClientConfig("tcp:127.0.0.1:1"));
  EXPECT_EQ(Random(tcp).code(), Code::kUnreachable);
}

TEST(Reconnect, ASilentDaemonCostsTheDeadlineAndNoMore) {
  const TestFolder folder;
  const Fd silent = SilentListener(folder.Socket());
  Client client(folder.ClientConfig("unix:" + folder.Socket(), "deadline: 1s\n"));
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(Random(client).code(), Code::kDeadline);
  EXPECT_GE(std::chrono::steady_clock::now() - before, 1s);
}

TEST(Reconnect, AFullBacklogCostsTheDeadlineAndNoMore) {
  const TestFolder folder;
  const Fd silent = SilentListener(folder.Socket(), 0);
  std::vector<Fd> others;
  for (int i = 0; i < 8; ++i) {
    others.emplace_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const auto address = wire::SocketAddress::Unix(folder.Socket());
    static_cast<void>(::connect(others.back().get(), address.get(), address.size()));
  }
  Client client(folder.ClientConfig("unix:" + folder.Socket(), "deadline: 1s\n"));
  EXPECT_EQ(Random(client).code(), Code::kDeadline);
}

TEST(Reconnect, ThreadsBehindASilentDaemonAllGiveUp) {
  const TestFolder folder;
  const Fd silent = SilentListener(folder.Socket());
  Client client(folder.ClientConfig("unix:" + folder.Socket(), "deadline: 1s\n"));
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] { EXPECT_EQ(Random(client).code(), Code::kDeadline); });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(Reconnect, ARequestThatIsNotAnsweredHitsTheDeadline) {
  const TestFolder folder;
  FakeDaemon daemon(folder);
  Client client(folder.ClientConfig("unix:" + folder.Socket(), "deadline: 1s\n"));
  ASSERT_TRUE(Random(client).ok());
  daemon.handler.SetGate(false);
  EXPECT_EQ(client.Call<Op::kVerify>({}).code(), Code::kDeadline);
  daemon.handler.SetGate(true);
  EXPECT_TRUE(Random(client).ok()) << "on another connection: the late reply is nobody's";
  EXPECT_EQ(client.stats().connections, 2U);
}

TEST(Reconnect, ARestartedDaemonIsFoundAgain) {
  const TestFolder folder;
  Client client(folder.ClientConfig());
  uint64_t generation = 0;
  for (int run = 0; run < 3; ++run) {
    FakeDaemon daemon(folder);
    ASSERT_TRUE(daemon.started.ok()) << daemon.started.error().Text();
    EXPECT_TRUE(Random(client).ok());
    EXPECT_TRUE(CreateToken(client).ok()) << "also for what must not be repeated";
    EXPECT_GT(client.generation(), generation);
    generation = client.generation();
  }
  EXPECT_EQ(client.stats().connections, 3U);
  EXPECT_EQ(client.stats().attestations, 3U);
  EXPECT_EQ(Random(client).code(), Code::kUnreachable);
}

TEST(Reconnect, ManyThreadsLiveThroughARestart) {
  const TestFolder folder;
  auto daemon = std::make_unique<FakeDaemon>(folder);
  Client client(folder.ClientConfig());
  std::atomic<bool> stop{false};
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      while (!stop) {
        const Status status = Random(client);
        if (status.ok()) {
          ++good;
        } else {
          EXPECT_TRUE(status.code() == Code::kUnreachable || status.code() == Code::kChannelClosed)
              << status.error().Text();
        }
      }
    });
  }
  for (int run = 0; run < 3; ++run) {
    const int before = good;
    EXPECT_TRUE(Eventually([&] { return good > before + 50; }));
    daemon.reset();
    daemon = std::make_unique<FakeDaemon>(folder);
  }
  const int before = good;
  EXPECT_TRUE(Eventually([&] { return good > before + 50; }));
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

TEST(Reconnect, SocketOwnerIsChecked) {
  const TestFolder folder;
  FakeDaemon daemon(folder);
  const std::string endpoint = "unix:" + folder.Socket();
  const uint32_t own = ::geteuid();
  Client good(folder.ClientConfig(endpoint, "socket_owner: " + std::to_string(own) + "\n"));
  EXPECT_TRUE(Random(good).ok());
  Client bad(folder.ClientConfig(endpoint, "socket_owner: " + std::to_string(own + 4711) + "\n"));
  const Status status = Random(bad);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.code(), Code::kSocketOwner);
  EXPECT_NE(status.error().Text().find("uid " + std::to_string(own)), std::string::npos);
  EXPECT_NE(status.error().Text().find(std::to_string(own + 4711)), std::string::npos);
  EXPECT_EQ(daemon.handler.Count(Op::kHello), 1U) << "nothing was said to the wrong one";
}

TEST(Reconnect, AClosedConnectionIsReplacedWithoutAnError) {
  const TestFolder folder;
  FakeDaemon daemon(folder);
  Client client(folder.ClientConfig());
  ASSERT_TRUE(Random(client).ok());
  daemon.clock.AdvanceSteady(7200);  // beyond the idle limit
  ASSERT_TRUE(Eventually([&] { return daemon.server->stats().connections == 0; }));
  EXPECT_TRUE(CreateToken(client).ok());
  EXPECT_EQ(client.stats().connections, 2U);
}

}  // namespace
}  // namespace keyclave::test
