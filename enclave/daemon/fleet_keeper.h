// What a member of a fleet does beside serving: it watches the store that all share, takes in what
// the others change within a second, and knows since when it has not been able to.
#pragma once

#include <atomic>
#include <condition_variable>
#include <thread>

#include "enclave/daemon/peer_watch.h"
#include "enclave/fleet/fleet_store.h"
#include "enclave/keys/object_store.h"
#include "enclave/ops/fleet_view.h"

namespace keyclave::daemon {

class FleetKeeper final : public ops::FleetView {
 public:
  // kInvalidArgument, kNotFound, kPermissionDenied for files of `fleet:` that cannot be read.
  static Result<std::unique_ptr<FleetKeeper>> Create(const config::FleetConfig& config,
                                                     const std::string& state, const Clock& clock);
  ~FleetKeeper() override;

  // How ObjectStore::Open gets the store that is shared.
  keys::OpenOptions Options(keys::Progress progress);
  // Waits until what the others have committed is here, however long that takes; false: a signal
  // asked the daemon to end meanwhile. What the store says about a shared store that is not the
  // continuation of this machine's copy.
  Result<bool> CatchUp(keys::ObjectStore& store);
  // Begins a fleet with what this store has. kStoreExists.
  keyclave::Status Publish() { return shared_->Publish(); }
  // Watches until Stop; with `config`'s peers, if it has any.
  void Start(const config::DaemonConfig& config, keys::ObjectStore& store);
  void Stop();

  keyclave::Status MayServe() const override;
  wire::FleetStatus Status() const override;

 private:
  FleetKeeper(config::FleetConfig config, std::string position_file,
              std::shared_ptr<fleet::Etcd> etcd, const Clock& clock);
  void Run(keys::ObjectStore& store);
  Result<bool> Look(keys::ObjectStore& store);
  void Note(const Result<bool>& looked) KC_EXCLUDES(mutex_);
  bool IsStale() const;
  // Whether others have had a newer state for longer than the way here takes.
  keyclave::Status CompareWithPeers(const keys::ObjectStore& store);
  // Seals some rows of older generations anew, where no other member does. Whether it goes on.
  bool Reseal(keys::ObjectStore& store);
  bool Go(std::chrono::milliseconds rest) KC_EXCLUDES(mutex_);  // false: it is to stop

  const config::FleetConfig config_;
  const std::string position_file_;
  const std::shared_ptr<fleet::Etcd> etcd_;
  const Clock& clock_;
  std::shared_ptr<fleet::SharedRows> rows_;  // from Options on
  fleet::FleetStore* shared_ = nullptr;      // the vault's, made by what Options gives
  int64_t revision_ = 0;                     // at which the last look found nothing more
  std::atomic<bool> is_left_behind_{false};  // the fleet was restored from a backup, without it
  std::atomic<int64_t> contact_;             // steady, nanoseconds: the last that succeeded
  std::atomic<bool> removed_{false};         // the others have gone on without this member
  uint64_t older_rows_ = 0;                  // of older generations, when it was looked last
  int64_t older_since_ = 0;                  // steady, nanoseconds: as many since then
  bool reseals_ = false;                     // this member does
  std::unique_ptr<PeerWatch> peers_;         // null: no others are asked
  int64_t behind_since_ = 0;                 // steady, nanoseconds; 0: not behind
  std::thread thread_;

  mutable Mutex mutex_;
  std::condition_variable_any changed_;
  bool stopping_ KC_GUARDED_BY(mutex_) = false;
  std::string trouble_ KC_GUARDED_BY(mutex_);  // why the last look failed; empty: it did not
};

// Writes this machine's store to etcd, as the beginning of a fleet (keyclaved --publish). The
// store's errors; kStoreExists.
Status PublishStore(const config::DaemonConfig& config, const keys::RootSealer& sealer,
                    const Clock& clock);

}  // namespace keyclave::daemon
