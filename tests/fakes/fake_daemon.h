// An enclave without keys: the real server and the real attestation handshake, behind them a
// handler that answers as the test says and counts what it was asked.
#pragma once

#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <map>
#include <set>

#include "attest/simulated_root.h"
#include "enclave/base/hash.h"
#include "enclave/client/client.h"
#include "enclave/server/server.h"
#include "enclave/session/handshake.h"

namespace keyclave::test {

// A folder of its own for each test, with a development root in it.
class TestFolder {
 public:
  TestFolder() {
    std::string name = std::filesystem::temp_directory_path() / "keyclave-test-XXXXXX";
    path_ = ::mkdtemp(name.data());
    static_cast<void>(attest::MakeSimulatedRoot(File("root.key"), File("root.pub")).ok());
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  ~TestFolder() { std::filesystem::remove_all(path_); }

  std::string File(const std::string& name) const { return path_ + "/" + name; }
  std::string Socket() const { return File("daemon.sock"); }
  attest::Trust Trust() const {
    return {.accepted_types = {"simulated"},
            .simulated_roots = {attest::ReadSimulatedRoot(File("root.pub")).value()}};
  }
  attest::ProducerConfig Producer() const { return {.simulated_key_file = File("root.key")}; }

  // A client that attests itself and expects a simulated enclave.
  client::ClientConfig ClientConfig(const std::string& endpoint, const std::string& more = {},
                                    const std::string& evidence = "simulated") const {
    return Parse("endpoint: " + endpoint, more, evidence);
  }
  // The same over a fleet, whose members it prefers as they stand here.
  client::ClientConfig FleetConfig(const std::vector<std::string>& endpoints,
                                   const std::string& more = {}) const {
    std::string list;
    for (const std::string& endpoint : endpoints)
      list.append(list.empty() ? "" : ", ").append(endpoint);
    client::ClientConfig config = Parse("endpoints: [" + list + "]", more, "simulated");
    config.in_order = true;
    return config;
  }
  client::ClientConfig ClientConfig() const { return ClientConfig("unix:" + Socket()); }

 private:
  client::ClientConfig Parse(const std::string& where, const std::string& more,
                             const std::string& evidence) const {
    const std::string text = where + "\nexpect: {tee: {is: simulated}}\nevidence: " + evidence +
                             "\nsimulated: {key: " + File("root.key") +
                             ", root: " + File("root.pub") + "}\n" + more;
    return client::ParseClientConfig(text, "client.yaml").value();
  }

  std::string path_;
};

// A clock of which a test moves either hand forward.
class TestClock final : public Clock {
 public:
  UnixTime Now() const override { return system_.Now() + time_ahead_.load(); }
  std::chrono::steady_clock::time_point Steady() const override {
    return system_.Steady() + std::chrono::seconds(steady_ahead_.load());
  }
  void AdvanceTime(int64_t seconds) { time_ahead_.fetch_add(seconds); }
  void AdvanceSteady(int64_t seconds) { steady_ahead_.fetch_add(seconds); }

 private:
  SystemClock system_;
  std::atomic<int64_t> time_ahead_{0};
  std::atomic<int64_t> steady_ahead_{0};
};

inline constexpr wire::TokenId kToken{1};
inline constexpr std::string_view kPin = "1234";

// Replies that wait for the end of the worker's turn.
class FakeBatch final : public server::Batch {
 public:
  std::vector<Reply> Run() override { return std::exchange(replies, {}); }
  std::vector<Reply> replies;
};

class FakeHandler final : public server::RequestHandler {
 public:
  explicit FakeHandler(session::HandshakeContext context) : context_(std::move(context)) {}

  std::unique_ptr<server::Batch> NewBatch() override { return std::make_unique<FakeBatch>(); }
  // Signatures join, if they were told to.
  std::optional<Bytes> HandleOrJoin(session::Connection& connection, const wire::Frame& request,
                                    server::Batch& batch, uint64_t number) override {
    const auto body = wire::ParseRequest(request.body);
    Bytes reply = Handle(connection, request);
    if (!signatures_join || !body.ok() || body->op != wire::Op::kSign) return reply;
    static_cast<FakeBatch&>(batch).replies.push_back({number, std::move(reply)});
    return std::nullopt;
  }
  std::atomic<bool> signatures_join{false};

  Bytes Handle(session::Connection& connection, const wire::Frame& request) override {
    const auto body = wire::ParseRequest(request.body);
    if (!body.ok()) return wire::BuildErrorReply(request.id, epoch, body.code(), {});
    {
      const std::lock_guard lock(mutex_);
      ++counts_[body->op];
      const auto refusal = refusals_.find(body->op);
      if (refusal != refusals_.end()) {
        const Code code = refusal->second;
        refusals_.erase(refusal);
        return wire::BuildErrorReply(request.id, epoch, code, "as told");
      }
    }
    const auto fields = Run(connection, *body);
    if (!fields.ok()) return wire::BuildErrorReply(request.id, epoch, fields.code(), {});
    return wire::BuildReply(request.id, epoch, *fields);
  }
  // The slow operations take until the gate is open.
  bool IsSlow(const wire::Frame& request) const override {
    const auto body = wire::ParseRequest(request.body);
    return body.ok() && (body->op == wire::Op::kVerify || body->op == wire::Op::kDeleteToken);
  }

  uint64_t Count(wire::Op op) const {
    const std::lock_guard lock(mutex_);
    const auto found = counts_.find(op);
    return found == counts_.end() ? 0 : found->second;
  }
  // The next such request is refused.
  void RefuseNext(wire::Op op, Code code) {
    const std::lock_guard lock(mutex_);
    refusals_[op] = code;
  }
  void SetGate(bool open) {
    const std::lock_guard lock(mutex_);
    open_ = open;
    gate_.notify_all();
  }
  std::set<ByteArray<32>> callers() const {
    const std::lock_guard lock(mutex_);
    return callers_;
  }
  session::HandshakeContext& context() { return context_; }
  std::atomic<bool> demand_evidence{true};

  static constexpr uint64_t kEpoch = 7;
  std::atomic<uint64_t> epoch{kEpoch};

 private:
  Result<Bytes> Run(session::Connection& connection, const wire::RequestBody& body) {
    switch (body.op) {
      case wire::Op::kHello: {
        KC_ASSIGN(const auto request, wire::Decode<wire::HelloRequest>(body.fields));
        KC_ASSIGN(const auto reply, HandleHello(context_, connection, request));
        return wire::Encode(reply);
      }
      case wire::Op::kAttest: {
        KC_ASSIGN(const auto request, wire::Decode<wire::AttestRequest>(body.fields));
        KC_ASSIGN(const auto reply, HandleAttest(context_, connection, request));
        return wire::Encode(reply);
      }
      default: break;
    }
    if (demand_evidence && !connection.session->identity()->attested) {
      return Fail(Code::kNotAttested);
    }
    {
      const std::lock_guard lock(mutex_);
      callers_.insert(connection.peer.tls_key);
    }
    return RunAttested(connection, body);
  }

  Result<Bytes> RunAttested(session::Connection& connection, const wire::RequestBody& body) {
    switch (body.op) {
      case wire::Op::kSign: {  // the "signature" is the input
        KC_ASSIGN(auto request, wire::Decode<wire::SignRequest>(body.fields));
        return wire::Encode(wire::OutputReply{std::move(request.input)});
      }
      case wire::Op::kRandom: {
        KC_ASSIGN(const auto request, wire::Decode<wire::RandomRequest>(body.fields));
        return wire::Encode(wire::OutputReply{Bytes(request.size, 0x5a)});
      }
      case wire::Op::kVerify:
      case wire::Op::kDeleteToken: {
        std::unique_lock lock(mutex_);
        gate_.wait(lock, [this] { return open_; });
        return wire::Encode(wire::Empty());
      }
      case wire::Op::kCreateObject: {  // of the session, or as its template says
        KC_ASSIGN(const auto request, wire::Decode<wire::CreateObjectRequest>(body.fields));
        wire::ObjectReply reply;
        reply.object.id = RandomArray<16>();
        reply.object.attributes.SetBool(CKA_TOKEN, request.attributes.IsTrue(CKA_TOKEN));
        return wire::Encode(reply);
      }
      case wire::Op::kDestroyObject: return wire::Encode(wire::Empty());
      case wire::Op::kCreateToken: return wire::Encode(wire::CreateTokenReply());
      case wire::Op::kListTokens: {
        if (connection.session->LoginOf(kToken) == wire::LoginState::kNone) {
          return Fail(Code::kNotLoggedIn);
        }
        return wire::Encode(wire::ListTokensReply());
      }
      case wire::Op::kLogin: return Login(connection, body.fields);
      case wire::Op::kLogout:
        connection.session->ForgetLogins(kToken);
        return wire::Encode(wire::Empty());
      default: return Fail(Code::kUnknownOperation);
    }
  }

  Result<Bytes> Login(session::Connection& connection, ByteSpan fields) {
    KC_ASSIGN(const auto request, wire::Decode<wire::LoginRequest>(fields));
    // Bound to the caller's TLS key, as the real daemon's is.
    const Bytes ticket = ToBytes(ToHex(connection.peer.tls_key));
    const bool by_pin =
        request.pin.has_value() && Equal(request.pin->Expose(SecretAccess()), AsBytes(kPin));
    const bool by_ticket = request.ticket.has_value() && *request.ticket == ticket;
    if (!by_pin && !by_ticket) return Fail(Code::kPinIncorrect);
    connection.session->SetLogin(request.token, request.user);
    return wire::Encode(wire::LoginReply{ticket});
  }

  session::HandshakeContext context_;
  mutable std::mutex mutex_;
  std::condition_variable gate_;
  bool open_ = true;
  std::map<wire::Op, uint64_t> counts_;
  std::map<wire::Op, Code> refusals_;
  std::set<ByteArray<32>> callers_;
};

class FakeDaemon {
 public:
  struct Options {
    std::vector<std::string> listen = {};  // default: the folder's unix socket
    server::ServerLimits limits = {};
    session::SessionLimits sessions = {};
    uint64_t evidence_max_age = 3600;
    unsigned workers = 2;
    std::string enclave_id = "test-enclave";
  };

  FakeDaemon(const TestFolder& folder, Options options)
      : trust_(folder.Trust()),
        producer_(folder.Producer()),
        sessions_(options.sessions, clock, nullptr),
        handler(session::HandshakeContext{.trust = trust_,
                                          .producer = producer_,
                                          .evidence_type = "simulated",
                                          .enclave_id = options.enclave_id,
                                          .version = "1",
                                          .simulated = true,
                                          .evidence_max_age = options.evidence_max_age,
                                          .clock = clock}) {
    handler.context().draining = [this] { return sessions_.drain().round() != 0; };
    server::ServerConfig config;
    if (options.listen.empty()) options.listen = {"unix:" + folder.Socket()};
    for (const std::string& endpoint : options.listen) {
      config.listen.push_back(ParseEndpoint(endpoint).value());
    }
    config.workers = options.workers;
    config.limits = options.limits;
    server = server::Server::Create(std::move(config), sessions_, handler, clock).value();
    started = server->Start();
  }
  explicit FakeDaemon(const TestFolder& folder) : FakeDaemon(folder, Options()) {}
  ~FakeDaemon() {
    handler.SetGate(true);  // a slow request in progress must be able to end
    server->Stop();
  }

  TestClock clock;

 private:
  const attest::Trust trust_;
  const attest::ProducerConfig producer_;
  session::SessionMap sessions_;

 public:
  FakeHandler handler;
  std::unique_ptr<server::Server> server;
  Status started;
  session::SessionMap& sessions() { return sessions_; }
};

}  // namespace keyclave::test
