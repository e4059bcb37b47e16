// A daemon that is drained sends its callers elsewhere, and no request is lost by that.
#include <gtest/gtest.h>

#include "tests/fakes/fake_daemon.h"
#include "tests/fakes/raw_peer.h"

namespace keyclave::test {
namespace {

using client::Client;
using wire::LoginState;
using wire::Op;

class DrainTest : public ::testing::Test {
 protected:
  static Status Random(Client& client) {
    KC_CHECK_OK(client.Call<Op::kRandom>(wire::RandomRequest{16, std::nullopt}));
    return Done{};
  }
  std::unique_ptr<FakeDaemon> Start(const std::string& name) const {
    return std::make_unique<FakeDaemon>(
        folder_, FakeDaemon::Options{.listen = {"unix:" + folder_.File(name)}});
  }
  client::ClientConfig Config(const std::string& more = {}) const {
    return folder_.FleetConfig({"unix:" + folder_.File("a"), "unix:" + folder_.File("b")}, more);
  }
  // Asks until the process has moved; no request may fail on the way.
  static bool MovesAway(Client& client, uint64_t moves = 1) {
    return Eventually([&] {
      const Status status = Random(client);
      EXPECT_TRUE(status.ok()) << status.error().Text();
      return client.stats().moves == moves;
    });
  }
  static bool Deserted(FakeDaemon& daemon) {
    return Eventually([&] { return daemon.sessions().drain().movable == 0; });
  }

  const TestFolder folder_;
  std::unique_ptr<FakeDaemon> a_ = Start("a");
  std::unique_ptr<FakeDaemon> b_ = Start("b");
};

TEST_F(DrainTest, CallersGoToAnotherMemberWithoutAFailedRequest) {
  Client client(Config());
  ASSERT_TRUE(Random(client).ok());
  a_->sessions().drain().Begin();
  EXPECT_TRUE(MovesAway(client));
  EXPECT_TRUE(Deserted(*a_)) << "it is left altogether";
  const uint64_t before = a_->handler.Count(Op::kRandom);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(Random(client).ok());
  EXPECT_EQ(a_->handler.Count(Op::kRandom), before);
}

TEST_F(DrainTest, ManyThreadsMoveTogether) {
  Client client(Config());
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      while (!stop) {
        const Status status = Random(client);
        EXPECT_TRUE(status.ok()) << status.error().Text();
      }
    });
  }
  EXPECT_TRUE(Eventually([&] { return a_->handler.Count(Op::kRandom) > 100; }));
  a_->sessions().drain().Begin();
  EXPECT_TRUE(Deserted(*a_));
  a_.reset();
  EXPECT_TRUE(Eventually([&] { return b_->handler.Count(Op::kRandom) > 100; }));
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

TEST_F(DrainTest, WhoComesMeanwhileGoesElsewhereAtOnce) {
  a_->sessions().drain().Begin();
  Client client(Config());
  EXPECT_TRUE(client.Call<Op::kCreateToken>(wire::CreateTokenRequest()).ok());
  EXPECT_EQ(a_->handler.Count(Op::kAttest), 0U);
  EXPECT_EQ(a_->handler.Count(Op::kCreateToken), 0U);
}

TEST_F(DrainTest, ADrainedMemberWillDoWhereThereIsNoOther) {
  Client client(Config());
  ASSERT_TRUE(Random(client).ok());
  b_.reset();
  a_->sessions().drain().Begin();
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(Random(client).ok());
  Client another(Config());
  EXPECT_TRUE(Random(another).ok());
  EXPECT_EQ(client.stats().moves, 0U);
}

TEST_F(DrainTest, WhoHasOneEndpointIsServedAsBefore) {
  Client client(folder_.ClientConfig("unix:" + folder_.File("a")));
  ASSERT_TRUE(Random(client).ok());
  a_->sessions().drain().Begin();
  EXPECT_EQ(a_->sessions().drain().movable, 0U);
  a_->clock.AdvanceSteady(10);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(Random(client).ok());
  EXPECT_EQ(client.stats().connections, 1U);
}

// Nobody in the process would read a notice: there is no thread of ours.
TEST_F(DrainTest, IdleConnectionsAreClosedAndMissedByNobody) {
  Client client(Config());
  ASSERT_TRUE(Random(client).ok());
  a_->sessions().drain().Begin();
  a_->clock.AdvanceSteady(2);
  EXPECT_TRUE(Deserted(*a_));
  EXPECT_TRUE(client.Call<Op::kCreateToken>(wire::CreateTokenRequest()).ok());
  EXPECT_EQ(a_->handler.Count(Op::kCreateToken) + b_->handler.Count(Op::kCreateToken), 1U);
}

TEST_F(DrainTest, ItComesBackToTheMemberThatItPrefers) {
  Client client(Config());
  ASSERT_TRUE(Random(client).ok());
  a_->sessions().drain().Begin();
  ASSERT_TRUE(MovesAway(client));
  a_->sessions().drain().End();
  EXPECT_TRUE(MovesAway(client, 2));
  const uint64_t before = a_->handler.Count(Op::kRandom);
  EXPECT_TRUE(Random(client).ok());
  EXPECT_EQ(a_->handler.Count(Op::kRandom), before + 1);
}

// The session there is the one of before; what was given up meanwhile must not be in it.
TEST_F(DrainTest, ALogoutElsewhereHoldsOnReturn) {
  Client client(Config());
  ASSERT_TRUE(client.Login(kToken, LoginState::kUser, SecretBytes::CopyOf(AsBytes(kPin))).ok());
  a_->sessions().drain().Begin();
  ASSERT_TRUE(MovesAway(client));
  EXPECT_TRUE(client.Call<Op::kListTokens>({}).ok()) << "the login has gone along";
  ASSERT_TRUE(client.Logout(kToken).ok());
  a_->sessions().drain().End();
  ASSERT_TRUE(MovesAway(client, 2));
  EXPECT_EQ(client.Call<Op::kListTokens>({}).code(), Code::kNotLoggedIn);
}

TEST_F(DrainTest, SessionObjectsHoldTheProcessWhereTheyAre) {
  Client client(Config());
  const auto made = client.Call<Op::kCreateObject>({});
  ASSERT_TRUE(made.ok()) << made.error().Text();
  const uint64_t generation = client.generation();
  a_->sessions().drain().Begin();
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(Random(client).ok());
  a_->clock.AdvanceSteady(2);  // its idle connections are closed
  EXPECT_TRUE(Deserted(*a_));
  EXPECT_TRUE(Random(client).ok());
  EXPECT_EQ(client.generation(), generation);
  EXPECT_EQ(b_->handler.Count(Op::kHello), 0U);
  wire::DestroyObjectRequest destroy;
  destroy.object.id = made->object.id;
  ASSERT_TRUE(client.Call<Op::kDestroyObject>(destroy).ok());
  EXPECT_TRUE(MovesAway(client));
}

TEST_F(DrainTest, TokenObjectsHoldNobody) {
  Client client(Config());
  wire::CreateObjectRequest request;
  request.attributes.SetBool(CKA_TOKEN, true);
  ASSERT_TRUE(client.Call<Op::kCreateObject>(request).ok());
  a_->sessions().drain().Begin();
  EXPECT_TRUE(MovesAway(client));
}

// A member that accepts and says nothing: whoever has a home that serves does not wait for it.
TEST_F(DrainTest, NobodyWaitsForAMemberThatDoesNotAnswer) {
  b_.reset();
  Fd silent(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto address = wire::SocketAddress::Unix(folder_.File("b"));
  ASSERT_EQ(::bind(silent.get(), address.get(), address.size()), 0);
  ASSERT_EQ(::listen(silent.get(), 16), 0);
  Client client(Config("max_connections: 1\ndeadline: 60s\n"));
  ASSERT_TRUE(Random(client).ok());
  a_->sessions().drain().Begin();
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(Random(client).ok());
  EXPECT_EQ(client.stats().moves, 0U);
}

}  // namespace
}  // namespace keyclave::test
