// An enclave without a network: the real dispatcher over a real object store in memory, and callers
// with real simulated evidence. Requests go through Dispatcher::Handle as frames.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>

#include "attest/simulated_root.h"
#include "attest/tee_type.h"
#include "enclave/base/hash.h"
#include "enclave/mech/openssl_handles.h"
#include "enclave/ops/dispatch.h"
#include "enclave/wire/op_codec.h"

namespace keyclave::ops {

class TestClock final : public Clock {
 public:
  UnixTime Now() const override { return now; }
  std::chrono::steady_clock::time_point Steady() const override { return {}; }
  UnixTime now = SystemClock().Now();
};

class MemoryWitness final : public keys::Witness {
 public:
  Result<Mark> Read() override {
    if (!mark_) return Fail(Code::kWitnessMissing);
    return *mark_;
  }
  Status Advance(const Mark& mark) override {
    mark_ = mark;
    return Done{};
  }
  std::string Name() const override { return "memory"; }

 private:
  std::optional<Mark> mark_;
};

class EnclaveFixture : public ::testing::Test {
 protected:
  // One connection of one calling process.
  struct Caller {
    session::Connection connection;
  };

  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "kc-ops-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    ASSERT_TRUE(attest::MakeSimulatedRoot(directory_ + "/root.pem", directory_ + "/root.pub").ok());
    config_.tee = "simulated";
    config_.producer.simulated_key_file = directory_ + "/root.pem";
    config_.trust.accepted_types = {"simulated"};
    config_.trust.simulated_roots = {attest::ReadSimulatedRoot(directory_ + "/root.pub").value()};
    config_.operators = {0};
    auto store =
        keys::ObjectStore::OpenWith(store::MakeMemoryStore(), std::make_unique<MemoryWitness>(),
                                    SecretBytes::CopyOf(RandomArray<32>()), /*create=*/true);
    ASSERT_TRUE(store.ok()) << store.error().Text();
    store_ = std::move(store).value();
    auto audit = audit::AuditLog::Open(directory_ + "/audit", clock_, SignWithTestKey);
    ASSERT_TRUE(audit.ok()) << audit.error().Text();
    audit_ = std::move(audit).value();
    handshake_.reset(new session::HandshakeContext{config_.trust, config_.producer, "simulated",
                                                   store_->enclave_id(), "test", true, 3600,
                                                   clock_});
    sessions_ = std::make_unique<session::SessionMap>(
        session::SessionLimits{}, clock_,
        [this](const session::Session& ended) { store_->RemoveSessionObjects(ended.id()); });
    service_ =
        std::make_unique<Service>(config_, clock_, *store_, *sessions_, *handshake_, *audit_);
    service_->server_stats = &server_stats_;
    dispatcher_ = std::make_unique<Dispatcher>(*service_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  // As the daemon's audit key signs: ECDSA on P-256, in DER.
  static Result<Bytes> SignWithTestKey(ByteSpan digest) {
    static EVP_PKEY* const key = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
    const mech::EvpPkeyCtx context(EVP_PKEY_CTX_new(key, nullptr));
    Bytes signature(80);
    size_t size = signature.size();
    EVP_PKEY_sign_init(context.get());
    if (EVP_PKEY_sign(context.get(), signature.data(), &size, digest.data(), digest.size()) != 1)
      return Fail(Code::kCryptoFailed);
    signature.resize(size);
    return signature;
  }

  // A process on the unix socket; Hello is done, evidence is presented if asked.
  std::unique_ptr<Caller> Connect(uint32_t uid, bool attest = true) {
    auto caller = std::make_unique<Caller>();
    caller->connection.peer.is_unix = true;
    caller->connection.peer.uid = uid;
    caller->connection.peer.tls_key = RandomArray<32>();
    caller->connection.session = sessions_->Join(caller->connection.peer).value();
    const auto hello = Run<wire::Op::kHello>(*caller, {});
    EXPECT_TRUE(hello.ok());
    if (attest) {
      EXPECT_TRUE(Attest(*caller, hello->nonce).ok());
    }
    return caller;
  }

  Status Attest(Caller& caller, const ByteArray<32>& nonce, const Bytes& runtime_claims = {}) {
    return AttestAs(caller, nonce, runtime_claims, runtime_claims);
  }
  // With one set of runtime claims in the evidence, and another beside it.
  Status AttestAs(Caller& caller, const ByteArray<32>& nonce, const Bytes& bound,
                  const Bytes& claimed) {
    attest::Binding binding;
    binding.role = attest::Role::kCaller;
    binding.nonce = nonce;
    binding.client_spki = caller.connection.peer.tls_key;
    binding.audience = store_->enclave_id();
    binding.runtime_claims = bound;
    const attest::TeeType* type = attest::FindTeeType("simulated");
    KC_ASSIGN(const Bytes evidence,
              type->produce(attest::ComputeReportData(binding), config_.producer, clock_.Now()));
    KC_ASSIGN(const auto reply, Run<wire::Op::kAttest>(caller, {"simulated", evidence, claimed}));
    (void)reply;
    return Done{};
  }

  template <wire::Op op>
  Result<typename wire::OpTraits<op>::Reply> Run(
      Caller& caller, const typename wire::OpTraits<op>::Request& request) {
    Bytes frame = wire::BuildRequest(7, op, wire::OpCodec<op>::EncodeRequest(request));
    ByteSpan rest = frame;
    const auto parsed = wire::TakeFrame(rest);
    const Bytes answer = dispatcher_->Handle(caller.connection, *parsed.value());
    ByteSpan answer_rest = answer;
    const auto reply_frame = wire::TakeFrame(answer_rest);
    KC_ASSIGN(const wire::ReplyBody body, wire::ParseReply(reply_frame.value()->body));
    EXPECT_EQ(reply_frame.value()->id, 7U);
    if (body.code != 0)
      return Fail(CodeFromNumber(body.code).value(), wire::ErrorDetail(body).value());
    return wire::OpCodec<op>::DecodeReply(body.fields);
  }

  std::string OwnMeasurement() {
    const auto caller = Connect(1000);
    const auto identity = caller->connection.session->identity();
    return attest::ToText(identity->claims.Find("measurement")->value);
  }

  // A policy that permits operations to simulated callers of one measurement.
  static std::string PolicyText(const std::string& name, const std::string& operations,
                                const std::string& measurement, const std::string& more = {},
                                int version = 1) {
    return "policy: " + name + "\nversion: " + std::to_string(version) +
           "\npermit:\n  - operations: [" + operations + "]\n    allow_unattested: true\n" + more +
           "    when: {tee: {is: simulated}, measurement: {is: " + measurement + "}}\n";
  }

  wire::TokenInfo MakeToken(const std::string& policy, const char* pin = nullptr) {
    auto root = Connect(0);
    wire::CreateTokenRequest request;
    request.label = "token";
    request.policy = policy;
    if (pin != nullptr) {
      request.so_pin = SecretBytes::CopyOf(AsBytes("so-pin"));
      request.user_pin = SecretBytes::CopyOf(AsBytes(pin));
    }
    auto reply = Run<wire::Op::kCreateToken>(*root, request);
    EXPECT_TRUE(reply.ok()) << reply.error().Text();
    return reply->token;
  }

  // CKM_EC_KEY_PAIR_GEN on P-256 with this label, as token objects.
  Result<wire::KeyPairReply> MakeKey(Caller& caller, const wire::TokenId& token,
                                     const std::string& label, bool persistent = true,
                                     const wire::AttributeList& more = {}) {
    static constexpr uint8_t kP256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    wire::GenerateKeyPairRequest request;
    request.token = token;
    request.mechanism.type = CKM_EC_KEY_PAIR_GEN;
    request.public_attributes.Set(CKA_EC_PARAMS, kP256);
    for (wire::AttributeList* attributes :
         {&request.public_attributes, &request.private_attributes}) {
      attributes->SetBool(CKA_TOKEN, persistent);
      attributes->SetText(CKA_LABEL, label);
    }
    request.private_attributes.SetBool(CKA_SIGN, true);
    request.private_attributes.SetBool(CKA_DERIVE, true);
    for (const wire::Attribute& attribute : more.items)
      request.private_attributes.Set(attribute.type, attribute.value);
    return Run<wire::Op::kGenerateKeyPair>(caller, request);
  }

  static wire::ObjectRef ByLabel(const std::string& label) {
    wire::ObjectRef ref;
    ref.token_label = "token";
    ref.label = label;
    return ref;
  }
  static wire::SignRequest SignWith(const wire::ObjectRef& key) {
    wire::SignRequest request;
    request.key = key;
    request.mechanism.type = CKM_ECDSA;
    request.input = Bytes(32, 0x42);
    return request;
  }

  std::string directory_;
  TestClock clock_;
  config::DaemonConfig config_;
  server::ServerStats server_stats_;
  std::unique_ptr<keys::ObjectStore> store_;
  std::unique_ptr<audit::AuditLog> audit_;
  std::unique_ptr<session::HandshakeContext> handshake_;
  std::unique_ptr<session::SessionMap> sessions_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<Dispatcher> dispatcher_;
};

}  // namespace keyclave::ops
