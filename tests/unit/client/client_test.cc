#include "enclave/client/client.h"

#include <gtest/gtest.h>
#include <sys/un.h>

#include "tests/fakes/fake_daemon.h"
#include "tests/fakes/raw_peer.h"

namespace keyclave::test {
namespace {

using client::Client;
using wire::Op;

Bytes Input(size_t size, uint8_t value) { return Bytes(size, value); }

Result<Bytes> Sign(Client& client, Bytes input) {
  wire::SignRequest request;
  request.key.label = "key";
  request.mechanism.type = CKM_ECDSA;
  request.input = std::move(input);
  KC_ASSIGN(wire::OutputReply reply, client.Call<Op::kSign>(request));
  return std::move(reply.output);
}

TEST(Client, SignsOverAUnixSocket) {
  const TestFolder folder;
  FakeDaemon daemon(folder);
  ASSERT_TRUE(daemon.started.ok()) << daemon.started.error().Text();
  Client client(folder.ClientConfig());
  const auto output = Sign(client, Input(32, 9));
  ASSERT_TRUE(output.ok()) << output.error().Text();
  EXPECT_EQ(*output, Input(32, 9));
  EXPECT_EQ(client.epoch(), FakeHandler::kEpoch);
}

TEST(Client, SignsOverTcp) {
  const TestFolder folder;
  FakeDaemon daemon(folder, {.listen = {"tcp:127.0.0.1:0"}});
  ASSERT_TRUE(daemon.started.ok()) << daemon.started.error().Text();
  Client client(folder.ClientConfig("tcp:127.0.0.1:" + std::to_string(daemon.server->port())));
  const auto output = Sign(client, Input(32, 9));
  ASSERT_TRUE(output.ok()) << output.error().Text();
}

TEST(Client, OneConnectionOneAttestationManyRequests) {
  const TestFolder folder;
  FakeDaemon daemon(folder);
  Client client(folder.ClientConfig());
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(Sign(client, Input(32, 1)).ok());
  EXPECT_EQ(client.stats().connections, 1U);
  EXPECT_EQ(client.stats().attestations, 1U);
  EXPECT_EQ(client.stats().requests, 20U);
  EXPECT_EQ(daemon.handler.Count(Op::kHello), 1U);
}

TEST(Client, CarriesTheLargestMessages) {
  const TestFolder folder;
  FakeDaemon daemon(folder);
  Client client(folder.ClientConfig());
  const Bytes input = Input(wire::kMaxField, 3);
  const auto output = Sign(client, input);
  ASSERT_TRUE(output.ok()) << output.error().Text();
  EXPECT_TRUE(*output == input);
  EXPECT_FALSE(Sign(client, Input(wire::kMaxField + 1, 3)).ok());
  EXPECT_TRUE(Sign(client, Input(5, 3)).ok());
}

TEST(Client, SixteenThreadsShareOneAttestation) {
  const TestFolder folder;
  FakeDaemon daemon(folder);
  Client client(folder.ClientConfig("unix:" + folder.Socket(), "max_connections: 8\n"));
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (uint8_t t = 0; t < 16; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        const auto output = Sign(client, Input(32, t));
        if (output.ok() && *output == Input(32, t)) ++good;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 16 * 50);
  EXPECT_EQ(client.stats().attestations, 1U);
  EXPECT_LE(client.stats().connections, 8U);
  EXPECT_EQ(daemon.handler.callers().size(), 1U);
}

TEST(Client, WaitersGetTheConnectionThatBecomesFree) {
  const TestFolder folder;
  FakeDaemon daemon(folder);
  daemon.handler.SetGate(false);
  Client client(folder.ClientConfig("unix:" + folder.Socket(), "max_connections: 1\n"));
  std::thread holder([&] { EXPECT_TRUE(client.Call<Op::kVerify>({}).ok()); });
  ASSERT_TRUE(Eventually([&] { return daemon.handler.Count(Op::kVerify) == 1; }));
  std::thread waiter([&] { EXPECT_TRUE(Sign(client, Input(1, 1)).ok()); });
  daemon.handler.SetGate(true);
  holder.join();
  waiter.join();
  EXPECT_EQ(client.stats().connections, 1U);
}

TEST(Client, AWaiterGivesUpAtItsDeadline) {
  const TestFolder folder;
  FakeDaemon daemon(folder);
  daemon.handler.SetGate(false);
  Client client(
      folder.ClientConfig("unix:" + folder.Socket(), "max_connections: 1\ndeadline: 1s\n"));
  // An operation of a longer deadline holds the only connection.
  std::thread holder([&] { EXPECT_TRUE(client.Call<Op::kDeleteToken>({}).ok()); });
  ASSERT_TRUE(Eventually([&] { return daemon.handler.Count(Op::kDeleteToken) == 1; }));
  EXPECT_EQ(Sign(client, Input(1, 1)).code(), Code::kDeadline);
  daemon.handler.SetGate(true);
  holder.join();
}

TEST(Client, RefusalsCarryTheirCode) {
  const TestFolder folder;
  FakeDaemon daemon(folder);
  Client client(folder.ClientConfig());
  daemon.handler.RefuseNext(Op::kSign, Code::kMechanismDenied);
  const auto output = Sign(client, Input(1, 1));
  ASSERT_FALSE(output.ok());
  EXPECT_EQ(output.code(), Code::kMechanismDenied);
  EXPECT_NE(output.error().Text().find("as told"), std::string::npos);
  EXPECT_TRUE(Sign(client, Input(1, 1)).ok()) << "the connection goes on";
  EXPECT_EQ(client.stats().connections, 1U);
}

TEST(Client, RenewsEvidenceThatTheEnclaveCallsExpired) {
  const TestFolder folder;
  FakeDaemon daemon(folder);
  Client client(folder.ClientConfig());
  ASSERT_TRUE(Sign(client, Input(1, 1)).ok());
  for (const Code code : {Code::kEvidenceExpired, Code::kUnknownSession, Code::kNotAttested}) {
    const uint64_t before = client.stats().attestations;
    daemon.handler.RefuseNext(Op::kSign, code);
    EXPECT_TRUE(Sign(client, Input(1, 1)).ok());
    EXPECT_EQ(client.stats().attestations, before + 1);
  }
}

TEST(Client, RenewsOnlyOncePerCall) {
  const TestFolder folder;
  FakeDaemon daemon(folder, {.evidence_max_age = 0});
  Client client(folder.ClientConfig());
  EXPECT_EQ(Sign(client, Input(1, 1)).code(), Code::kNotAttested);
  EXPECT_EQ(daemon.handler.Count(Op::kSign), 2U);
}

TEST(Client, RenewsBeforeExpiryWithinTheCall) {
  const TestFolder folder;
  FakeDaemon daemon(folder, {.evidence_max_age = 2});
  Client client(folder.ClientConfig());
  ASSERT_TRUE(Sign(client, Input(1, 1)).ok());
  ASSERT_TRUE(Eventually([&] {
    EXPECT_TRUE(Sign(client, Input(1, 1)).ok());
    return client.stats().attestations >= 3;
  }));
  EXPECT_EQ(client.stats().connections, 1U);
}

TEST(Client, WithoutEvidenceNothingIsAttested) {
  const TestFolder folder;
  FakeDaemon daemon(folder);
  Client client(folder.ClientConfig("unix:" + folder.Socket(), {}, "none"));
  EXPECT_EQ(Sign(client, Input(1, 1)).code(), Code::kNotAttested);
  daemon.handler.demand_evidence = false;
  EXPECT_TRUE(Sign(client, Input(1, 1)).ok());
  EXPECT_EQ(daemon.handler.Count(Op::kAttest), 0U);
}

TEST(Client, TellsWhatTheEnclaveProved) {
  const TestFolder folder;
  FakeDaemon daemon(folder);
  Client client(folder.ClientConfig());
  const auto claims = client.EnclaveClaims();
  ASSERT_TRUE(claims.ok()) << claims.error().Text();
  ASSERT_NE(claims->Find("tee"), nullptr);
  EXPECT_EQ(attest::ToText(claims->Find("tee")->value), "simulated");
  EXPECT_EQ(client.stats().connections, 1U);
}

// A genuine enclave, but not the one whose id is pinned.
TEST(Client, RefusesAnotherEnclaveThanThePinnedOne) {
  const TestFolder folder;
  FakeDaemon daemon(folder);
  client::ClientConfig config = folder.ClientConfig();
  config.enclave_id = "another-enclave";
  Client pinned(config);
  const auto refused = Sign(pinned, Input(32, 9));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.code(), Code::kEnclaveRefused);
  EXPECT_NE(refused.error().Text().find("wanted another-enclave"), std::string::npos)
      << refused.error().Text();
  EXPECT_EQ(daemon.handler.Count(Op::kSign), 0U);
  config.enclave_id = "test-enclave";
  Client right(config);
  EXPECT_TRUE(Sign(right, Input(32, 9)).ok());
}

// A URI's pin: nothing but the handshake reaches an enclave of another measurement.
TEST(Client, SendsNothingToAnEnclaveOfAnotherMeasurement) {
  const TestFolder folder;
  FakeDaemon daemon(folder);
  Client client(folder.ClientConfig());
  wire::SignRequest request;
  request.key.label = "key";
  request.mechanism.type = CKM_ECDSA;
  request.input = Input(32, 9);
  const auto refused = client.Call<Op::kSign>(request, std::string(64, 'a'));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.code(), Code::kEnclaveRefused);
  EXPECT_NE(refused.error().Text().find("measurement"), std::string::npos);
  EXPECT_EQ(daemon.handler.Count(Op::kSign), 0U);
  const auto claims = client.EnclaveClaims();
  ASSERT_TRUE(claims.ok());
  const std::string right = attest::ToText(claims->Find("measurement")->value);
  EXPECT_TRUE(client.Call<Op::kSign>(request, right).ok());
}

TEST(Client, ASessionLimitIsTold) {
  const TestFolder folder;
  FakeDaemon daemon(folder, {.sessions = {.max_sessions = 1}});
  Client first(folder.ClientConfig());
  ASSERT_TRUE(Sign(first, Input(1, 1)).ok());
  Client second(folder.ClientConfig());
  EXPECT_EQ(Sign(second, Input(1, 1)).code(), Code::kTooManyConnections);
}

TEST(Client, NothingUsesTheStandardStreams) {
  const TestFolder folder;
  FakeDaemon daemon(folder);
  Client client(folder.ClientConfig());
  const int saved = ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 10);
  ::close(STDIN_FILENO);
  EXPECT_TRUE(Sign(client, Input(1, 1)).ok());
  EXPECT_EQ(::fcntl(STDIN_FILENO, F_GETFD), -1) << "0 must stay free";
  ::dup2(saved, STDIN_FILENO);
  ::close(saved);
}

// Daemons close every descriptor they know nothing of; what comes under the number later is not
// ours.
TEST(Client, SurvivesThatItsDescriptorIsTaken) {
  const TestFolder folder;
  FakeDaemon daemon(folder);
  const int lowest = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::close(lowest);  // the client's socket gets this number, or the daemon's does
  Client client(folder.ClientConfig());
  ASSERT_TRUE(Sign(client, Input(1, 1)).ok());
  std::vector<int> ours;
  for (int fd = 3; fd < 256; ++fd) {
    sockaddr_un name{};
    socklen_t size = sizeof(name);
    auto* address = static_cast<sockaddr*>(static_cast<void*>(&name));
    if (::getpeername(fd, address, &size) == 0 && name.sun_path == folder.Socket()) {
      ours.push_back(fd);
    }
  }
  ASSERT_EQ(ours.size(), 1U);
  SocketPair stranger;
  ASSERT_EQ(::dup2(stranger.first.get(), ours.front()), ours.front());
  EXPECT_TRUE(Sign(client, Input(1, 1)).ok());
  uint8_t byte = 0;
  EXPECT_EQ(::recv(stranger.second.get(), &byte, 1, MSG_DONTWAIT), -1)
      << "the stranger's socket got our bytes";
}

}  // namespace
}  // namespace keyclave::test
