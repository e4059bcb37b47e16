#include "enclave/daemon/peer_watch.h"

#include "enclave/base/log.h"
#include "enclave/daemon/as_caller.h"

namespace keyclave::daemon {
namespace {

constexpr std::chrono::milliseconds kPause{1000};
constexpr std::chrono::milliseconds kDeadline{2000};

// The epoch at which both name another head; nullopt: none that both know.
std::optional<uint64_t> PartedAt(const keys::ObjectStore& store, const wire::StoreMark& asked,
                                 const wire::CompareMarksReply& reply) {
  if (reply.then.has_value() && *reply.then != asked.head) return asked.epoch;
  const auto mine = store.HeadDigestAt(reply.mine.epoch);
  if (mine.has_value() && *mine != reply.mine.head) return reply.mine.epoch;
  return std::nullopt;
}

}  // namespace

PeerWatch::PeerWatch(const config::DaemonConfig& config, const keys::ObjectStore& store)
    : store_(store) {
  const config::FleetConfig::Peers& peers = *config.fleet->peers;
  for (const Endpoint& endpoint : peers.endpoints) {
    client::ClientConfig caller = AsCaller(config, {endpoint, store.enclave_id(), peers.expect});
    caller.deadline = kDeadline;
    peers_.push_back({endpoint.Text(), std::make_unique<client::Client>(std::move(caller))});
  }
  thread_ = std::thread([this] { Run(); });
}

PeerWatch::~PeerWatch() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

bool PeerWatch::Go(std::chrono::milliseconds rest) {
  const MutexLock lock(mutex_);
  if (!stopping_ && rest != rest.zero()) changed_.wait_for(mutex_, rest);
  return !stopping_;
}

void PeerWatch::Run() {
  do {
    for (Peer& peer : peers_) {
      if (!Go(std::chrono::milliseconds::zero())) return;
      Ask(peer);
    }
  } while (Go(kPause));
}

// A member that does not answer says nothing: the others are not stopped by it.
void PeerWatch::Ask(Peer& peer) {
  const keys::Witness::Mark mark = store_.mark();
  const wire::StoreMark mine{mark.epoch, mark.head_digest};
  const auto reply = peer.client->Call<wire::Op::kCompareMarks>({mine});
  const bool answered_before = std::exchange(peer.answers, reply.ok());
  if (!reply.ok()) {
    if (answered_before)
      Log(LogLevel::kWarning,
          "the member at " + peer.name +
              " cannot be asked about the fleet's history: " + reply.error().Text());
    return;
  }
  const std::optional<uint64_t> parted = PartedAt(store_, mine, *reply);
  const MutexLock lock(mutex_);
  if (reply->mine.epoch > newest_.epoch) newest_ = {reply->mine.epoch, peer.name};
  if (!parted.has_value() || !fork_.empty()) return;
  fork_ =
      "the member at " + peer.name + " has another state of epoch " + std::to_string(*parted) +
      ": somebody showed it and this member two histories. Decide which one counts; whoever has "
      "the other one moves its state away and joins again";
  has_fork_.store(true);
  Log(LogLevel::kError, fork_ + "; no key is used here any more");
}

std::string PeerWatch::Fork() const {
  const MutexLock lock(mutex_);
  return fork_;
}

PeerWatch::Newest PeerWatch::newest() const {
  const MutexLock lock(mutex_);
  return newest_;
}

}  // namespace keyclave::daemon
