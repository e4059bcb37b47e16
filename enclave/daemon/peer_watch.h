// What other members of the fleet say about the store that all share (`fleet: peers:`). etcd and
// the network to it are believed nothing, but each member believes its own copy: whoever rules etcd
// could show two of them two histories, or show one of them the same state for ever. Members that
// ask each other find both.
#pragma once

#include <atomic>
#include <condition_variable>
#include <thread>

#include "enclave/config/daemon_config.h"
#include "enclave/keys/object_store.h"

namespace keyclave::client {
class Client;
}

namespace keyclave::daemon {

class PeerWatch {
 public:
  // `store` is the fleet's; asks until the end of its life, about once a second.
  PeerWatch(const config::DaemonConfig& config, const keys::ObjectStore& store);
  ~PeerWatch();
  PeerWatch(const PeerWatch&) = delete;
  PeerWatch& operator=(const PeerWatch&) = delete;

  // Why the two histories are different ones; empty: nobody has found any. It stays: which of the
  // two is right, no member can know.
  std::string Fork() const KC_EXCLUDES(mutex_);
  bool has_fork() const { return has_fork_.load(std::memory_order_relaxed); }
  // The newest epoch that another member has named, and which member that was.
  struct Newest {
    uint64_t epoch = 0;
    std::string member;
  };
  Newest newest() const KC_EXCLUDES(mutex_);

 private:
  struct Peer {
    std::string name;
    std::unique_ptr<client::Client> client;
    bool answers = true;
  };
  void Run();
  void Ask(Peer& peer);
  bool Go(std::chrono::milliseconds rest) KC_EXCLUDES(mutex_);  // false: it is to stop

  const keys::ObjectStore& store_;
  std::vector<Peer> peers_;
  mutable Mutex mutex_;
  std::condition_variable_any changed_;
  bool stopping_ KC_GUARDED_BY(mutex_) = false;
  std::atomic<bool> has_fork_{false};
  std::string fork_ KC_GUARDED_BY(mutex_);
  Newest newest_ KC_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace keyclave::daemon
