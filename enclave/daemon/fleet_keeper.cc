#include "enclave/daemon/fleet_keeper.h"

#include "enclave/daemon/process.h"
#include "enclave/daemon/state.h"
#include "enclave/keys/state_files.h"

namespace keyclave::daemon {
namespace {

constexpr std::chrono::seconds kLook{1};  // without news: how long until the next look
constexpr std::chrono::milliseconds kRetry{250};
constexpr size_t kResealed = 90;                   // rows of one commit: one transaction of etcd's
constexpr std::chrono::milliseconds kBetween{20};  // two such commits: for everybody else's
// Nobody seals rows anew for so long: then this member does.
constexpr std::chrono::seconds kTakeOver{2};
// For what another member knows to arrive through etcd, too.
constexpr std::chrono::seconds kArrival{5};

int64_t Nanoseconds(std::chrono::steady_clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

fleet::EtcdConfig EtcdOf(const config::FleetConfig& config) {
  fleet::EtcdConfig etcd;
  etcd.endpoints = config.endpoints;
  etcd.ca_file = config.ca_file;
  etcd.certificate_file = config.certificate_file;
  etcd.key_file = config.key_file;
  etcd.prefix = config.prefix;
  etcd.deadline = config.deadline;
  return etcd;
}

}  // namespace

FleetKeeper::FleetKeeper(config::FleetConfig config, std::string position_file,
                         std::shared_ptr<fleet::Etcd> etcd, const Clock& clock)
    : config_(std::move(config)),
      position_file_(std::move(position_file)),
      etcd_(std::move(etcd)),
      clock_(clock),
      contact_(Nanoseconds(clock.Steady())) {}

FleetKeeper::~FleetKeeper() { Stop(); }

Result<std::unique_ptr<FleetKeeper>> FleetKeeper::Create(const config::FleetConfig& config,
                                                         const std::string& state,
                                                         const Clock& clock) {
  KC_ASSIGN(std::shared_ptr<fleet::Etcd> etcd, fleet::Etcd::Create(EtcdOf(config)));
  return std::unique_ptr<FleetKeeper>(
      new FleetKeeper(config, keys::StateFiles::Position(state), std::move(etcd), clock));
}

keys::OpenOptions FleetKeeper::Options(keys::Progress progress) {
  keys::OpenOptions options;
  options.progress = std::move(progress);
  options.member = config_.member;
  options.share = [this](std::unique_ptr<store::Store> copy,
                         const ByteArray<16>& enclave_id) -> Result<std::unique_ptr<store::Store>> {
    rows_ = std::make_shared<fleet::SharedRows>(etcd_, config_.prefix, enclave_id);
    auto made = std::make_unique<fleet::FleetStore>(std::move(copy), rows_, position_file_);
    shared_ = made.get();
    return std::unique_ptr<store::Store>(std::move(made));
  };
  return options;
}

// The number is of before the look: what happens during it is seen by the next one.
Result<bool> FleetKeeper::Look(keys::ObjectStore& store) {
  KC_ASSIGN(const fleet::SharedRows::State now, rows_->Now());
  KC_ASSIGN(const bool moved, store.Refresh());
  revision_ = now.revision;
  KC_CHECK_OK(CompareWithPeers(store));
  return moved;
}

// An etcd that shows less than another member has is as good as none.
keyclave::Status FleetKeeper::CompareWithPeers(const keys::ObjectStore& store) {
  if (peers_ == nullptr) return Done{};
  const PeerWatch::Newest newest = peers_->newest();
  const uint64_t mine = store.mark().epoch;
  const int64_t now = Nanoseconds(clock_.Steady());
  if (newest.epoch <= mine) {
    behind_since_ = 0;
    return Done{};
  }
  if (behind_since_ == 0) behind_since_ = now;
  if (now - behind_since_ < std::chrono::nanoseconds(kArrival).count()) return Done{};
  return Fail(Code::kStoreUnreachable, "etcd shows epoch " + std::to_string(mine) +
                                           ", and the member at " + newest.member + " has epoch " +
                                           std::to_string(newest.epoch));
}

void FleetKeeper::Note(const Result<bool>& looked) {
  std::string before;
  {
    const MutexLock lock(mutex_);
    before = std::exchange(trouble_, looked.ok() ? "" : looked.error().Text());
  }
  if (looked.ok()) contact_.store(Nanoseconds(clock_.Steady()));
  // The others go on without what this member has: there is nothing to wait for.
  if (!looked.ok() && looked.code() == Code::kStoreRestored) {
    if (is_left_behind_.exchange(true)) return;
    return Log(LogLevel::kError, looked.error().Text() + "; keys are not used any more");
  }
  if (!looked.ok() && looked.code() == Code::kFleetRemoved) {
    removed_.store(true);
    return Log(LogLevel::kError, looked.error().Text() + "; no key is used here any more");
  }
  if (looked.ok() && !before.empty())
    Log(LogLevel::kInfo, "the fleet's store is there again; everything is up to date");
  if (!looked.ok() && before.empty())
    Log(LogLevel::kError, looked.error().Text() + "; keys are used for " +
                              std::to_string(config_.offline.count()) +
                              " s more, and changes are refused");
}

Result<bool> FleetKeeper::CatchUp(keys::ObjectStore& store) {
  for (bool said = false;; said = true) {
    const Result<bool> looked = Look(store);
    if (looked.ok()) {
      contact_.store(Nanoseconds(clock_.Steady()));
      return true;
    }
    const bool may_pass = looked.code() == Code::kStoreUnreachable ||
                          looked.code() == Code::kStoreFull || looked.code() == Code::kStoreIo;
    if (!may_pass) return looked.error();
    if (!said)
      Log(LogLevel::kWarning,
          "waiting for the fleet's store, without which nothing is known of what was revoked: " +
              looked.error().Text());
    NotifyManager("STATUS=waiting for the fleet's store\nEXTEND_TIMEOUT_USEC=10000000");
    if (WaitForEnd(kLook)) return false;
  }
}

void FleetKeeper::Start(const config::DaemonConfig& config, keys::ObjectStore& store) {
  if (config_.peers.has_value()) peers_ = std::make_unique<PeerWatch>(config, store);
  thread_ = std::thread([this, &store] { Run(store); });
}

void FleetKeeper::Stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  peers_.reset();
}

bool FleetKeeper::Go(std::chrono::milliseconds rest) {
  const MutexLock lock(mutex_);
  if (!stopping_ && rest != rest.zero()) changed_.wait_for(mutex_, rest);
  return !stopping_;
}

// Members do not agree on who does it: they see that it goes on, or that it does not. Where two
// begin at once, one of them is first, and the other sees that.
bool FleetKeeper::Reseal(keys::ObjectStore& store) {
  const uint64_t older = store.generation().older_rows;
  const int64_t now = Nanoseconds(clock_.Steady());
  if (older != older_rows_) {
    older_rows_ = older;
    older_since_ = now;
  }
  if (older != 0 && !reseals_ && now - older_since_ < std::chrono::nanoseconds(kTakeOver).count())
    return false;
  const Result<size_t> done = store.Reseal(kResealed);
  reseals_ = done.ok() && *done != 0;
  if (!done.ok() && done.code() != Code::kStoreMoved)
    Log(LogLevel::kWarning, "rows are not sealed anew: " + done.error().Text());
  if (!done.ok()) older_since_ = now;
  return reseals_;
}

void FleetKeeper::Run(keys::ObjectStore& store) {
  for (bool woken = false;;) {
    const Result<bool> looked = Look(store);
    Note(looked);
    if (removed_.load()) return;
    if (looked.ok() && Reseal(store)) {
      if (!Go(kBetween)) return;
      continue;
    }
    // Who is woken for nothing, or cannot look, takes it slowly.
    const bool may_watch = looked.ok() && (*looked || !woken);
    const Result<bool> watched = may_watch ? rows_->Wait(revision_, kLook) : Result<bool>(false);
    woken = watched.ok() && *watched;
    const bool rests = !may_watch || !watched.ok();
    if (!Go(rests ? kRetry : kRetry.zero())) return;
  }
}

keyclave::Status FleetKeeper::MayServe() const {
  if (peers_ != nullptr && peers_->has_fork()) return Fail(Code::kStoreForked);
  if (removed_.load(std::memory_order_relaxed)) return Fail(Code::kFleetRemoved);
  if (IsStale()) return Fail(Code::kFleetStale);
  return Done{};
}

bool FleetKeeper::IsStale() const {
  if (is_left_behind_.load(std::memory_order_relaxed)) return true;
  return Nanoseconds(clock_.Steady()) - contact_.load(std::memory_order_relaxed) >
         std::chrono::nanoseconds(config_.offline).count();
}

wire::FleetStatus FleetKeeper::Status() const {
  wire::FleetStatus status;
  status.member = config_.member;
  const int64_t ago = Nanoseconds(clock_.Steady()) - contact_.load();
  status.contact = clock_.Now() - ago / 1'000'000'000;
  status.offline = static_cast<uint64_t>(config_.offline.count());
  status.stale = IsStale();
  const MutexLock lock(mutex_);
  status.trouble = trouble_;
  if (peers_ == nullptr || !peers_->has_fork()) return status;
  status.stale = true;
  status.trouble = peers_->Fork();
  return status;
}

Status PublishStore(const config::DaemonConfig& config, const keys::RootSealer& sealer,
                    const Clock& clock) {
  KC_ASSIGN(const std::unique_ptr<FleetKeeper> keeper,
            FleetKeeper::Create(*config.fleet, config.state, clock));
  // Opened whole: what is published has been checked, its age against the witness too.
  KC_ASSIGN(const auto store,
            keys::ObjectStore::Open(config.state, sealer, WitnessOf(config), keeper->Options({})));
  return keeper->Publish();
}

}  // namespace keyclave::daemon
