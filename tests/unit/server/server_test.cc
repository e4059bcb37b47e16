// Many requests, many connections, slow ones and greedy ones.
#include "enclave/server/server.h"

#include <gtest/gtest.h>

#include "enclave/server/server_connection.h"
#include "tests/fakes/fake_daemon.h"
#include "tests/fakes/raw_peer.h"

namespace keyclave::test {
namespace {

using wire::Op;

Bytes Hello(uint64_t id) {
  return wire::BuildRequest(id, Op::kHello, Encode(wire::HelloRequest()));
}
Bytes Random(uint64_t id, uint64_t size = 16) {
  return wire::BuildRequest(id, Op::kRandom, Encode(wire::RandomRequest{size, std::nullopt}));
}
Bytes Slow(uint64_t id) {
  return wire::BuildRequest(id, Op::kVerify, Encode(wire::VerifyRequest()));
}
void Append(Bytes& to, const Bytes& more) { to.insert(to.end(), more.begin(), more.end()); }

class ServerTest : public ::testing::Test {
 protected:
  explicit ServerTest(FakeDaemon::Options options = {.workers = 1}) : daemon_(folder_, options) {
    EXPECT_TRUE(daemon_.started.ok()) << daemon_.started.error().Text();
    daemon_.handler.demand_evidence = false;
  }
  RawPeer Connect() {
    RawPeer peer = RawPeer::Client(folder_.Socket());
    EXPECT_TRUE(peer.Handshake());
    EXPECT_TRUE(peer.Send(Hello(1)));
    EXPECT_TRUE(peer.Answer<Op::kHello>().has_value());
    return peer;
  }
  static uint64_t NextId(RawPeer& peer) {
    const auto received = peer.Receive();
    return received.has_value() ? received->id : 0;
  }

  const TestFolder folder_;
  FakeDaemon daemon_;
};

TEST_F(ServerTest, AnswersManyRequestsOfOneWrite) {
  RawPeer peer = Connect();
  Bytes all;
  for (uint64_t id = 10; id < 210; ++id) Append(all, Random(id));
  ASSERT_TRUE(peer.Send(all));
  std::set<uint64_t> ids;
  for (int i = 0; i < 200; ++i) ids.insert(NextId(peer));
  EXPECT_EQ(ids.size(), 200U);
  EXPECT_EQ(*ids.begin(), 10U);
  EXPECT_EQ(*ids.rbegin(), 209U);
}

TEST_F(ServerTest, AnswersARequestThatComesByteByByte) {
  RawPeer peer = Connect();
  for (const uint8_t byte : Random(7)) ASSERT_TRUE(peer.Send(ByteSpan(&byte, 1)));
  EXPECT_EQ(NextId(peer), 7U);
}

TEST_F(ServerTest, HelloAndTheFirstRequestsMayComeTogether) {
  RawPeer peer = RawPeer::Client(folder_.Socket());
  ASSERT_TRUE(peer.Handshake());
  Bytes all = Hello(1);
  Append(all, Random(2));
  Append(all, Random(3));
  ASSERT_TRUE(peer.Send(all));
  EXPECT_EQ(NextId(peer), 1U);
  EXPECT_EQ(NextId(peer), 2U);
  EXPECT_EQ(NextId(peer), 3U);
}

// Replies that are worked out together come all the same: to the one who asked, under its numbers,
// beside others.
TEST_F(ServerTest, RepliesOfABatchReachThoseWhoAsked) {
  daemon_.handler.signatures_join = true;
  std::vector<RawPeer> peers;
  for (int i = 0; i < 5; ++i) peers.push_back(Connect());
  for (RawPeer& peer : peers) {
    Bytes all;
    for (const uint64_t id : {11U, 12U, 13U})
      Append(all, wire::BuildRequest(id, Op::kSign, Encode(wire::SignRequest())));
    Append(all, Random(14));
    ASSERT_TRUE(peer.Send(all));
  }
  for (RawPeer& peer : peers) {
    std::multiset<uint64_t> ids;
    for (int i = 0; i < 4; ++i) ids.insert(NextId(peer));
    EXPECT_EQ(ids, (std::multiset<uint64_t>{11, 12, 13, 14}));
  }
}

TEST_F(ServerTest, AFastRequestOvertakesASlowOne) {
  daemon_.handler.SetGate(false);
  RawPeer peer = Connect();
  Bytes all = Slow(2);
  Append(all, Random(3));
  ASSERT_TRUE(peer.Send(all));
  EXPECT_EQ(NextId(peer), 3U);
  daemon_.handler.SetGate(true);
  EXPECT_EQ(NextId(peer), 2U);
}

TEST_F(ServerTest, ASlowRequestHoldsUpNobodyElse) {
  daemon_.handler.SetGate(false);
  RawPeer slow = Connect();
  ASSERT_TRUE(slow.Send(Slow(2)));
  RawPeer other = Connect();
  ASSERT_TRUE(other.Send(Random(3)));
  EXPECT_EQ(NextId(other), 3U);
  daemon_.handler.SetGate(true);
  EXPECT_EQ(NextId(slow), 2U);
}

TEST_F(ServerTest, SlowRequestsOfOneConnectionRunOneAfterTheOther) {
  daemon_.handler.SetGate(false);
  RawPeer peer = Connect();
  Bytes all;
  for (uint64_t id = 2; id < 7; ++id) Append(all, Slow(id));
  Append(all, Random(9));
  ASSERT_TRUE(peer.Send(all));
  EXPECT_EQ(NextId(peer), 9U);
  ASSERT_TRUE(Eventually([&] { return daemon_.handler.Count(Op::kVerify) == 1; }));
  RawPeer other = Connect();
  EXPECT_EQ(daemon_.handler.Count(Op::kVerify), 1U);
  daemon_.handler.SetGate(true);
  for (uint64_t id = 2; id < 7; ++id) EXPECT_EQ(NextId(peer), id);
}

TEST_F(ServerTest, AHelloWaitsForTheSlowRequestBeforeIt) {
  daemon_.handler.SetGate(false);
  RawPeer peer = Connect();
  Bytes all = Slow(2);
  Append(all, Hello(3));
  Append(all, Random(4));
  ASSERT_TRUE(peer.Send(all));
  ASSERT_TRUE(Eventually([&] { return daemon_.handler.Count(Op::kVerify) == 1; }));
  RawPeer other = Connect();  // the worker had its turn meanwhile
  EXPECT_EQ(daemon_.handler.Count(Op::kHello), 2U);
  daemon_.handler.SetGate(true);
  EXPECT_EQ(NextId(peer), 2U);
  EXPECT_EQ(NextId(peer), 3U);
  EXPECT_EQ(NextId(peer), 4U);
}

TEST_F(ServerTest, TooManyRequestsInFlightAreRefusedOneByOne) {
  daemon_.handler.SetGate(false);
  RawPeer peer = Connect();
  Bytes all;
  for (uint64_t id = 100; id < 166; ++id) Append(all, Slow(id));  // the limit is 64
  ASSERT_TRUE(peer.Send(all));
  for (const uint64_t id : {uint64_t{164}, uint64_t{165}}) {
    const auto received = peer.Receive();
    ASSERT_TRUE(received.has_value());
    EXPECT_EQ(received->id, id);
    EXPECT_EQ(wire::ParseReply(received->body)->code,
              static_cast<uint64_t>(Code::kTooManyRequests));
  }
  daemon_.handler.SetGate(true);
  for (uint64_t id = 100; id < 164; ++id) EXPECT_EQ(NextId(peer), id);
}

TEST_F(ServerTest, ACallerThatVanishesDuringASlowRequestIsForgotten) {
  daemon_.handler.SetGate(false);
  {
    RawPeer peer = Connect();
    ASSERT_TRUE(peer.Send(Slow(2)));
    ASSERT_TRUE(Eventually([&] { return daemon_.handler.Count(Op::kVerify) == 1; }));
  }
  EXPECT_TRUE(Eventually([&] { return daemon_.server->stats().connections == 0; }));
  EXPECT_EQ(daemon_.sessions().size(), 1U);
  daemon_.clock.AdvanceSteady(100);
  daemon_.sessions().Sweep();
  EXPECT_EQ(daemon_.sessions().size(), 1U) << "the request in progress still uses it";
  daemon_.handler.SetGate(true);
  EXPECT_TRUE(Eventually([&] {
    daemon_.clock.AdvanceSteady(100);
    daemon_.sessions().Sweep();
    return daemon_.sessions().size() == 0;
  }));
  RawPeer next = Connect();
}

// Asks for a hundred mebibytes and reads nothing: the server stops reading from it, keeps a bounded
// queue, and serves the others.
TEST_F(ServerTest, ACallerThatDoesNotReadCostsABoundedQueue) {
  RawPeer greedy = Connect();
  constexpr uint64_t kRequests = 200;
  constexpr uint64_t kSize = 500'000;
  std::thread sender([&] {
    Bytes all;
    for (uint64_t id = 1000; id < 1000 + kRequests; ++id) Append(all, Random(id, kSize));
    EXPECT_TRUE(greedy.Send(all));
  });
  sender.join();
  ASSERT_TRUE(Eventually([&] { return daemon_.handler.Count(Op::kRandom) > 0; }));
  for (int i = 0; i < 20; ++i) {
    RawPeer other = Connect();
    ASSERT_TRUE(other.Send(Random(3)));
    EXPECT_EQ(NextId(other), 3U);
  }
  const uint64_t answered = daemon_.handler.Count(Op::kRandom) - 20;
  EXPECT_LE(answered * kSize, server::kMaxQueue + 4 * kSize) << "the queue and the socket's buffer";
  for (uint64_t id = 1000; id < 1000 + kRequests; ++id) ASSERT_EQ(NextId(greedy), id);
}

TEST_F(ServerTest, StopAnswersWhatWasRead) {
  daemon_.handler.SetGate(false);
  RawPeer peer = Connect();
  ASSERT_TRUE(peer.Send(Slow(2)));
  ASSERT_TRUE(Eventually([&] { return daemon_.handler.Count(Op::kVerify) == 1; }));
  std::thread stopper([&] { daemon_.server->Stop(); });
  ASSERT_TRUE(Eventually([&] { return !ConnectUnix(folder_.Socket()).ok(); })) << "nobody new";
  daemon_.handler.SetGate(true);
  EXPECT_EQ(NextId(peer), 2U);
  EXPECT_TRUE(peer.Ends());
  stopper.join();
  EXPECT_FALSE(std::filesystem::exists(folder_.Socket()));
  daemon_.server->Stop();
}

TEST_F(ServerTest, ManyConnectionsSpreadAndAllAreServed) {
  std::vector<RawPeer> peers;
  for (int i = 0; i < 60; ++i) peers.push_back(Connect());
  for (RawPeer& peer : peers) ASSERT_TRUE(peer.Send(Random(5)));
  for (RawPeer& peer : peers) EXPECT_EQ(NextId(peer), 5U);
  EXPECT_EQ(daemon_.server->stats().connections, 60U);
  peers.clear();
  EXPECT_TRUE(Eventually([&] { return daemon_.server->stats().connections == 0; }));
}

TEST_F(ServerTest, TellsItsKey) {
  RawPeer peer = Connect();
  EXPECT_EQ(peer.binding().peer_spki, daemon_.server->server_spki());
}

}  // namespace
}  // namespace keyclave::test
