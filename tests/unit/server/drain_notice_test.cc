// What a daemon that is drained says on its connections, and to whom.
#include <gtest/gtest.h>

#include "tests/fakes/fake_daemon.h"
#include "tests/fakes/raw_peer.h"

namespace keyclave::test {
namespace {

using wire::Op;

class DrainNoticeTest : public ::testing::Test {
 protected:
  DrainNoticeTest() { daemon_.handler.demand_evidence = false; }

  RawPeer Connect(std::optional<bool> can_move) {
    RawPeer peer = RawPeer::Client(folder_.Socket());
    EXPECT_TRUE(peer.Handshake());
    EXPECT_TRUE(peer.Ask<Op::kHello>(1, {.can_move = can_move}));
    hello_ = peer.Answer<Op::kHello>();
    EXPECT_TRUE(hello_.has_value());
    return peer;
  }
  // The ids of what answers a request, up to its reply.
  static std::vector<uint64_t> Ask(RawPeer& peer, uint64_t id) {
    EXPECT_TRUE(peer.Ask<Op::kRandom>(id, {16, std::nullopt}));
    std::vector<uint64_t> ids;
    while (ids.empty() || ids.back() == 0) {
      const auto received = peer.Receive();
      if (!received.has_value()) break;
      const auto body = wire::ParseReply(received->body);
      EXPECT_EQ(body->code, received->id == 0 ? static_cast<uint64_t>(wire::Notice::kDrain) : 0U);
      ids.push_back(received->id);
    }
    return ids;
  }
  session::Drain& drain() { return daemon_.sessions().drain(); }

  const TestFolder folder_;
  FakeDaemon daemon_{folder_};
  std::optional<wire::HelloReply> hello_;
};

using Ids = std::vector<uint64_t>;

TEST_F(DrainNoticeTest, IsSaidOncePerDrainBeforeAReply) {
  RawPeer peer = Connect(true);
  EXPECT_FALSE(hello_->draining.has_value());
  EXPECT_EQ(Ask(peer, 2), (Ids{2}));
  drain().Begin();
  EXPECT_EQ(Ask(peer, 3), (Ids{0, 3}));
  EXPECT_EQ(Ask(peer, 4), (Ids{4}));
  drain().Begin();
  EXPECT_EQ(Ask(peer, 5), (Ids{5})) << "it had begun";
  drain().End();
  EXPECT_EQ(Ask(peer, 6), (Ids{6}));
  drain().Begin();
  EXPECT_EQ(Ask(peer, 7), (Ids{0, 7}));
}

TEST_F(DrainNoticeTest, IsSaidInHelloToWhomeverComes) {
  drain().Begin();
  RawPeer peer = Connect(true);
  EXPECT_EQ(hello_->draining, true);
  EXPECT_EQ(Ask(peer, 2), (Ids{2})) << "and not again";
}

TEST_F(DrainNoticeTest, IsSaidToNobodyWhoCannotMove) {
  RawPeer silent = Connect(std::nullopt);
  RawPeer fixed = Connect(false);
  EXPECT_EQ(drain().movable, 0U);
  drain().Begin();
  EXPECT_EQ(Ask(silent, 2), (Ids{2}));
  EXPECT_EQ(Ask(fixed, 2), (Ids{2}));
  const RawPeer another = Connect(std::nullopt);
  EXPECT_FALSE(hello_->draining.has_value());
  daemon_.clock.AdvanceSteady(10);
  EXPECT_EQ(Ask(silent, 3), (Ids{3})) << "and it is not closed";
}

TEST_F(DrainNoticeTest, ConnectionsOfThoseWhoCanMoveAreCounted) {
  {
    const RawPeer one = Connect(true);
    const RawPeer two = Connect(true);
    EXPECT_EQ(drain().movable, 2U);
  }
  EXPECT_TRUE(Eventually([&] { return drain().movable == 0; }));
}

TEST_F(DrainNoticeTest, WhatLiesIdleIsClosedProperly) {
  RawPeer peer = Connect(true);
  daemon_.clock.AdvanceSteady(10);
  EXPECT_EQ(Ask(peer, 2), (Ids{2})) << "not without a drain";
  drain().Begin();
  daemon_.clock.AdvanceSteady(10);
  EXPECT_TRUE(peer.Ends());
  EXPECT_TRUE(Eventually([&] { return drain().movable == 0; }));
}

TEST_F(DrainNoticeTest, ARequestInProgressIsAnsweredFirst) {
  RawPeer peer = Connect(true);
  daemon_.handler.SetGate(false);
  ASSERT_TRUE(peer.Ask<Op::kVerify>(2, {}));
  ASSERT_TRUE(Eventually([&] { return daemon_.handler.Count(Op::kVerify) == 1; }));
  drain().Begin();
  daemon_.clock.AdvanceSteady(10);
  EXPECT_EQ(Ask(peer, 3), (Ids{0, 3}));
  daemon_.handler.SetGate(true);
  const auto received = peer.Receive();
  ASSERT_TRUE(received.has_value());
  EXPECT_EQ(received->id, 2U);
}

}  // namespace
}  // namespace keyclave::test
