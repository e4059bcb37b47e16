// Threads of one client share connections; what takes long has one of its own.
#include <gtest/gtest.h>

#include "tests/fakes/fake_daemon.h"
#include "tests/fakes/raw_peer.h"

namespace keyclave::test {
namespace {

using client::Client;
using wire::Op;

class SharingTest : public ::testing::Test {
 protected:
  client::ClientConfig Config(const std::string& more = {}) const {
    return folder_.ClientConfig("unix:" + folder_.Socket(), more);
  }
  bool TakenByTheDaemon(uint64_t requests) {
    return Eventually([&] { return daemon_.server->stats().requests == requests; });
  }

  const TestFolder folder_;
  FakeDaemon daemon_{folder_};
};

// The handshake's requests on so many connections of one attested client.
constexpr uint64_t HandshakeRequests(uint64_t connections) { return connections + 1; }

TEST_F(SharingTest, ManyRequestsTravelOnFewConnections) {
  daemon_.handler.SetGate(false);
  Client client(Config());
  std::vector<std::thread> threads;
  for (int i = 0; i < 48; ++i) {
    threads.emplace_back([&] { EXPECT_TRUE(client.Call<Op::kVerify>({}).ok()); });
  }
  // All are on their way before the first is answered.
  EXPECT_TRUE(Eventually([&] {
    return daemon_.server->stats().requests == 48 + HandshakeRequests(client.stats().connections);
  }));
  daemon_.handler.SetGate(true);
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(client.stats().connections, std::max(48U / 8, std::thread::hardware_concurrency()));
}

TEST_F(SharingTest, BeyondTheLimitTheyShareMore) {
  daemon_.handler.SetGate(false);
  Client client(Config("max_connections: 1\n"));
  std::vector<std::thread> threads;
  for (int i = 0; i < 32; ++i) {
    threads.emplace_back([&] { EXPECT_TRUE(client.Call<Op::kVerify>({}).ok()); });
  }
  EXPECT_TRUE(TakenByTheDaemon(32 + HandshakeRequests(1)));
  daemon_.handler.SetGate(true);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(client.stats().connections, 1U);
}

TEST_F(SharingTest, WhatTakesLongIsAlone) {
  daemon_.handler.SetGate(false);
  Client client(Config());
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] { EXPECT_TRUE(client.Call<Op::kDeleteToken>({}).ok()); });
  }
  // One after the other is what a shared connection would make of them.
  EXPECT_TRUE(Eventually([&] { return client.stats().connections == 3; }));
  EXPECT_TRUE(client.Call<Op::kRandom>(wire::RandomRequest{16, std::nullopt}).ok());
  EXPECT_EQ(client.stats().connections, 4U) << "not on theirs";
  daemon_.handler.SetGate(true);
  for (std::thread& thread : threads) thread.join();
}

TEST_F(SharingTest, WhoWantsToBeAloneGetsThereInACrowd) {
  Client client(Config("max_connections: 1\n"));
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        const auto reply = client.Call<Op::kRandom>(wire::RandomRequest{16, std::nullopt});
        EXPECT_TRUE(reply.ok()) << reply.error().Text();
      }
    });
  }
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(client.Call<Op::kDeleteToken>({}).ok());
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

// Coroutines that share a thread: whoever waits without pausing waits forever for the others.
TEST_F(SharingTest, ALongOneInACoroutineWaitsByPausing) {
  static std::atomic<int> moments{0};
  static FakeDaemon* the_daemon = nullptr;
  moments = 0;
  the_daemon = &daemon_;
  static const client::Pausing pausing = {.can = [] { return true; },
                                          .until_readable = [](int fd) { return WaitReadable(fd); },
                                          .for_a_moment =
                                              [] {
                                                if (++moments == 5)
                                                  the_daemon->handler.SetGate(true);
                                                return true;
                                              }};
  daemon_.handler.SetGate(false);
  client::ClientConfig config = Config("max_connections: 1\n");
  config.pausing = &pausing;
  Client client(config);
  std::thread holder([&] { EXPECT_TRUE(client.Call<Op::kDeleteToken>({}).ok()); });
  ASSERT_TRUE(Eventually([&] { return daemon_.handler.Count(Op::kDeleteToken) == 1; }));
  EXPECT_TRUE(client.Call<Op::kRandom>(wire::RandomRequest{16, std::nullopt}).ok());
  EXPECT_GE(moments, 5);
  holder.join();
}

}  // namespace
}  // namespace keyclave::test
