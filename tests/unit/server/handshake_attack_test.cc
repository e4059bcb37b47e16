// The attestation handshake against callers who replay, relay, reflect, reorder and cut.
#include <gtest/gtest.h>

#include "tests/fakes/fake_daemon.h"
#include "tests/fakes/raw_peer.h"

namespace keyclave::test {
namespace {

using wire::Op;

constexpr Code kSuccess{};

class HandshakeAttack : public ::testing::Test {
 protected:
  RawPeer Connect() {
    RawPeer peer = RawPeer::Client(folder_.Socket());
    EXPECT_TRUE(peer.Handshake());
    return peer;
  }
  static std::optional<wire::HelloReply> Hello(RawPeer& peer, bool want_evidence = false) {
    if (!peer.Ask<Op::kHello>(++id_, {RandomArray<32>(), want_evidence})) return std::nullopt;
    return peer.Answer<Op::kHello>();
  }
  static attest::Binding Honest(const RawPeer& peer, const wire::HelloReply& hello) {
    return attest::Binding{.role = attest::Role::kCaller,
                           .nonce = hello.nonce,
                           .exporter = peer.binding().exporter,
                           .client_spki = peer.own_spki(),
                           .server_spki = peer.binding().peer_spki,
                           .audience = hello.enclave_id,
                           .runtime_claims = {}};
  }
  wire::AttestRequest Evidence(const attest::Binding& binding) const {
    const attest::TeeType* type = attest::FindTeeType("simulated");
    return {
        "simulated",
        type->produce(ComputeReportData(binding), folder_.Producer(), SystemClock().Now()).value(),
        {}};
  }
  static Code Attest(RawPeer& peer, const wire::AttestRequest& request) {
    return peer.Ask<Op::kAttest>(++id_, request) ? peer.AnswerCode() : Code::kInternal;
  }
  static Code Random(RawPeer& peer) {
    return peer.Ask<Op::kRandom>(++id_, {16, std::nullopt}) ? peer.AnswerCode() : Code::kInternal;
  }
  // What the daemon says to evidence over a binding with one thing changed.
  Code AttestWith(const std::function<void(attest::Binding&)>& change) {
    RawPeer peer = Connect();
    const auto hello = Hello(peer);
    EXPECT_TRUE(hello.has_value());
    attest::Binding binding = Honest(peer, *hello);
    change(binding);
    const Code code = Attest(peer, Evidence(binding));
    EXPECT_EQ(Random(peer), code == kSuccess ? kSuccess : Code::kNotAttested);
    return code;
  }

  static inline uint64_t id_ = 0;
  const TestFolder folder_;
  FakeDaemon daemon_{folder_};
};

TEST_F(HandshakeAttack, TheHonestCallerIsLetIn) {
  EXPECT_EQ(AttestWith([](attest::Binding&) {}), kSuccess);
}

TEST_F(HandshakeAttack, AnotherNonce) {
  EXPECT_EQ(AttestWith([](attest::Binding& b) { b.nonce[0] ^= 1; }), Code::kEvidenceBinding);
}
// lesson 2: the same keys, the same nonce, and still another session.
TEST_F(HandshakeAttack, AnotherConnection) {
  EXPECT_EQ(AttestWith([](attest::Binding& b) { b.exporter[0] ^= 1; }), Code::kEvidenceBinding);
}
// lesson 9: who somebody is, is said by his evidence about his own key and by nothing that he
// sends.
TEST_F(HandshakeAttack, AnotherCallerKey) {
  EXPECT_EQ(AttestWith([](attest::Binding& b) { b.client_spki[9] ^= 1; }), Code::kEvidenceBinding);
}
TEST_F(HandshakeAttack, AnotherServerKey) {
  EXPECT_EQ(AttestWith([](attest::Binding& b) { b.server_spki[9] ^= 1; }), Code::kEvidenceBinding);
}
TEST_F(HandshakeAttack, AnotherAudience) {
  EXPECT_EQ(AttestWith([](attest::Binding& b) { b.audience = "other-enclave"; }),
            Code::kEvidenceBinding);
  EXPECT_EQ(AttestWith([](attest::Binding& b) { b.audience.clear(); }), Code::kEvidenceBinding);
}
TEST_F(HandshakeAttack, TheOtherRole) {
  EXPECT_EQ(AttestWith([](attest::Binding& b) { b.role = attest::Role::kEnclave; }),
            Code::kEvidenceBinding);
}

// lesson 1: evidence is good once.
TEST_F(HandshakeAttack, TheSameAttestTwice) {
  RawPeer peer = Connect();
  const auto hello = Hello(peer);
  ASSERT_TRUE(hello.has_value());
  const auto request = Evidence(Honest(peer, *hello));
  EXPECT_EQ(Attest(peer, request), kSuccess);
  EXPECT_EQ(Attest(peer, request), Code::kWrongState) << "the nonce is used up";
  ASSERT_TRUE(Hello(peer).has_value());
  EXPECT_EQ(Attest(peer, request), Code::kEvidenceBinding) << "and a new one is another one";
  EXPECT_EQ(Random(peer), kSuccess) << "what was proved stays proved";
}

TEST_F(HandshakeAttack, AFailedAttestUsesUpTheNonce) {
  RawPeer peer = Connect();
  const auto hello = Hello(peer);
  ASSERT_TRUE(hello.has_value());
  EXPECT_EQ(Attest(peer, {"simulated", Bytes{1, 2, 3}, {}}), Code::kEvidenceMalformed);
  EXPECT_EQ(Attest(peer, Evidence(Honest(peer, *hello))), Code::kWrongState);
}

// lesson 1, and lesson 3: what was captured is nothing that its bearer could use.
TEST_F(HandshakeAttack, CapturedBytesOnAnotherConnection) {
  RawPeer victim = Connect();
  const auto hello = Hello(victim);
  ASSERT_TRUE(hello.has_value());
  const auto captured = Evidence(Honest(victim, *hello));
  EXPECT_EQ(Attest(victim, captured), kSuccess);
  RawPeer thief = Connect();
  ASSERT_TRUE(Hello(thief).has_value());
  EXPECT_EQ(Attest(thief, captured), Code::kEvidenceBinding);
  EXPECT_EQ(Random(thief), Code::kNotAttested);
}

// The thief has the victim make evidence over the nonce that the enclave gave the thief.
TEST_F(HandshakeAttack, EvidenceRelayedFromAnHonestCaller) {
  RawPeer thief = Connect();
  const auto for_thief = Hello(thief);
  ASSERT_TRUE(for_thief.has_value());
  RawPeer victim = Connect();
  wire::HelloReply forwarded = *Hello(victim);
  forwarded.nonce = for_thief->nonce;
  EXPECT_EQ(Attest(thief, Evidence(Honest(victim, forwarded))), Code::kEvidenceBinding);
}

TEST_F(HandshakeAttack, TheEnclavesOwnEvidenceSentBack) {
  RawPeer peer = Connect();
  const auto first = Hello(peer, true);
  ASSERT_TRUE(first.has_value() && first->evidence.has_value());
  EXPECT_EQ(Attest(peer, {*first->evidence_type, *first->evidence, {}}), Code::kEvidenceBinding);
  // Also when the enclave was made to prove itself over its own nonce.
  const auto nonce = Hello(peer);
  ASSERT_TRUE(nonce.has_value());
  ASSERT_TRUE(peer.Ask<Op::kHello>(++id_, {nonce->nonce, true}));
  const auto second = peer.Answer<Op::kHello>();
  ASSERT_TRUE(second.has_value() && second->evidence.has_value());
  EXPECT_EQ(Attest(peer, {*second->evidence_type, *second->evidence, {}}), Code::kEvidenceBinding);
  EXPECT_EQ(Random(peer), Code::kNotAttested);
}

TEST_F(HandshakeAttack, ASecondHelloVoidsTheFirstNonce) {
  RawPeer peer = Connect();
  const auto first = Hello(peer);
  const auto second = Hello(peer);
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_NE(first->nonce, second->nonce);
  EXPECT_EQ(Attest(peer, Evidence(Honest(peer, *first))), Code::kEvidenceBinding);
}

// lesson 1: and not for ever, even unused.
TEST_F(HandshakeAttack, ANonceOfAMinuteAgo) {
  RawPeer peer = Connect();
  const auto hello = Hello(peer);
  ASSERT_TRUE(hello.has_value());
  daemon_.clock.AdvanceTime(session::kNonceSeconds + 1);
  EXPECT_EQ(Attest(peer, Evidence(Honest(peer, *hello))), Code::kWrongState);
}

TEST_F(HandshakeAttack, AClockThatWasSetBack) {
  RawPeer peer = Connect();
  const auto hello = Hello(peer);
  ASSERT_TRUE(hello.has_value());
  daemon_.clock.AdvanceTime(-10);
  EXPECT_EQ(Attest(peer, Evidence(Honest(peer, *hello))), Code::kWrongState);
}

TEST_F(HandshakeAttack, EvidenceThatIsNotAccepted) {
  RawPeer peer = Connect();
  for (const auto& [type, code] :
       {std::pair{"imaginary", Code::kEvidenceUnknownType}, {"", Code::kEvidenceUnknownType}}) {
    const auto hello = Hello(peer);
    ASSERT_TRUE(hello.has_value());
    auto request = Evidence(Honest(peer, *hello));
    request.evidence_type = type;
    EXPECT_EQ(Attest(peer, request), code);
  }
}

TEST_F(HandshakeAttack, RuntimeClaimsThatNobodyUnderstands) {
  RawPeer peer = Connect();
  const auto hello = Hello(peer);
  ASSERT_TRUE(hello.has_value());
  attest::Binding binding = Honest(peer, *hello);
  binding.runtime_claims = Bytes{0xa0};
  auto request = Evidence(binding);
  request.runtime_claims = binding.runtime_claims;
  EXPECT_EQ(Attest(peer, request), Code::kEvidenceMalformed);
}

TEST_F(HandshakeAttack, AnythingBeforeHelloEndsTheConnection) {
  const Bytes requests[] = {
      wire::BuildRequest(1, Op::kAttest, Encode(wire::AttestRequest())),
      wire::BuildRequest(1, Op::kRandom, Encode(wire::RandomRequest{16, std::nullopt})),
      wire::BuildRequest(1, Op::kStatus, Encode(wire::Empty())),
  };
  for (const Bytes& request : requests) {
    RawPeer peer = Connect();
    ASSERT_TRUE(peer.Send(request));
    EXPECT_EQ(peer.AnswerCode(), Code::kWrongState);
    EXPECT_TRUE(peer.Ends());
  }
  EXPECT_EQ(daemon_.handler.Count(Op::kAttest) + daemon_.handler.Count(Op::kRandom), 0U);
}

TEST_F(HandshakeAttack, GarbageInsteadOfHelloEndsTheConnection) {
  RawPeer unknown = Connect();
  CborWriter body;
  body.Array(2);
  body.Uint(9999);
  body.Map(0);
  Bytes frame = wire::BuildRequest(1, Op::kStatus, {});
  frame.resize(wire::kFrameHeader);
  frame.insert(frame.end(), body.bytes().begin(), body.bytes().end());
  frame[3] = static_cast<uint8_t>(frame.size() - 4);
  ASSERT_TRUE(unknown.Send(frame));
  EXPECT_EQ(unknown.AnswerCode(), Code::kUnknownOperation);
  EXPECT_TRUE(unknown.Ends());
}

// A Hello that does not decode is answered, and the connection is none the better for it.
TEST_F(HandshakeAttack, AMalformedHelloOpensNothing) {
  RawPeer peer = Connect();
  ASSERT_TRUE(peer.Send(wire::BuildRequest(1, Op::kHello, Encode(wire::Empty()))));
  EXPECT_EQ(peer.AnswerCode(), Code::kBadMessage);
  EXPECT_EQ(Random(peer), Code::kWrongState);
}

TEST_F(HandshakeAttack, AStreamCutAnywhereGivesNothing) {
  Bytes conversation = wire::BuildRequest(1, Op::kHello, Encode(wire::HelloRequest()));
  const Bytes rest =
      wire::BuildRequest(2, Op::kRandom, Encode(wire::RandomRequest{16, std::nullopt}));
  conversation.insert(conversation.end(), rest.begin(), rest.end());
  for (size_t cut = 0; cut < conversation.size(); cut += 3) {
    RawPeer peer = Connect();
    if (cut > 0) {
      ASSERT_TRUE(peer.Send(ByteSpan(conversation).first(cut)));
    }
    ::shutdown(peer.fd(), SHUT_WR);
    while (peer.Receive().has_value()) {
    }
    EXPECT_TRUE(peer.Ends()) << cut;
  }
  EXPECT_EQ(daemon_.handler.Count(Op::kRandom), 0U);
  EXPECT_TRUE(Eventually([&] { return daemon_.server->stats().connections == 0; }));
}

TEST_F(HandshakeAttack, WhoSaysGoodbyeStillGetsHisReplies) {
  RawPeer peer = Connect();
  Bytes all = wire::BuildRequest(1, Op::kHello, Encode(wire::HelloRequest()));
  const Bytes rest =
      wire::BuildRequest(2, Op::kRandom, Encode(wire::RandomRequest{16, std::nullopt}));
  all.insert(all.end(), rest.begin(), rest.end());
  ASSERT_TRUE(peer.stream().Write(all).ok());
  peer.stream().SayGoodbye();
  EXPECT_TRUE(peer.Answer<Op::kHello>().has_value());
  EXPECT_EQ(peer.AnswerCode(), Code::kNotAttested);
  EXPECT_TRUE(peer.Ends());
}

TEST_F(HandshakeAttack, ConnectionsOfOneKeyShareTheSession) {
  const auto identity = wire::TlsIdentity::Create().value();
  RawPeer first(wire::TlsEnd::kClient, ConnectUnix(folder_.Socket()), identity);
  ASSERT_TRUE(first.Handshake());
  const auto hello = Hello(first);
  ASSERT_TRUE(hello.has_value());
  EXPECT_EQ(hello->session_seconds, 0U);
  ASSERT_EQ(Attest(first, Evidence(Honest(first, *hello))), kSuccess);
  RawPeer second(wire::TlsEnd::kClient, ConnectUnix(folder_.Socket()), identity);
  ASSERT_TRUE(second.Handshake());
  const auto joined = Hello(second);
  ASSERT_TRUE(joined.has_value());
  EXPECT_GT(joined->session_seconds, 0U);
  EXPECT_EQ(joined->session, hello->session);
  EXPECT_EQ(Random(second), kSuccess);
}

TEST_F(HandshakeAttack, EvidenceExpiresOnAnOpenConnection) {
  RawPeer peer = Connect();
  const auto hello = Hello(peer);
  ASSERT_TRUE(hello.has_value());
  ASSERT_EQ(Attest(peer, Evidence(Honest(peer, *hello))), kSuccess);
  EXPECT_EQ(Random(peer), kSuccess);
  daemon_.clock.AdvanceTime(3600);
  EXPECT_EQ(Random(peer), Code::kNotAttested);
}

}  // namespace
}  // namespace keyclave::test
