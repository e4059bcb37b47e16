// A stream's behaviour in both protocols, over a maker and a sink of the test's.
#include "enclave/sds/stream.h"

#include <discovery.pb.h>
#include <gtest/gtest.h>
#include <secret.pb.h>

#include <condition_variable>

namespace keyclave::sds {
namespace {

using envoy::service::discovery::v3::DeltaDiscoveryRequest;
using envoy::service::discovery::v3::DeltaDiscoveryResponse;
using envoy::service::discovery::v3::DiscoveryRequest;
using envoy::service::discovery::v3::DiscoveryResponse;

constexpr uint32_t kUid = 7;

SdsConfig Config(std::set<std::string, std::less<>> permitted = {"a", "b", "roots"}) {
  SdsConfig config;
  const CertificateSecret secret{.ca = "pkcs11:object=ca", .ttl = 3600};
  config.secrets = {{"a", secret}, {"b", secret}, {"hidden", secret}, {"roots", TrustedCaSecret{}}};
  config.callers = {
      {.name = "test", .uid = kUid, .executables = {{}}, .secrets = std::move(permitted)}};
  return config;
}

class CountingMaker final : public SecretMaker {
 public:
  Result<MadeSecret> Make(const std::string& name, const SecretConfig& secret) override {
    const std::lock_guard lock(mutex_);
    if (failures > 0) {
      --failures;
      return Fail(Code::kUnreachable);
    }
    ++made;
    MadeSecret out;
    const bool trusted = std::holds_alternative<TrustedCaSecret>(secret);
    out.version = trusted ? "same" : std::to_string(made);
    out.encoded = EncodeTrustedCa(name, out.version);
    out.not_after = trusted ? 0 : SystemClock().Now() + life;
    return out;
  }
  std::mutex mutex_;
  int made = 0;
  int failures = 0;
  UnixTime life = 3600;
};

class WaitingSink final : public Sink {
 public:
  void Send(SecretBytes response) override {
    const std::lock_guard lock(mutex_);
    sent_.push_back(ToBytes(response.Expose(SecretAccess())));
    changed_.notify_all();
  }
  void End(EndReason reason, const std::string& /*text*/) override {
    const std::lock_guard lock(mutex_);
    ended_ = reason;
    changed_.notify_all();
  }
  // The n-th response; blocks until it is there.
  Bytes Response(size_t n) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return sent_.size() > n; });
    return sent_[n];
  }
  EndReason Ended() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ended_.has_value(); });
    return *ended_;
  }
  size_t Count() {
    const std::lock_guard lock(mutex_);
    return sent_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Bytes> sent_;
  std::optional<EndReason> ended_;
};

template <class Message>
Bytes Encoded(const Message& message) {
  return ToBytes(AsBytes(message.SerializeAsString()));
}

template <class Message>
Message Decoded(const Bytes& bytes) {
  Message message;
  EXPECT_TRUE(message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  return message;
}

class StreamTest : public ::testing::Test {
 protected:
  ~StreamTest() override {
    for (const auto& stream : streams_) stream->Detach();
  }
  std::shared_ptr<Stream> Open(Dialect dialect) {
    auto stream =
        std::make_shared<Stream>(hub_, dialect, Peer{.uid = kUid, .executable = {}}, sink_);
    hub_.Add(stream);
    streams_.push_back(stream);
    return stream;
  }
  static Bytes World(const std::vector<std::string>& names, const std::string& nonce = {},
                     const std::string& rejected = {}) {
    DiscoveryRequest request;
    for (const std::string& name : names) request.add_resource_names(name);
    request.set_response_nonce(nonce);
    if (!rejected.empty()) request.mutable_error_detail()->set_message(rejected);
    return Encoded(request);
  }
  static Bytes Delta(const std::vector<std::string>& subscribe,
                     const std::vector<std::string>& unsubscribe = {}) {
    DeltaDiscoveryRequest request;
    for (const std::string& name : subscribe) request.add_resource_names_subscribe(name);
    for (const std::string& name : unsubscribe) request.add_resource_names_unsubscribe(name);
    return Encoded(request);
  }
  static std::string NameIn(const DiscoveryResponse& response) {
    envoy::extensions::transport_sockets::tls::v3::Secret secret;
    EXPECT_EQ(response.resources_size(), 1);
    EXPECT_EQ(response.resources(0).type_url(), kSecretType);
    EXPECT_TRUE(secret.ParseFromString(response.resources(0).value()));
    return secret.name();
  }

  const SystemClock clock_;
  CountingMaker maker_;
  WaitingSink sink_;
  Worker worker_{2};
  Hub hub_{Config(), maker_, clock_, worker_};
  std::vector<std::shared_ptr<Stream>> streams_;
};

TEST_F(StreamTest, AnswersASubscription) {
  Open(Dialect::kWorld)->Receive(World({"a"}));
  const auto response = Decoded<DiscoveryResponse>(sink_.Response(0));
  EXPECT_EQ(NameIn(response), "a");
  EXPECT_EQ(response.type_url(), kSecretType);
  EXPECT_EQ(response.version_info(), "1");
  EXPECT_FALSE(response.nonce().empty());
}

TEST_F(StreamTest, NamesThatComeLaterAreAnsweredAndTheOthersAreLeftAlone) {
  const auto stream = Open(Dialect::kWorld);
  stream->Receive(World({"a"}));
  const auto first = Decoded<DiscoveryResponse>(sink_.Response(0));
  stream->Receive(World({"a", "b"}, first.nonce()));
  EXPECT_EQ(NameIn(Decoded<DiscoveryResponse>(sink_.Response(1))), "b");
  EXPECT_EQ(maker_.made, 2);
}

TEST_F(StreamTest, ANameThatGoesAndComesIsANewSubscription) {
  const auto stream = Open(Dialect::kWorld);
  stream->Receive(World({"roots"}));
  const auto first = Decoded<DiscoveryResponse>(sink_.Response(0));
  stream->Receive(World({}, first.nonce()));
  stream->Receive(World({"roots"}, first.nonce()));
  const auto second = Decoded<DiscoveryResponse>(sink_.Response(1));
  EXPECT_EQ(second.version_info(), first.version_info());
  EXPECT_NE(second.nonce(), first.nonce());
}

TEST_F(StreamTest, RotatesAndRetries) {
  maker_.life = 1;
  maker_.failures = 1;
  Open(Dialect::kWorld)->Receive(World({"a"}));
  const auto first = Decoded<DiscoveryResponse>(sink_.Response(0));
  maker_.failures = 1;
  const auto second = Decoded<DiscoveryResponse>(sink_.Response(1));
  EXPECT_NE(first.version_info(), second.version_info());
}

TEST_F(StreamTest, ARejectedSecretIsMadeAnew) {
  const auto stream = Open(Dialect::kWorld);
  stream->Receive(World({"roots"}));
  const auto first = Decoded<DiscoveryResponse>(sink_.Response(0));
  stream->Receive(World({"roots"}, first.nonce(), "no"));
  const auto second = Decoded<DiscoveryResponse>(sink_.Response(1));
  EXPECT_NE(second.nonce(), first.nonce());
}

TEST_F(StreamTest, TellsTheVersionOfEachInDeltas) {
  Open(Dialect::kDelta)->Receive(Delta({"a"}));
  const auto response = Decoded<DeltaDiscoveryResponse>(sink_.Response(0));
  ASSERT_EQ(response.resources_size(), 1);
  EXPECT_EQ(response.resources(0).name(), "a");
  EXPECT_EQ(response.resources(0).version(), "1");
}

TEST_F(StreamTest, SubscribingAgainIsAnsweredAgain) {
  const auto stream = Open(Dialect::kDelta);
  stream->Receive(Delta({"roots"}));
  sink_.Response(0);
  stream->Receive(Delta({"roots"}));
  EXPECT_EQ(Decoded<DeltaDiscoveryResponse>(sink_.Response(1)).resources(0).name(), "roots");
}

TEST_F(StreamTest, WhatIsNotTheCallersEndsTheStream) {
  for (const char* const name : {"hidden", "none", ""}) {
    WaitingSink sink;
    for (const Dialect dialect : {Dialect::kWorld, Dialect::kDelta}) {
      const auto stream =
          std::make_shared<Stream>(hub_, dialect, Peer{.uid = kUid, .executable = {}}, sink);
      stream->Receive(dialect == Dialect::kWorld ? World({"a", name}) : Delta({"a", name}));
      EXPECT_EQ(sink.Ended(), EndReason::kRefused) << name;
    }
  }
}

TEST_F(StreamTest, AStrangerHasNothing) {
  for (const Peer& peer :
       {Peer{.uid = kUid + 1, .executable = {}}, Peer{.uid = kUid, .executable = {1}}}) {
    WaitingSink sink;
    std::make_shared<Stream>(hub_, Dialect::kWorld, peer, sink)->Receive(World({"a"}));
    EXPECT_EQ(sink.Ended(), EndReason::kRefused);
  }
}

TEST_F(StreamTest, NoMessageIsTheEnd) {
  Open(Dialect::kWorld)->Receive(Bytes(3, 0xff));
  EXPECT_EQ(sink_.Ended(), EndReason::kInvalid);
  EXPECT_EQ(sink_.Count(), 0U);
}

TEST_F(StreamTest, AnotherConfigurationIsFollowed) {
  const auto stream = Open(Dialect::kWorld);
  stream->Receive(World({"a", "b"}));
  sink_.Response(1);
  SdsConfig changed = Config();
  std::get<CertificateSecret>(changed.secrets.at("b")).ttl = 60;
  hub_.Reload(changed);
  EXPECT_EQ(NameIn(Decoded<DiscoveryResponse>(sink_.Response(2))), "b");
  hub_.Reload(Config({"a"}));
  EXPECT_EQ(sink_.Ended(), EndReason::kRefused);
}

TEST_F(StreamTest, EndsWithTheProgram) {
  Open(Dialect::kWorld)->Receive(World({"a"}));
  hub_.EndAll();
  EXPECT_EQ(sink_.Ended(), EndReason::kClosing);
}

TEST(Schedule, RotatesAtTwoThirdsAndSpreads) {
  using std::chrono::milliseconds;
  EXPECT_EQ(RotateAfter(1000, 1100, 0), milliseconds(60'000));
  EXPECT_EQ(RotateAfter(1000, 1100, 1), milliseconds(70'000));
  EXPECT_EQ(RotateAfter(1000, 900, 0), milliseconds(600));  // the end is over: soon
  EXPECT_EQ(RotateAfter(1000, 0, 0), milliseconds(300'000));
}

TEST(Schedule, WaitsLongerAfterEachFailureButNeverTooLong) {
  EXPECT_LT(RetryAfter(0, 1), RetryAfter(3, 1));
  EXPECT_LE(RetryAfter(30, 1).count(), 60'000);
  EXPECT_GE(RetryAfter(0, 0).count(), 250);
}

TEST(Printable, IsShortAndPlain) {
  EXPECT_EQ(Printable("a\nb\x1b\xff"), "a?b??");
  EXPECT_EQ(Printable(std::string(1000, 'x')).size(), 200U);
}

}  // namespace
}  // namespace keyclave::sds
