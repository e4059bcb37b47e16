// Which connection a request takes, and when there is to be another one.
//
// Requests share connections: first one for each processor, so that a daemon on as many workers has
// all of them at work; then each of these fills up to kShare requests, which travel and are signed
// in groups; then there are more connections, up to the limit, and beyond it still more requests on
// each. What takes the enclave long has a connection of its own: it would keep others of its kind
// waiting.
// Opening a connection, or proving anything on one, is one thread's business at a time (the turn).
// Nobody waits beyond a deadline.
#pragma once

#include <condition_variable>

#include "enclave/base/mutex.h"
#include "enclave/client/channel.h"

namespace keyclave::client {

class ChannelPool {
  struct Place {
    std::shared_ptr<Channel> channel;
    uint64_t number = 0;  // in the order of opening
    unsigned users = 0;
    bool alone = false;  // the user wants it so
  };

 public:
  struct Wish {
    bool alone = false;
    // A connection is looked at before it is used: this request must not be lost on a dead one.
    bool once = false;
    uint64_t newer_than = 0;  // connections up to this number may be as dead as it was
  };
  // A share in a channel; it ends with the lease.
  class Lease {
   public:
    Lease(ChannelPool& pool, std::shared_ptr<Channel> channel, uint64_t number, bool first)
        : pool_(&pool), channel_(std::move(channel)), number_(number), first_(first) {}
    Lease(Lease&& other) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (channel_) pool_->Release(number_);
    }
    Channel& channel() { return *channel_; }
    // Whether nobody else used it when it was taken.
    bool first() const { return first_; }
    // Nobody takes the channel any more.
    void Drop() { pool_->Remove(number_); }

   private:
    ChannelPool* pool_;
    std::shared_ptr<Channel> channel_;
    const uint64_t number_;
    const bool first_;
  };

  // `processors`: 0 counts as 1.
  ChannelPool(size_t limit, const Pausing* pausing, unsigned processors);
  // Says goodbye on every channel. Nobody has a lease any more.
  ~ChannelPool();
  ChannelPool(const ChannelPool&) = delete;
  ChannelPool& operator=(const ChannelPool&) = delete;

  // nullopt: the caller has the turn, and shall Add a new channel or end the turn. kDeadline.
  Result<std::optional<Lease>> Take(const Wish& wish, Deadline deadline);
  Lease Add(std::shared_ptr<Channel> channel, const Wish& wish);
  // One that nobody uses yet.
  void Put(std::shared_ptr<Channel> channel);
  // Nobody takes any of the channels any more. Those in use end with their users.
  void Retire();
  bool empty() const;
  // The number of the newest channel.
  uint64_t newest() const;

  Status BeginTurn(Deadline deadline);
  // Only if nobody has it.
  bool TryTurn();
  bool turn_taken() const;
  void EndTurn();

 private:
  static constexpr unsigned kShare = 8;

  Place* LeastUsed(const Wish& wish) KC_REQUIRES(mutex_);
  bool WantsMore(const Wish& wish, const Place* best) KC_REQUIRES(mutex_);
  bool MakeRoom(const Wish& wish) KC_REQUIRES(mutex_);
  Status Wait(const Wish& wish, Deadline deadline) KC_REQUIRES(mutex_);
  void Release(uint64_t number);
  void Remove(uint64_t number);
  Place* Find(uint64_t number) KC_REQUIRES(mutex_);

  const size_t limit_;
  const Pausing* const pausing_;
  const size_t processors_;
  mutable Mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<Place> places_ KC_GUARDED_BY(mutex_);
  uint64_t last_number_ KC_GUARDED_BY(mutex_) = 0;
  bool turn_taken_ KC_GUARDED_BY(mutex_) = false;
  unsigned waiting_ KC_GUARDED_BY(mutex_) = 0;
  unsigned want_alone_ KC_GUARDED_BY(mutex_) = 0;  // of those
};

}  // namespace keyclave::client
