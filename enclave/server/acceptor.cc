#include "enclave/server/acceptor.h"

#include <poll.h>
#include <sys/eventfd.h>

#include "enclave/base/file.h"
#include "enclave/base/log.h"

namespace keyclave::server {
namespace {

constexpr int kSweepMilliseconds = 2000;
constexpr int kPauseMilliseconds = 100;  // when there are no descriptors left
constexpr int kArrivalsPerTurn = 64;

}  // namespace

Acceptor::Acceptor(const Services& services, const std::vector<Listener>& listeners,
                   const std::vector<std::unique_ptr<Worker>>& workers)
    : services_(services), listeners_(listeners), workers_(workers) {}

Acceptor::~Acceptor() { Stop(); }

Status Acceptor::Start() {
  stop_ = wire::Fd(::eventfd(0, EFD_CLOEXEC));
  if (!stop_.ok()) return ErrnoError("eventfd");
  thread_ = StartThread([this] { Run(); });
  return Done{};
}

void Acceptor::Stop() {
  if (!thread_.joinable()) return;
  static_cast<void>(::eventfd_write(stop_.get(), 1));
  thread_.join();
}

void Acceptor::Run() {
  std::vector<pollfd> all{pollfd{.fd = stop_.get(), .events = POLLIN, .revents = 0}};
  for (const Listener& listener : listeners_) {
    all.push_back(pollfd{.fd = listener.fd(), .events = POLLIN, .revents = 0});
  }
  bool exhausted = false;
  auto next_sweep = services_.clock.Steady();
  for (;;) {
    // Out of descriptors: the listeners stay readable, so only the stop signal is waited for.
    ::poll(all.data(), exhausted ? 1 : all.size(),
           exhausted ? kPauseMilliseconds : kSweepMilliseconds);
    if ((all.front().revents & POLLIN) != 0) return;
    exhausted = false;
    for (size_t i = 0; i < listeners_.size(); ++i) {
      if (!TakeArrivals(listeners_[i])) exhausted = true;
    }
    const auto now = services_.clock.Steady();
    if (now < next_sweep) continue;
    next_sweep = now + std::chrono::milliseconds(kSweepMilliseconds);
    services_.sessions.Sweep();
    TellRefusals();
  }
}

void Acceptor::TellRefusals() {
  const uint64_t refused = services_.stats.refused.load(std::memory_order_relaxed);
  if (refused == told_) return;
  Log(LogLevel::kWarning, std::to_string(refused - told_) + " connections refused: " +
                              std::to_string(services_.limits.connections) +
                              " are open (limits: connections in keyclaved.yaml)");
  told_ = refused;
}

bool Acceptor::TakeArrivals(const Listener& listener) {
  for (int i = 0; i < kArrivalsPerTurn; ++i) {
    auto arrival = listener.Accept();
    if (!arrival.ok()) {
      Log(LogLevel::kWarning, arrival.error().Text());
      return false;
    }
    if (!arrival->has_value()) return true;
    Place(std::move(arrival->value()));
  }
  return true;
}

void Acceptor::Place(Listener::Arrival arrival) {
  size_t open = 0;
  Worker* least = workers_.front().get();
  for (const auto& worker : workers_) {
    open += worker->load();
    if (worker->load() < least->load()) least = worker.get();
  }
  // Above the limit the connection is closed at once, before it costs a TLS handshake.
  if (open >= services_.limits.connections) {
    services_.stats.refused.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  services_.stats.accepted.fetch_add(1, std::memory_order_relaxed);
  least->Adopt(std::move(arrival.socket), std::move(arrival.peer));
}

}  // namespace keyclave::server
