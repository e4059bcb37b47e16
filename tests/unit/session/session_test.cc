#include "enclave/session/session.h"

#include <gtest/gtest.h>

#include "attest/simulated_root.h"
#include "enclave/base/hash.h"
#include "enclave/base/log.h"
#include "enclave/session/session_map.h"
#include "tests/fakes/fake_tee.h"

namespace keyclave::session {
namespace {

class FakeClock final : public Clock {
 public:
  UnixTime Now() const override { return now + wall_shift; }
  std::chrono::steady_clock::time_point Steady() const override {
    return std::chrono::steady_clock::time_point(std::chrono::seconds(now));
  }
  UnixTime now = 1'800'000'000;
  UnixTime wall_shift = 0;
};

Peer UnixPeer(uint8_t key, uint32_t uid = 1000) {
  Peer peer;
  peer.is_unix = true;
  peer.uid = uid;
  peer.gid = 100;
  peer.address = "unix";
  peer.tls_key[0] = key;
  return peer;
}

class SessionTest : public ::testing::Test {
 protected:
  attest::Verified Verified() const {
    const auto tee = test::FakeTee::Create("simulated");
    const attest::ReportData data{};
    const auto trust = tee->OwnTrust();
    const auto parsed =
        attest::ParseEvidence("simulated", tee->Evidence(data, clock_.now, false)).value();
    return attest::VerifyEvidence(parsed, {.trust = trust, .now = clock_.now, .binding = data})
        .value();
  }
  authz::Policy Policy(const std::string& when) const {
    return authz::Policy::Parse(
               "policy: p\nversion: 1\npermit:\n  - operations: [sign]\n    when: " + when +
                   "\n    allow_unattested: true\n",
               "p.yaml")
        .value();
  }
  // As the dispatcher begins each request.
  bool MaySign(Session& session, const authz::Policy& policy) const {
    session.ExpireEvidence(clock_.now);
    return session.GrantFor(session.identity(), policy, rules_, clock_.now)
        ->Check(authz::Operation::kSign, {}, clock_.now)
        .ok();
  }

  FakeClock clock_;
  Session::Rules rules_ = std::make_shared<const authz::TokenRules>();
  Session session_{7, UnixPeer(1)};
};

TEST_F(SessionTest, StartsWithTheTransportsClaimsAlone) {
  const auto identity = session_.identity();
  EXPECT_FALSE(identity->attested);
  EXPECT_EQ(identity->claims.size(), 3U);
  ASSERT_NE(identity->claims.Find("peer.uid"), nullptr);
  EXPECT_EQ(identity->claims.Find("peer.uid")->origin, attest::Origin::kTransport);
  Peer tcp;
  EXPECT_EQ(TransportClaims(tcp).size(), 1U);  // tls.key
}

TEST_F(SessionTest, EvidenceJoinsTheTransportsClaims) {
  session_.SetEvidence(Verified(), clock_.now + 100);
  const auto identity = session_.identity();
  EXPECT_TRUE(identity->attested);
  EXPECT_EQ(identity->verified_at, clock_.now);
  EXPECT_NE(identity->claims.Find("measurement"), nullptr);
  EXPECT_NE(identity->claims.Find("peer.uid"), nullptr);
}

TEST_F(SessionTest, EvidenceEndsAtItsLastSecond) {
  session_.SetEvidence(Verified(), clock_.now + 100);
  EXPECT_FALSE(session_.ExpireEvidence(clock_.now + 99));
  EXPECT_TRUE(session_.identity()->attested);
  EXPECT_TRUE(session_.ExpireEvidence(clock_.now + 100));
  EXPECT_FALSE(session_.identity()->attested);
  EXPECT_EQ(session_.identity()->claims.Find("measurement"), nullptr);
  EXPECT_FALSE(session_.ExpireEvidence(clock_.now + 101)) << "once";
}

TEST_F(SessionTest, AGrantFollowsTheEvidence) {
  const authz::Policy policy = Policy("{tee: {is: simulated}}");
  EXPECT_FALSE(MaySign(session_, policy));
  session_.SetEvidence(Verified(), clock_.now + 100);
  EXPECT_TRUE(MaySign(session_, policy)) << "the earlier grant is forgotten";
  clock_.now += 100;
  EXPECT_FALSE(MaySign(session_, policy)) << "expired";
}

TEST_F(SessionTest, RelayedEvidenceStandsAlone) {
  session_.SetEvidence(Verified(), clock_.now + 100, {.is_relayed = true});
  const auto identity = session_.identity();
  EXPECT_TRUE(identity->is_relayed);
  EXPECT_NE(identity->claims.Find("measurement"), nullptr);
  for (const char* name : {"peer.uid", "peer.gid", "tls.key"})
    EXPECT_EQ(identity->claims.Find(name), nullptr) << name;
  EXPECT_TRUE(session_.ExpireEvidence(clock_.now + 100));
  EXPECT_FALSE(session_.identity()->is_relayed);
  EXPECT_NE(session_.identity()->claims.Find("peer.uid"), nullptr);
}

// A request keeps the identity that it began with, whatever the session has become since.
TEST_F(SessionTest, AGrantIsThatOfTheIdentityThatAsks) {
  const authz::Policy policy = Policy("{tee: {is: simulated}}");
  const auto may_sign = [&](const Session::IdentityPtr& identity) {
    return session_.GrantFor(identity, policy, rules_, clock_.now)
        ->Check(authz::Operation::kSign, {}, clock_.now)
        .ok();
  };
  const auto before = session_.identity();
  session_.SetEvidence(Verified(), clock_.now + 100);
  const auto after = session_.identity();
  for (int i = 0; i < 2; ++i) {
    EXPECT_FALSE(may_sign(before));
    EXPECT_TRUE(may_sign(after));
  }
}

TEST_F(SessionTest, AGrantIsEvaluatedOnce) {
  session_.SetEvidence(Verified(), clock_.now + 100);
  const authz::Policy policy = Policy("{tee: {is: simulated}}");
  const authz::Policy other = Policy("{peer.uid: {is: 1000}}");
  const auto grant = session_.GrantFor(session_.identity(), policy, rules_, clock_.now);
  EXPECT_EQ(session_.GrantFor(session_.identity(), policy, rules_, clock_.now), grant);
  EXPECT_NE(session_.GrantFor(session_.identity(), other, rules_, clock_.now), grant);
}

TEST_F(SessionTest, LoginsArePerToken) {
  const wire::TokenId one{1};
  const wire::TokenId two{2};
  session_.SetLogin(one, wire::LoginState::kUser);
  EXPECT_EQ(session_.LoginOf(one), wire::LoginState::kUser);
  EXPECT_EQ(session_.LoginOf(two), wire::LoginState::kNone);
  session_.SetLogin(two, wire::LoginState::kSecurityOfficer);
  session_.ForgetLogins(one);
  EXPECT_EQ(session_.LoginOf(one), wire::LoginState::kNone);
  EXPECT_EQ(session_.LoginOf(two), wire::LoginState::kSecurityOfficer);
  session_.SetLogin(two, wire::LoginState::kNone);
  EXPECT_EQ(session_.LoginOf(two), wire::LoginState::kNone);
}

class SessionMapTest : public ::testing::Test {
 protected:
  FakeClock clock_;
  std::vector<uint64_t> ended_;
  SessionMap map_{{.max_sessions = 3, .max_requests = 0, .linger_seconds = 60},
                  clock_,
                  [this](const Session& session) { ended_.push_back(session.id()); }};
};

TEST_F(SessionMapTest, OneKeyIsOneSession) {
  const auto first = map_.Join(UnixPeer(1)).value();
  const auto again = map_.Join(UnixPeer(1)).value();
  const auto other = map_.Join(UnixPeer(2)).value();
  EXPECT_EQ(first, again);
  EXPECT_NE(first, other);
  EXPECT_NE(first->id(), other->id());
  EXPECT_EQ(map_.size(), 2U);
}

TEST_F(SessionMapTest, AnotherUserWithTheSameKeyIsAnotherSession) {
  const auto root = map_.Join(UnixPeer(1, 0)).value();
  const auto user = map_.Join(UnixPeer(1, 1000)).value();
  EXPECT_NE(root, user);
  Peer tcp;
  tcp.tls_key = root->tls_key();
  EXPECT_NE(map_.Join(tcp).value(), root);
}

TEST_F(SessionMapTest, ALimitIsALimit) {
  for (uint8_t key = 1; key <= 3; ++key) ASSERT_TRUE(map_.Join(UnixPeer(key)).ok());
  EXPECT_EQ(map_.Join(UnixPeer(4)).code(), Code::kTooManyConnections);
  EXPECT_TRUE(map_.Join(UnixPeer(3)).ok()) << "joining is not opening";
}

std::vector<std::string>* logged = nullptr;

TEST_F(SessionMapTest, TheLogSaysOnceHowManyWereRefusedAndWhatToRaise) {
  std::vector<std::string> lines;
  logged = &lines;
  SetLogSink([](LogLevel, std::string_view line) { logged->emplace_back(line); },
             LogLevel::kWarning);
  for (uint8_t key = 1; key <= 5; ++key) static_cast<void>(map_.Join(UnixPeer(key)).ok());
  EXPECT_TRUE(lines.empty());
  map_.Sweep();
  map_.Sweep();
  SetLogSink(nullptr, LogLevel::kError);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_NE(lines.front().find("2 connections refused"), std::string::npos) << lines.front();
  EXPECT_NE(lines.front().find("limits: sessions"), std::string::npos) << lines.front();
}

TEST_F(SessionMapTest, ASessionLingersAndThenEndsOnce) {
  const auto session = map_.Join(UnixPeer(1)).value();
  map_.Leave(session);
  clock_.now += 59;
  map_.Sweep();
  EXPECT_EQ(map_.Join(UnixPeer(1)).value(), session);
  clock_.now += 1000;
  map_.Sweep();
  EXPECT_TRUE(ended_.empty()) << "it has a connection";
  map_.Leave(session);
  clock_.now += 60;
  map_.Sweep();
  map_.Sweep();
  EXPECT_EQ(ended_, std::vector<uint64_t>{session->id()});
  EXPECT_NE(map_.Join(UnixPeer(1)).value(), session);
}

TEST_F(SessionMapTest, AClockThatIsPutBackKeepsNoSessionForLonger) {
  const auto session = map_.Join(UnixPeer(1)).value();
  map_.Leave(session);
  clock_.wall_shift = -10'800;
  clock_.now += 59;
  map_.Sweep();
  EXPECT_TRUE(ended_.empty());
  clock_.now += 1;
  map_.Sweep();
  EXPECT_EQ(ended_, std::vector<uint64_t>{session->id()});
}

TEST_F(SessionMapTest, AClockThatIsSetForwardEndsNoSessionSooner) {
  const auto session = map_.Join(UnixPeer(1)).value();
  map_.Leave(session);
  clock_.wall_shift = 10'800;
  map_.Sweep();
  EXPECT_TRUE(ended_.empty());
}

TEST_F(SessionMapTest, VisitsEverySession) {
  for (uint8_t key = 1; key <= 3; ++key) {
    map_.Join(UnixPeer(key)).value()->SetLogin({9}, wire::LoginState::kUser);
  }
  map_.ForEach([](Session& session) { session.ForgetLogins({9}); });
  map_.ForEach([](Session& session) { EXPECT_EQ(session.LoginOf({9}), wire::LoginState::kNone); });
}

}  // namespace
}  // namespace keyclave::session
