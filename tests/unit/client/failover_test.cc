// What becomes of calls when members of a fleet are away, dead, stopped, or others than they should
// be.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "tests/fakes/fake_daemon.h"
#include "tests/fakes/raw_peer.h"

namespace keyclave::test {
namespace {

using client::Client;
using wire::LoginState;
using wire::Op;

Status Random(Client& client) {
  KC_CHECK_OK(client.Call<Op::kRandom>(wire::RandomRequest{16, std::nullopt}));
  return Done{};
}
Status CreateToken(Client& client) {
  KC_CHECK_OK(client.Call<Op::kCreateToken>(wire::CreateTokenRequest()));
  return Done{};
}

class FailoverTest : public ::testing::Test {
 protected:
  static constexpr size_t kMembers = 3;

  std::string Path(size_t member) const {
    return folder_.File("member" + std::to_string(member) + ".sock");
  }
  std::string At(size_t member) const { return "unix:" + Path(member); }
  FakeDaemon& Start(size_t member, const std::string& enclave_id = "test-enclave") {
    daemons_[member] = std::make_unique<FakeDaemon>(
        folder_, FakeDaemon::Options{.listen = {At(member)}, .enclave_id = enclave_id});
    EXPECT_TRUE(daemons_[member]->started.ok()) << daemons_[member]->started.error().Text();
    return *daemons_[member];
  }
  void Stop(size_t member) { daemons_[member].reset(); }
  // The first of all members is preferred.
  client::ClientConfig Config(const std::string& more = {}, size_t members = 2) const {
    std::vector<std::string> endpoints;
    for (size_t i = 0; i < members; ++i) endpoints.push_back(At(i));
    return folder_.FleetConfig(endpoints, more);
  }
  // A unix socket on which nobody accepts: what a stopped daemon leaves.
  Fd Silent(size_t member, int backlog = 16) const {
    Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto address = wire::SocketAddress::Unix(Path(member));
    EXPECT_EQ(::bind(socket.get(), address.get(), address.size()), 0);
    EXPECT_EQ(::listen(socket.get(), backlog), 0);
    return socket;
  }
  uint64_t Asked(size_t member, Op op = Op::kRandom) const {
    return daemons_[member]->handler.Count(op);
  }

  const TestFolder folder_;
  std::array<std::unique_ptr<FakeDaemon>, kMembers> daemons_;
};

TEST_F(FailoverTest, AProcessHasOneHome) {
  Start(0);
  Start(1);
  Client client(Config());
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 50; ++k) EXPECT_TRUE(Random(client).ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Asked(0), 400U);
  EXPECT_EQ(Asked(1, Op::kHello), 0U);
  EXPECT_EQ(client.stats().moves, 0U);
}

TEST_F(FailoverTest, ProcessesAreSpread) {
  Start(0);
  Start(1);
  client::ClientConfig config = Config();
  config.in_order = false;
  for (int i = 0; i < 64; ++i) {
    Client client(config);
    EXPECT_TRUE(Random(client).ok());
  }
  EXPECT_GT(Asked(0), 0U);
  EXPECT_GT(Asked(1), 0U);
}

TEST_F(FailoverTest, AMemberThatIsAwayIsPassedOver) {
  Start(1);
  Client client(Config());
  EXPECT_TRUE(CreateToken(client).ok()) << "also for what must not be repeated";
  EXPECT_TRUE(Random(client).ok());
  EXPECT_EQ(client.stats().moves, 0U);
}

TEST_F(FailoverTest, ADeadHomeIsLeft) {
  Start(0);
  Start(1);
  Client client(Config());
  ASSERT_TRUE(Random(client).ok());
  const uint64_t generation = client.generation();
  Stop(0);
  EXPECT_TRUE(Random(client).ok());
  EXPECT_TRUE(CreateToken(client).ok());
  EXPECT_EQ(client.stats().moves, 1U);
  EXPECT_NE(client.generation(), generation) << "session objects are gone";
}

TEST_F(FailoverTest, ThreadsLiveThroughTheDeathOfEachMember) {
  for (size_t i = 0; i < kMembers; ++i) Start(i);
  Client client(Config({}, kMembers));
  std::atomic<bool> stop{false};
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      while (!stop) {
        const Status status = Random(client);
        EXPECT_TRUE(status.ok()) << status.error().Text();
        ++good;
      }
    });
  }
  for (size_t member = 0; member < 2 * kMembers; ++member) {
    const int before = good;
    EXPECT_TRUE(Eventually([&] { return good > before + 100; }));
    Stop(member % kMembers);
    const int meanwhile = good;
    EXPECT_TRUE(Eventually([&] { return good > meanwhile + 100; }));
    Start(member % kMembers);
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(client.stats().moves, 0U);
}

TEST_F(FailoverTest, ASilentMemberLeavesTimeForAnother) {
  const Fd silent = Silent(0);
  Start(1);
  Client client(Config("deadline: 2s\n"));
  EXPECT_TRUE(Random(client).ok());
  EXPECT_TRUE(CreateToken(client).ok());
}

TEST_F(FailoverTest, AFullBacklogLeavesTimeForAnother) {
  const Fd silent = Silent(0, 0);
  std::vector<Fd> others;
  for (int i = 0; i < 8; ++i) {
    others.emplace_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const auto address = wire::SocketAddress::Unix(Path(0));
    static_cast<void>(::connect(others.back().get(), address.get(), address.size()));
  }
  Start(1);
  Client client(Config("deadline: 2s\n"));
  EXPECT_TRUE(Random(client).ok());
}

// With a full queue of arrivals a host drops those who come, without a word.
TEST_F(FailoverTest, ABlackHoleLeavesTimeForAnother) {
  const Endpoint any{.kind = Endpoint::Kind::kTcp, .path = {}, .host = "127.0.0.1", .port = 0};
  Fd hole(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto address = wire::SocketAddress::Lookup(any).value().front();
  ASSERT_EQ(::bind(hole.get(), address.get(), address.size()), 0);
  ASSERT_EQ(::listen(hole.get(), 0), 0);
  Endpoint endpoint = any;
  endpoint.port = wire::SocketAddress::LocalPort(hole.get()).value();
  const auto there = wire::SocketAddress::Lookup(endpoint).value().front();
  std::vector<Fd> others;
  for (int i = 0; i < 4; ++i) {
    others.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    static_cast<void>(::connect(others.back().get(), there.get(), there.size()));
  }
  Start(1);
  Client client(folder_.FleetConfig({endpoint.Text(), At(1)}, "deadline: 2s\n"));
  EXPECT_TRUE(Random(client).ok());
  Client alone(folder_.ClientConfig(endpoint.Text(), "deadline: 1s\n"));
  EXPECT_EQ(Random(alone).code(), Code::kDeadline) << "it is a black hole";
}

TEST_F(FailoverTest, OneMemberThatAnswersIsFoundAmongManyThatDoNot) {
  std::vector<Fd> silent;
  std::vector<std::string> endpoints;
  for (size_t i = 1; i <= 5; ++i) {
    silent.push_back(Silent(i * 10));
    endpoints.push_back(At(i * 10));
  }
  Start(0);
  endpoints.push_back(At(0));
  Client client(folder_.FleetConfig(endpoints, "deadline: 4s\n"));
  EXPECT_TRUE(Random(client).ok());
}

// The home takes a request and does not answer. What may be done twice is done elsewhere.
TEST_F(FailoverTest, ARequestThatIsNotAnsweredGoesElsewhereIfItMay) {
  Start(0);
  Start(1);
  Client client(Config("deadline: 2s\n"));
  ASSERT_TRUE(Random(client).ok());
  daemons_[0]->handler.SetGate(false);
  EXPECT_TRUE(client.Call<Op::kVerify>({}).ok());
  EXPECT_EQ(Asked(0, Op::kVerify), 1U);
  EXPECT_EQ(Asked(1, Op::kVerify), 1U);
  EXPECT_TRUE(Random(client).ok());
  EXPECT_EQ(Asked(1), 1U) << "the whole process has moved";
}

TEST_F(FailoverTest, WhatMustNotBeDoneTwiceIsSentOnce) {
  Start(0);
  Start(1);
  Client client(Config("deadline: 1s\n"));
  ASSERT_TRUE(Random(client).ok());
  daemons_[0]->handler.SetGate(false);
  EXPECT_EQ(client.Call<Op::kDeleteToken>({}).code(), Code::kDeadline);
  EXPECT_EQ(Asked(0, Op::kDeleteToken), 1U);
  EXPECT_EQ(Asked(1, Op::kDeleteToken), 0U);
  EXPECT_TRUE(CreateToken(client).ok()) << "the next one goes elsewhere";
  EXPECT_EQ(Asked(1, Op::kCreateToken), 1U);
}

TEST_F(FailoverTest, AMemberWithoutTheRightEvidenceIsPassedOver) {
  const TestFolder elsewhere;  // with a root of its own
  const FakeDaemon stranger(elsewhere, {.listen = {At(0)}});
  ASSERT_TRUE(stranger.started.ok());
  Start(1);
  Client client(Config());
  EXPECT_TRUE(Random(client).ok());
  EXPECT_EQ(stranger.handler.Count(Op::kAttest), 0U);
  Stop(1);
  const Status status = Random(client);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.code(), Code::kEnclaveRefused);
  EXPECT_NE(status.error().Text().find(At(0)), std::string::npos) << status.error().Text();
  EXPECT_NE(status.error().Text().find(At(1)), std::string::npos) << status.error().Text();
}

TEST_F(FailoverTest, AMemberThatRefusesOurEvidenceIsPassedOver) {
  Start(0).handler.RefuseNext(Op::kAttest, Code::kCollateralExpired);
  Start(1);
  Client client(Config());
  EXPECT_TRUE(Random(client).ok());
  EXPECT_EQ(Asked(1), 1U);
}

TEST_F(FailoverTest, AnotherEnclaveIsNoMember) {
  Start(0);
  Start(1, "another-enclave");
  Client client(Config());
  ASSERT_TRUE(Random(client).ok());
  Stop(0);
  const Status status = Random(client);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.code(), Code::kEnclaveRefused);
  EXPECT_NE(status.error().Text().find("another-enclave"), std::string::npos)
      << status.error().Text();
}

TEST_F(FailoverTest, WhereNobodyIsTheErrorNamesEach) {
  Client client(Config());
  const Status status = Random(client);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.code(), Code::kUnreachable);
  for (size_t i = 0; i < 2; ++i)
    EXPECT_NE(status.error().Text().find(At(i)), std::string::npos) << status.error().Text();
  Start(1);
  EXPECT_TRUE(Random(client).ok()) << "that it rests keeps nobody from trying it in need";
}

TEST_F(FailoverTest, LoginsGoAlong) {
  Start(0);
  Start(1);
  Client client(Config());
  ASSERT_TRUE(client.Login(kToken, LoginState::kUser, SecretBytes::CopyOf(AsBytes(kPin))).ok());
  Stop(0);
  EXPECT_TRUE(client.Call<Op::kListTokens>({}).ok());
  ASSERT_TRUE(client.Logout(kToken).ok());
  EXPECT_EQ(client.Call<Op::kListTokens>({}).code(), Code::kNotLoggedIn);
}

// Epochs of two daemons are not to be compared.
TEST_F(FailoverTest, TheEpochIsTheHomes) {
  Start(0).handler.epoch = 1'000'000;
  Start(1).handler.epoch = 5;
  Client client(Config());
  ASSERT_TRUE(Random(client).ok());
  EXPECT_EQ(client.epoch(), 1'000'000U);
  Stop(0);
  const uint64_t generation = client.generation();
  ASSERT_TRUE(Random(client).ok());
  EXPECT_EQ(client.epoch(), 5U);
  EXPECT_NE(client.generation(), generation);
  daemons_[1]->handler.epoch = 6;
  ASSERT_TRUE(Random(client).ok());
  EXPECT_EQ(client.epoch(), 6U);
}

// A reply of the old home that comes late says nothing about the new one.
TEST_F(FailoverTest, ALateReplyOfAnotherDaemonDoesNotMoveTheEpoch) {
  Start(0).handler.epoch = 1'000'000;
  Start(1).handler.epoch = 5;
  Client client(Config("deadline: 2s\n"));
  ASSERT_TRUE(Random(client).ok());
  daemons_[0]->handler.SetGate(false);
  std::thread late([&] { EXPECT_TRUE(client.Call<Op::kDeleteToken>({}).ok()); });
  EXPECT_TRUE(Eventually([&] { return Asked(0, Op::kDeleteToken) == 1; }));
  EXPECT_TRUE(client.Call<Op::kVerify>({}).ok()) << "on the other member";
  EXPECT_EQ(client.epoch(), 5U);
  daemons_[0]->handler.SetGate(true);
  late.join();
  EXPECT_EQ(client.epoch(), 5U);
  daemons_[1]->handler.epoch = 6;
  ASSERT_TRUE(Random(client).ok());
  EXPECT_EQ(client.epoch(), 6U);
}

TEST_F(FailoverTest, AForkedChildFindsAHomeOfItsOwn) {
  Start(0);
  Start(1);
  Client client(Config());
  ASSERT_TRUE(Random(client).ok());
  Stop(0);
  const pid_t child = ::fork();
  if (child == 0) ::_exit(Random(client).ok() ? 0 : 1);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(Random(client).ok());
}

}  // namespace
}  // namespace keyclave::test
