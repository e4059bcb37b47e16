#include "enclave/server/server.h"

#include "enclave/server/acceptor.h"

namespace keyclave::server {
namespace {

unsigned Cores() { return std::max(1U, std::thread::hardware_concurrency()); }

}  // namespace

struct Server::Parts {
  Parts(ServerConfig given, session::SessionMap& sessions, RequestHandler& handler,
        const Clock& clock, std::shared_ptr<const wire::TlsIdentity> own)
      : config(std::move(given)),
        identity(std::move(own)),
        services{.sessions = sessions,
                 .handler = handler,
                 .clock = clock,
                 .limits = config.limits,
                 .stats = stats,
                 .slow = slow,
                 .spin = config.spin,
                 .identity = identity} {}

  const ServerConfig config;
  const std::shared_ptr<const wire::TlsIdentity> identity;
  ServerStats stats;
  SlowPool slow;
  const Services services;
  std::vector<Listener> listeners;
  std::vector<std::unique_ptr<Worker>> workers;
  std::unique_ptr<Acceptor> acceptor;
};

Result<std::unique_ptr<Server>> Server::Create(ServerConfig config, session::SessionMap& sessions,
                                               RequestHandler& handler, const Clock& clock) {
  KC_ASSIGN(auto identity, wire::TlsIdentity::Create());
  return std::unique_ptr<Server>(new Server(
      std::make_unique<Parts>(std::move(config), sessions, handler, clock, std::move(identity))));
}

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Server::~Server() { Stop(); }

Status Server::Listen() {
  for (const Endpoint& endpoint : parts_->config.listen) {
    KC_ASSIGN(Listener listener, Listener::Open(endpoint, parts_->config.socket_mode));
    parts_->listeners.push_back(std::move(listener));
  }
  return Done{};
}

Status Server::Start() {
  if (parts_->listeners.empty()) KC_CHECK_OK(Listen());
  const unsigned workers = parts_->config.workers == 0 ? Cores() : parts_->config.workers;
  for (unsigned i = 0; i < workers; ++i) {
    KC_ASSIGN(auto worker, Worker::Create(parts_->services));
    parts_->workers.push_back(std::move(worker));
  }
  parts_->acceptor =
      std::make_unique<Acceptor>(parts_->services, parts_->listeners, parts_->workers);
  parts_->slow.Start(workers);
  for (const auto& worker : parts_->workers) worker->Start();
  return parts_->acceptor->Start();
}

// Nobody new comes in; what was read is answered (slow requests too, while the drain limit lasts);
// then the threads end.
void Server::Stop() {
  if (parts_->acceptor) parts_->acceptor->Stop();
  parts_->listeners.clear();
  for (const auto& worker : parts_->workers) worker->RequestStop();
  for (const auto& worker : parts_->workers) worker->Join();
  parts_->slow.Stop();
  parts_->workers.clear();
  parts_->acceptor.reset();
}

uint16_t Server::port() const {
  for (const Listener& listener : parts_->listeners) {
    if (listener.endpoint().kind == Endpoint::Kind::kTcp) return listener.endpoint().port;
  }
  return 0;
}

const ByteArray<32>& Server::server_spki() const { return parts_->identity->spki(); }

const ServerStats& Server::stats() const { return parts_->stats; }

}  // namespace keyclave::server
