// Whoever listens on the enclave's address and is not the enclave hears a Hello and nothing more.
#include <gtest/gtest.h>

#include "tests/fakes/fake_daemon.h"
#include "tests/fakes/fake_tee.h"
#include "tests/fakes/raw_peer.h"

namespace keyclave::test {
namespace {

using client::Client;
using wire::Op;

// Accepts connections one after the other and plays a script on each.
class HostileEnclave {
 public:
  using Script = std::function<void(RawPeer& caller)>;

  HostileEnclave(const std::string& path, Script script)
      : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)),
        identity_(wire::TlsIdentity::Create().value()),
        script_(std::move(script)) {
    ::unlink(path.c_str());  // of the enclave before
    const auto address = wire::SocketAddress::Unix(path);
    EXPECT_EQ(::bind(listener_.get(), address.get(), address.size()), 0);
    EXPECT_EQ(::listen(listener_.get(), 16), 0);
    thread_ = std::thread([this] { Run(); });
  }
  ~HostileEnclave() {
    stop_ = true;
    thread_.join();
  }

 private:
  void Run() {
    while (!stop_) {
      if (!WaitReadable(listener_.get(), 10ms)) continue;
      Fd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      RawPeer caller(wire::TlsEnd::kServer, std::move(socket), identity_);
      if (caller.Handshake()) script_(caller);
    }
  }

  Fd listener_;
  std::shared_ptr<const wire::TlsIdentity> identity_;
  Script script_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

// A Hello as it was received: its frame id and its fields.
struct Hello {
  uint64_t id = 0;
  wire::HelloRequest request;
};

std::optional<Hello> TakeHello(RawPeer& caller) {
  const auto received = caller.Receive();
  if (!received.has_value()) return std::nullopt;
  const auto body = wire::ParseRequest(received->body);
  if (!body.ok() || body->op != Op::kHello) return std::nullopt;
  const auto request = wire::Decode<wire::HelloRequest>(body->fields);
  if (!request.ok()) return std::nullopt;
  return Hello{received->id, *request};
}

attest::Binding EnclaveBinding(const RawPeer& caller, const ByteArray<32>& nonce) {
  return attest::Binding{.role = attest::Role::kEnclave,
                         .nonce = nonce,
                         .exporter = caller.binding().exporter,
                         .client_spki = caller.binding().peer_spki,
                         .server_spki = caller.own_spki(),
                         .audience = {},
                         .runtime_claims = {}};
}

Bytes Produce(const attest::Binding& binding, const TestFolder& folder) {
  return attest::FindTeeType("simulated")
      ->produce(ComputeReportData(binding), folder.Producer(), SystemClock().Now())
      .value();
}

wire::HelloReply HelloWith(std::optional<Bytes> evidence) {
  wire::HelloReply reply;
  reply.enclave_id = "test-enclave";
  reply.version = "1";
  reply.session = 1;
  if (evidence.has_value()) {
    reply.evidence_type = "simulated";
    reply.evidence = std::move(evidence);
    reply.runtime_claims = Bytes();
  }
  return reply;
}

class HostileEnclaveTest : public ::testing::Test {
 protected:
  // What a client says of an enclave that answers its Hello so; and whether it sent anything more.
  using Answer = std::function<Bytes(RawPeer& caller, const Hello& hello)>;
  Status Call(const Answer& answer, const std::string& more = "deadline: 5s\n") {
    return Call(answer, folder_.ClientConfig("unix:" + folder_.Socket(), more));
  }
  Status Call(const Answer& answer, client::ClientConfig config) {
    HostileEnclave enclave(folder_.Socket(), [&](RawPeer& caller) {
      const auto hello = TakeHello(caller);
      if (!hello.has_value() || !caller.Send(answer(caller, *hello))) return;
      heard_more_ = !caller.Ends();
    });
    Client client(std::move(config));
    Status status;
    const auto reply = client.Call<Op::kRandom>(wire::RandomRequest{16, std::nullopt});
    if (!reply.ok()) status = reply.error();
    return status;
  }
  // The same with evidence made over this binding.
  Status CallWithBinding(const std::function<void(attest::Binding&)>& change) {
    return Call([&](RawPeer& caller, const Hello& hello) {
      attest::Binding binding = EnclaveBinding(caller, hello.request.nonce);
      change(binding);
      return wire::BuildReply(hello.id, 1, Encode(HelloWith(Produce(binding, folder_))));
    });
  }
  void ExpectRefused(const Status& status) {
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.code(), Code::kEnclaveRefused) << status.error().Text();
    EXPECT_FALSE(heard_more_) << "something was sent to an enclave that proved nothing";
  }

  const TestFolder folder_;
  std::atomic<bool> heard_more_{false};
};

TEST_F(HostileEnclaveTest, TheRightEvidenceIsAccepted) {
  const Status status = CallWithBinding([](attest::Binding&) {});
  ASSERT_FALSE(status.ok()) << "this enclave answers nothing but Hello";
  EXPECT_NE(status.code(), Code::kEnclaveRefused) << status.error().Text();
  EXPECT_TRUE(heard_more_) << "the caller must go on with its Attest";
}

// lesson 39: what version an enclave runs is told, and stands in nobody's way; what must agree is
// the protocol's, in each frame.
TEST_F(HostileEnclaveTest, ATrueEnclaveOfAnotherVersionIsAccepted) {
  for (const char* version : {"0.0.1", "99.0-other", ""}) {
    const Status status = Call([&](RawPeer& caller, const Hello& hello) {
      wire::HelloReply reply =
          HelloWith(Produce(EnclaveBinding(caller, hello.request.nonce), folder_));
      reply.version = version;
      return wire::BuildReply(hello.id, 1, Encode(reply));
    });
    EXPECT_NE(status.code(), Code::kEnclaveRefused) << version;
    EXPECT_TRUE(heard_more_) << version;
    heard_more_ = false;
  }
}

TEST_F(HostileEnclaveTest, NoEvidence) {
  ExpectRefused(Call([](RawPeer&, const Hello& hello) {
    return wire::BuildReply(hello.id, 1, Encode(HelloWith(std::nullopt)));
  }));
}

TEST_F(HostileEnclaveTest, EvidenceThatIsNone) {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{1000}, attest::kMaxEvidence + 1}) {
    ExpectRefused(Call([&](RawPeer&, const Hello& hello) {
      return wire::BuildReply(hello.id, 1, Encode(HelloWith(Bytes(size, 0x55))));
    }));
    std::filesystem::remove(folder_.Socket());
  }
}

TEST_F(HostileEnclaveTest, EvidenceOfAnUnknownType) {
  ExpectRefused(Call([&](RawPeer& caller, const Hello& hello) {
    auto reply = HelloWith(Produce(EnclaveBinding(caller, hello.request.nonce), folder_));
    reply.evidence_type = "imaginary";
    return wire::BuildReply(hello.id, 1, Encode(reply));
  }));
}

TEST_F(HostileEnclaveTest, EvidenceUnderAnotherRoot) {
  const TestFolder foreign;
  ExpectRefused(Call([&](RawPeer& caller, const Hello& hello) {
    const Bytes evidence = Produce(EnclaveBinding(caller, hello.request.nonce), foreign);
    return wire::BuildReply(hello.id, 1, Encode(HelloWith(evidence)));
  }));
}

TEST_F(HostileEnclaveTest, EvidenceForAnotherNonce) {
  ExpectRefused(CallWithBinding([](attest::Binding& binding) { binding.nonce[0] ^= 1; }));
}

// lesson 8: a reply counts on the channel on which its sender proved itself, and there only.
TEST_F(HostileEnclaveTest, EvidenceForAnotherConnection) {
  ExpectRefused(CallWithBinding([](attest::Binding& binding) { binding.exporter[31] ^= 1; }));
}

TEST_F(HostileEnclaveTest, EvidenceForAnotherServerKey) {
  ExpectRefused(CallWithBinding([](attest::Binding& binding) { binding.server_spki[0] ^= 1; }));
}

TEST_F(HostileEnclaveTest, EvidenceForAnotherCaller) {
  ExpectRefused(CallWithBinding([](attest::Binding& binding) { binding.client_spki[0] ^= 1; }));
}

TEST_F(HostileEnclaveTest, EvidenceInTheCallersRole) {
  ExpectRefused(
      CallWithBinding([](attest::Binding& binding) { binding.role = attest::Role::kCaller; }));
}

TEST_F(HostileEnclaveTest, EvidenceForAnotherAudience) {
  ExpectRefused(CallWithBinding([](attest::Binding& binding) { binding.audience = "x"; }));
}

TEST_F(HostileEnclaveTest, RuntimeClaimsThatNobodyUnderstands) {
  ExpectRefused(Call([&](RawPeer& caller, const Hello& hello) {
    attest::Binding binding = EnclaveBinding(caller, hello.request.nonce);
    binding.runtime_claims = Bytes{0xa0};
    auto reply = HelloWith(Produce(binding, folder_));
    reply.runtime_claims = binding.runtime_claims;
    return wire::BuildReply(hello.id, 1, Encode(reply));
  }));
}

// A man in the middle: he has a TLS connection with the caller and one with the true enclave, and
// carries the caller's nonce there and the enclave's evidence back.
TEST_F(HostileEnclaveTest, EvidenceRelayedFromTheTrueEnclave) {
  FakeDaemon enclave(folder_, {.listen = {"unix:" + folder_.File("true.sock")}});
  ASSERT_TRUE(enclave.started.ok());
  ExpectRefused(Call([&](RawPeer&, const Hello& hello) {
    RawPeer inside = RawPeer::Client(folder_.File("true.sock"));
    EXPECT_TRUE(inside.Handshake());
    EXPECT_TRUE(inside.Ask<Op::kHello>(1, hello.request));
    const auto reply = inside.Answer<Op::kHello>();
    EXPECT_TRUE(reply.has_value() && reply->evidence.has_value());
    return wire::BuildReply(hello.id, 1, Encode(reply.value_or(wire::HelloReply())));
  }));
}

// An enclave on real hardware is judged by `expect` as a caller is by a policy.
TEST_F(HostileEnclaveTest, HardwareIsJudgedByExpect) {
  for (const std::string& type : {std::string("sgx"), std::string("tdx"), std::string("sev-snp"),
                                  std::string("nitro"), std::string("cca")}) {
    SCOPED_TRACE(type);
    const auto tee = FakeTee::Create(type);
    const auto judge = [&](const std::string& measurement, bool trusted, bool debug) {
      client::ClientConfig config = folder_.ClientConfig();
      const std::string expect =
          "{tee: {is: " + type + "}, measurement: {is: \"" + measurement + "\"}}";
      config.expect = attest::Expression::Parse(ParseYaml(expect, "expect").value()).value();
      attest::Trust trust = tee->OwnTrust();
      if (!trusted) {
        trust.roots.clear();
        trust.keys.clear();
      }
      config.trust = std::move(trust);
      heard_more_ = false;
      return Call(
          [&](RawPeer& caller, const Hello& hello) {
            const auto report_data = ComputeReportData(EnclaveBinding(caller, hello.request.nonce));
            wire::HelloReply reply =
                HelloWith(tee->Evidence(report_data, SystemClock().Now(), debug));
            reply.evidence_type = type;
            return wire::BuildReply(hello.id, 1, Encode(reply));
          },
          std::move(config));
    };
    EXPECT_NE(judge(tee->Measurement(), true, false).code(), Code::kEnclaveRefused);
    EXPECT_TRUE(heard_more_) << "the caller must go on with its Attest";
    const Status other = judge(std::string(96, '0'), true, false);
    ExpectRefused(other);
    EXPECT_NE(other.error().Text().find("measurement"), std::string::npos);
    ExpectRefused(judge(tee->Measurement(), false, false));
    ExpectRefused(judge(tee->MeasurementInDebug(), true, true));
  }
}

TEST_F(HostileEnclaveTest, AnEnclaveThatExpectDoesNotWant) {
  FakeDaemon daemon(folder_);
  client::ClientConfig config =
      client::ParseClientConfig(
          "endpoint: unix:" + folder_.Socket() + "\nexpect: {measurement: {is: \"" +
              std::string(64, '0') + "\"}}\nevidence: simulated\nsimulated: {key: " +
              folder_.File("root.key") + ", root: " + folder_.File("root.pub") + "}\n",
          "client.yaml")
          .value();
  Client client(std::move(config));
  const auto reply = client.Call<Op::kRandom>(wire::RandomRequest{16, std::nullopt});
  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.code(), Code::kEnclaveRefused);
  EXPECT_NE(reply.error().Text().find("measurement"), std::string::npos);
  EXPECT_EQ(daemon.handler.Count(Op::kAttest), 0U);
  EXPECT_EQ(daemon.handler.Count(Op::kRandom), 0U);
}

// lesson 8: and only as the answer to what was asked.
TEST_F(HostileEnclaveTest, AReplyToAnotherRequest) {
  const Status status = Call([](RawPeer&, const Hello& hello) {
    return wire::BuildReply(hello.id + 1, 1, Encode(HelloWith(std::nullopt)));
  });
  EXPECT_EQ(status.code(), Code::kReplyMismatch);
}

TEST_F(HostileEnclaveTest, TwoRepliesToOneRequest) {
  const Status status = Call([&](RawPeer& caller, const Hello& hello) {
    const Bytes evidence = Produce(EnclaveBinding(caller, hello.request.nonce), folder_);
    Bytes twice = wire::BuildReply(hello.id, 1, Encode(HelloWith(evidence)));
    const Bytes once = twice;
    twice.insert(twice.end(), once.begin(), once.end());
    return twice;
  });
  EXPECT_EQ(status.code(), Code::kReplyMismatch);
}

TEST_F(HostileEnclaveTest, RepliesThatAreNone) {
  const struct {
    Bytes bytes;
    Code code;
  } cases[] = {
      {Bytes{0xff, 0xff, 0xff, 0xff}, Code::kFrameTooLarge},
      {Bytes{0, 0, 0, 3}, Code::kTruncated},
      {Bytes{0, 0, 0, 9, 2}, Code::kBadVersion},
      {Bytes{0, 0, 0, 9, 1, 0, 0, 0, 0, 0, 0, 0, 1}, Code::kBadMessage},
  };
  for (const auto& one : cases) {
    EXPECT_EQ(Call([&](RawPeer&, const Hello&) { return one.bytes; }).code(), one.code);
    std::filesystem::remove(folder_.Socket());
  }
}

TEST_F(HostileEnclaveTest, TheStreamEndsInTheMiddleOfAReply) {
  HostileEnclave enclave(folder_.Socket(), [&](RawPeer& caller) {
    const auto hello = TakeHello(caller);
    if (!hello.has_value()) return;
    const Bytes evidence = Produce(EnclaveBinding(caller, hello->request.nonce), folder_);
    Bytes reply = wire::BuildReply(hello->id, 1, Encode(HelloWith(evidence)));
    reply.resize(reply.size() / 2);
    EXPECT_TRUE(caller.Send(reply));
  });
  Client client(folder_.ClientConfig());
  EXPECT_EQ(client.Call<Op::kRandom>(wire::RandomRequest{16, std::nullopt}).code(),
            Code::kChannelClosed);
}

}  // namespace
}  // namespace keyclave::test
