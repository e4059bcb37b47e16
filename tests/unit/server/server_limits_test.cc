// What callers may cost: connections, time, bytes.
#include <gtest/gtest.h>

#include "enclave/base/log.h"
#include "tests/fakes/fake_daemon.h"
#include "tests/fakes/raw_peer.h"

namespace keyclave::test {
namespace {

using wire::Op;

bool SocketEnds(int fd) {
  uint8_t byte = 0;
  while (WaitReadable(fd)) {
    const ssize_t got = ::recv(fd, &byte, 1, MSG_DONTWAIT);
    if (got <= 0) return true;
  }
  return false;
}

class ServerLimitsTest : public ::testing::Test {
 protected:
  FakeDaemon& Start(FakeDaemon::Options options) {
    daemon_ = std::make_unique<FakeDaemon>(folder_, std::move(options));
    EXPECT_TRUE(daemon_->started.ok()) << daemon_->started.error().Text();
    daemon_->handler.demand_evidence = false;
    return *daemon_;
  }
  RawPeer Connect() {
    RawPeer peer = RawPeer::Client(folder_.Socket());
    EXPECT_TRUE(peer.Handshake());
    EXPECT_TRUE(peer.Ask<Op::kHello>(1, {}));
    EXPECT_TRUE(peer.Answer<Op::kHello>().has_value());
    return peer;
  }
  bool Serves() {
    RawPeer peer = Connect();
    return peer.Ask<Op::kRandom>(2, {16, std::nullopt}) && peer.AnswerCode() == Code{};
  }

  const TestFolder folder_;
  std::unique_ptr<FakeDaemon> daemon_;
};

TEST_F(ServerLimitsTest, ConnectionsAboveTheLimitAreClosedAtOnce) {
  FakeDaemon& daemon = Start({.limits = {.connections = 3}});
  std::vector<RawPeer> peers;
  for (int i = 0; i < 3; ++i) peers.push_back(Connect());
  const Fd fourth = ConnectUnix(folder_.Socket());
  EXPECT_TRUE(SocketEnds(fourth.get()));
  EXPECT_EQ(daemon.server->stats().refused, 1U);
  peers.pop_back();
  EXPECT_TRUE(Eventually([&] { return daemon.server->stats().connections == 2; }));
  EXPECT_TRUE(Serves());
}

TEST_F(ServerLimitsTest, TheLogSaysWhichLimitItWas) {
  static std::atomic<int> told{0};
  SetLogSink(
      [](LogLevel, std::string_view line) {
        told += line.find("limits: connections") != std::string_view::npos ? 1 : 0;
      },
      LogLevel::kWarning);
  FakeDaemon& daemon = Start({.limits = {.connections = 1}});
  const RawPeer peer = Connect();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(SocketEnds(ConnectUnix(folder_.Socket()).get()));
  daemon.clock.AdvanceSteady(10);  // the acceptor looks every few seconds
  EXPECT_TRUE(Eventually([] { return told > 0; }));
  SetLogSink(nullptr, LogLevel::kError);
  EXPECT_LE(told, 3);
}

TEST_F(ServerLimitsTest, SilenceBeforeTheHandshakeIsNotAwaited) {
  FakeDaemon& daemon = Start({});
  const Fd silent = ConnectUnix(folder_.Socket());
  ASSERT_TRUE(Eventually([&] { return daemon.server->stats().connections == 1; }));
  daemon.clock.AdvanceSteady(11);
  EXPECT_TRUE(SocketEnds(silent.get()));
}

TEST_F(ServerLimitsTest, SilenceBeforeHelloIsNotAwaited) {
  FakeDaemon& daemon = Start({});
  RawPeer peer = RawPeer::Client(folder_.Socket());
  ASSERT_TRUE(peer.Handshake());
  daemon.clock.AdvanceSteady(11);
  EXPECT_TRUE(peer.Ends());
}

TEST_F(ServerLimitsTest, HalfAFrameIsNotAwaited) {
  FakeDaemon& daemon = Start({});
  RawPeer peer = Connect();
  Bytes requests =
      wire::BuildRequest(2, Op::kRandom, Encode(wire::RandomRequest{16, std::nullopt}));
  const Bytes half = requests;
  requests.insert(requests.end(), half.begin(), half.end() - 1);
  ASSERT_TRUE(peer.Send(requests));
  EXPECT_EQ(peer.AnswerCode(), Code{}) << "so the half was read too";
  daemon.clock.AdvanceSteady(25);
  EXPECT_TRUE(Serves());
  daemon.clock.AdvanceSteady(10);
  EXPECT_TRUE(peer.Ends());
}

TEST_F(ServerLimitsTest, IdleConnectionsEnd) {
  FakeDaemon& daemon = Start({});
  RawPeer peer = Connect();
  daemon.clock.AdvanceSteady(3500);
  ASSERT_TRUE(peer.Ask<Op::kRandom>(2, {16, std::nullopt}));
  EXPECT_EQ(peer.AnswerCode(), Code{});
  daemon.clock.AdvanceSteady(3700);
  EXPECT_TRUE(peer.Ends());
}

TEST_F(ServerLimitsTest, ASlowRequestIsNotIdleness) {
  FakeDaemon& daemon = Start({});
  daemon.handler.SetGate(false);
  RawPeer peer = Connect();
  ASSERT_TRUE(peer.Ask<Op::kVerify>(2, {}));
  ASSERT_TRUE(Eventually([&] { return daemon.handler.Count(Op::kVerify) == 1; }));
  RawPeer idle = Connect();
  daemon.clock.AdvanceSteady(7200);
  EXPECT_TRUE(idle.Ends()) << "the limits were looked at";
  daemon.handler.SetGate(true);
  EXPECT_EQ(peer.AnswerCode(), Code{});
}

TEST_F(ServerLimitsTest, AFrameAboveTheLimitEndsTheConnection) {
  Start({});
  for (const uint32_t length : {uint32_t{wire::kMaxFrame + 1}, uint32_t{0}, uint32_t{8}}) {
    RawPeer peer = Connect();
    ByteWriter out;
    out.PutBe(length);
    out.PutBe(wire::kFrameVersion);
    ASSERT_TRUE(peer.Send(out.bytes()));
    EXPECT_TRUE(peer.Ends()) << length;
  }
  EXPECT_TRUE(Serves());
}

TEST_F(ServerLimitsTest, AnotherVersionEndsTheConnection) {
  Start({});
  RawPeer peer = Connect();
  ASSERT_TRUE(peer.Send(Bytes{0, 0, 0, 20, 2}));
  EXPECT_TRUE(peer.Ends());
}

TEST_F(ServerLimitsTest, TheLargestFrameIsServed) {
  Start({});
  RawPeer peer = Connect();
  wire::SignRequest request;
  request.input = Bytes(wire::kMaxField, 0x11);
  ASSERT_TRUE(peer.Ask<Op::kSign>(2, request));
  const auto reply = peer.Answer<Op::kSign>();
  ASSERT_TRUE(reply.has_value());
  EXPECT_TRUE(reply->output == request.input);
}

TEST_F(ServerLimitsTest, NothingLargeComesBeforeHello) {
  Start({});
  RawPeer peer = RawPeer::Client(folder_.Socket());
  ASSERT_TRUE(peer.Handshake());
  ByteWriter out;
  out.PutBe(uint32_t{1'000'000});
  out.PutBe(wire::kFrameVersion);
  out.Put(Bytes(10'000, 0));
  ASSERT_TRUE(peer.Send(out.bytes()));
  EXPECT_TRUE(peer.Ends());
}

TEST_F(ServerLimitsTest, GarbageInsteadOfTlsIsClosed) {
  FakeDaemon& daemon = Start({});
  for (int i = 0; i < 20; ++i) {
    const Fd socket = ConnectUnix(folder_.Socket());
    const auto garbage = RandomArray<100>();
    ASSERT_EQ(::send(socket.get(), garbage.data(), garbage.size(), MSG_NOSIGNAL), 100);
    ::shutdown(socket.get(), SHUT_WR);
    EXPECT_TRUE(SocketEnds(socket.get()));
  }
  EXPECT_TRUE(Eventually([&] { return daemon.server->stats().connections == 0; }));
  EXPECT_TRUE(Serves());
}

}  // namespace
}  // namespace keyclave::test
