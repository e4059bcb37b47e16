#include "enclave/daemon/daemon.h"

#include <malloc.h>
#include <unistd.h>

#include "attest/produce/produce.h"
#include "enclave/daemon/audit_key.h"
#include "enclave/daemon/fleet_keeper.h"
#include "enclave/daemon/process.h"
#include "enclave/daemon/record_keeping.h"
#include "enclave/daemon/self.h"
#include "enclave/daemon/state.h"
#include "enclave/ops/dispatch.h"
#include "enclave/ops/version_floor.h"
#include "enclave/seal/seal.h"
#include "enclave/server/sandbox.h"
#include "enclave/server/server.h"

namespace keyclave::daemon {
namespace {

constexpr std::chrono::milliseconds kDrainLook(50);  // between two looks at who is left

std::vector<wire::ClaimText> TextsOf(const attest::ClaimSet& claims) {
  std::vector<wire::ClaimText> texts;
  for (const auto& [name, claim] : claims)
    texts.push_back({name, attest::ToText(claim.value), claim.origin == attest::Origin::kAttested});
  return texts;
}

Result<server::ServerConfig> NetworkOf(const config::DaemonConfig& config) {
  server::ServerConfig network;
  network.listen = config.listen;
  network.socket_mode = config.socket_mode;
  network.workers = config.workers;
  network.spin = std::chrono::microseconds(config.spin);
  network.limits.connections = config.limits.connections;
  network.limits.requests_in_flight = config.limits.requests_in_flight;
  return network;
}

}  // namespace

struct Daemon::Parts {
  Parts(config::DaemonConfig settings, const Clock& time)
      : config(std::move(settings)),
        sealer(seal::MakeRootSealer(config.sealing, config.producer)),
        clock(time) {}

  Status OpenState();
  Status OpenStore(const keys::WitnessChoice& witness);
  Status OpenNetwork();
  void OpenMultiBuffer();
  void OnSessionEnd(const session::Session& ended) const;
  void SendCallersAway(RecordKeeping& records);

  const config::DaemonConfig config;
  const std::unique_ptr<keys::RootSealer> sealer;
  const Clock& clock;
  std::vector<std::string> warnings;
  std::vector<wire::ClaimText> claims;
  Bytes audit_public_key;
  std::unique_ptr<FleetKeeper> fleet;  // null: the store is this daemon's own
  std::unique_ptr<keys::ObjectStore> store;
  std::unique_ptr<audit::AuditLog> audit;
  std::unique_ptr<const mech::MultiBuffer> multi_buffer;
  std::unique_ptr<session::HandshakeContext> handshake;
  std::unique_ptr<session::SessionMap> sessions;
  std::unique_ptr<ops::Service> service;
  std::unique_ptr<ops::Dispatcher> dispatcher;
  std::unique_ptr<server::Server> server;
};

Status Daemon::Parts::OpenStore(const keys::WitnessChoice& witness) {
  keys::OpenOptions options{.progress = StartProgress(clock)};
  if (config.fleet.has_value()) {
    KC_ASSIGN(fleet, FleetKeeper::Create(*config.fleet, config.state, clock));
    options = fleet->Options(std::move(options.progress));
  }
  KC_ASSIGN(store, keys::ObjectStore::Open(config.state, *sealer, witness, options));
  if (fleet == nullptr) return Done{};
  KC_ASSIGN(const bool caught_up, fleet->CatchUp(*store));
  if (!caught_up) return Fail(Code::kStoreUnreachable, "ended while it waited");
  // Only so the others can give this machine what they get when a member leaves.
  if (const Status announced = store->AnnounceMember(); !announced.ok())
    Log(LogLevel::kWarning,
        "the others do not know this machine's key: " + announced.error().Text());
  return Done{};
}

Status Daemon::Parts::OpenState() {
  KC_CHECK_OK(PrepareMemory(config.allow_unlocked_memory, warnings));
  if (config.IsSimulated()) {
    warnings.emplace_back(
        "SIMULATED ENCLAVE: keys are protected from nobody who has root on this machine");
  }
  KC_ASSIGN(const attest::ClaimSet own, ProveSelf(config, clock));
  claims = TextsOf(own);
  const keys::WitnessChoice witness = WitnessOf(config);
  if (std::string limit = keys::WitnessLimit(witness, sealer->Counter() != nullptr); !limit.empty())
    warnings.push_back(std::move(limit));
  KC_CHECK_OK(OpenStore(witness));
  KC_CHECK_OK(ops::CheckVersion(*store, own));
  if (std::string warning = RecoveryWarning(config, store->recovery()); !warning.empty())
    warnings.push_back(std::move(warning));
  malloc_trim(0);  // reading a large store takes a lot that nobody needs any more
  KC_ASSIGN(AuditKey key, DeriveAuditKey(*store));
  audit_public_key = std::move(key.public_key);
  KC_ASSIGN(audit, OpenAudit(config.state, *store, clock, std::move(key.sign)));
  return Done{};
}

// Without it signatures are OpenSSL's, one by one: no reason not to start.
void Daemon::Parts::OpenMultiBuffer() {
  if (!config.use_crypto_mb) return;
  auto loaded = mech::MultiBuffer::Load({});
  if (!loaded.ok()) {
    Log(LogLevel::kInfo, "signatures are made one by one: " + loaded.error().Text());
    return;
  }
  multi_buffer = std::move(loaded).value();
  Log(LogLevel::kInfo, "signatures are made in groups by " + multi_buffer->Describe());
}

void Daemon::Parts::OnSessionEnd(const session::Session& ended) const {
  store->RemoveSessionObjects(ended.id());
  if (service != nullptr) service->uses.Forget(ended.id());
}

Status Daemon::Parts::OpenNetwork() {
  handshake = std::unique_ptr<session::HandshakeContext>(new session::HandshakeContext{
      config.trust, config.producer, config.tee, store->enclave_id(), KEYCLAVE_VERSION,
      config.IsSimulated(), config.evidence_max_age, clock});
  session::SessionLimits limits;
  limits.max_sessions = config.limits.sessions;
  sessions = std::make_unique<session::SessionMap>(
      limits, clock, [this](const session::Session& ended) { OnSessionEnd(ended); });
  // The dispatcher needs the server's counters and the server the dispatcher: counters are what
  // both are handed.
  service = std::make_unique<ops::Service>(config, clock, *store, *sessions, *handshake, *audit);
  handshake->draining = [this] { return sessions->drain().round() != 0; };
  handshake->collateral_grace = [this] { return service->policies.MostCollateralGrace(*store); };
  service->started = clock.Now();
  OpenMultiBuffer();
  service->multi_buffer = multi_buffer.get();
  service->fleet = fleet.get();
  service->warnings = warnings;
  service->claims = claims;
  service->audit_key = audit_public_key;
  dispatcher = std::make_unique<ops::Dispatcher>(*service);
  KC_ASSIGN(server::ServerConfig network, NetworkOf(config));
  KC_ASSIGN(server, server::Server::Create(std::move(network), *sessions, *dispatcher, clock));
  service->server_stats = &server->stats();
  return server->Listen();
}

// Nobody waits for callers that have nowhere to go. Another signal ends it.
void Daemon::Parts::SendCallersAway(RecordKeeping& records) {
  session::Drain& drain = sessions->drain();
  drain.Begin();
  const auto until = clock.Steady() + std::chrono::seconds(config.drain);
  if (const uint64_t count = drain.movable; count != 0)
    Log(LogLevel::kInfo, "draining " + std::to_string(count) + " connections");
  while (drain.movable != 0 && clock.Steady() < until && !WaitForEnd(kDrainLook)) records.Tick();
}

Daemon::Daemon(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Daemon::~Daemon() = default;

Result<std::unique_ptr<Daemon>> Daemon::SetUp(config::DaemonConfig config, const Clock& clock) {
  BlockSignals();
  auto parts = std::make_unique<Parts>(std::move(config), clock);
  KC_CHECK_OK(parts->OpenState());
  KC_CHECK_OK(parts->OpenNetwork());
  for (const std::string& warning : parts->warnings) Log(LogLevel::kWarning, warning);
  KC_CHECK_OK(parts->audit->Write("start", {{"version", KEYCLAVE_VERSION},
                                            {"enclave", parts->store->enclave_id()},
                                            {"tee", parts->config.tee},
                                            {"sealing", parts->sealer->Name()},
                                            {"epoch", std::to_string(parts->store->epoch())}}));
  return std::unique_ptr<Daemon>(new Daemon(std::move(parts)));
}

Status Daemon::Drop() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  // Sanitizers look into their own process with the very calls that the filter kills for.
  return Done{};
#else
  Status dropped = server::HideMemory();
  if (dropped.ok()) dropped = server::FilterSystemCalls(attest::ProducerIoctls(parts_->config.tee));
  if (dropped.ok() || parts_->config.tee != "sgx") return dropped;
  // Inside an SGX enclave the system is a library in the same address space, and knows no filters:
  // what the enclave keeps out is out already.
  Log(LogLevel::kInfo, "no filter on system calls inside this enclave: " + dropped.error().Text());
  return Done{};
#endif
}

Status Daemon::Serve() {
  if (parts_->fleet != nullptr) parts_->fleet->Start(parts_->config, *parts_->store);
  KC_CHECK_OK(parts_->server->Start());
  for (const Endpoint& endpoint : parts_->config.listen)
    Log(LogLevel::kInfo, "listening on " + endpoint.Text());
  NotifyManager("READY=1");
  NotifyManager("STATUS=serving");
  RecordKeeping records(*parts_->service, parts_->clock);
  while (!WaitForEnd(std::chrono::seconds(1))) records.Tick();
  NotifyManager("STOPPING=1");
  parts_->SendCallersAway(records);
  parts_->server->Stop();
  if (const Status closed = parts_->service->limits.Close(); !closed.ok())
    Log(LogLevel::kWarning,
        "uses that were set aside are not given back: " + closed.error().Text());
  const Status finished = records.Finish();
  if (parts_->fleet != nullptr) parts_->fleet->Stop();
  return finished;
}

}  // namespace keyclave::daemon
