#include "enclave/client/channel_pool.h"

namespace keyclave::client {

ChannelPool::ChannelPool(size_t limit, const Pausing* pausing, unsigned processors)
    : limit_(limit), pausing_(pausing), processors_(std::max(processors, 1U)) {}

ChannelPool::~ChannelPool() {
  for (const Place& place : places_) place.channel->SayGoodbye();
}

Result<std::optional<ChannelPool::Lease>> ChannelPool::Take(const Wish& wish, Deadline deadline) {
  for (;;) {
    std::optional<Lease> lease;
    {
      const MutexLock lock(mutex_);
      for (;;) {
        Place* best = LeastUsed(wish);
        if (WantsMore(wish, best)) {
          turn_taken_ = true;
          return std::optional<Lease>();
        }
        if (best != nullptr && (!wish.alone || best->users == 0)) {
          ++best->users;
          best->alone = wish.alone;
          lease.emplace(*this, best->channel, best->number, best->users == 1);
          break;
        }
        KC_CHECK_OK(Wait(wish, deadline));
      }
    }
    const bool usable =
        lease->channel().IsOurs() && (!wish.once || !lease->first() || lease->channel().IsQuiet());
    if (usable) return lease;
    lease->Drop();
  }
}

// While somebody waits to be alone, one connection takes no more requests.
ChannelPool::Place* ChannelPool::LeastUsed(const Wish& wish) {
  bool spare = !wish.alone && want_alone_ > 0;
  Place* best = nullptr;
  for (Place& place : places_) {
    if (place.alone || place.number <= wish.newer_than) continue;
    if (std::exchange(spare, false)) continue;
    if (best == nullptr || place.users < best->users) best = &place;
  }
  return best;
}

bool ChannelPool::WantsMore(const Wish& wish, const Place* best) {
  if (turn_taken_ || (best != nullptr && best->users == 0)) return false;
  const bool crowded = best == nullptr || wish.alone || best->users >= kShare;
  return (crowded || places_.size() < processors_) && MakeRoom(wish);
}

bool ChannelPool::MakeRoom(const Wish& wish) {
  if (places_.size() < limit_) return true;
  const auto stale = std::find_if(places_.begin(), places_.end(), [&wish](const Place& place) {
    return place.users == 0 && place.number <= wish.newer_than;
  });
  if (stale == places_.end()) return false;
  places_.erase(stale);
  return true;
}

// Who has the turn never pauses; but those who have the connections may be on this very thread.
Status ChannelPool::Wait(const Wish& wish, Deadline deadline) {
  want_alone_ += wish.alone ? 1 : 0;
  ++waiting_;
  bool in_time = true;
  if (!turn_taken_ && pausing_ != nullptr && pausing_->can()) {
    mutex_.unlock();
    pausing_->for_a_moment();
    mutex_.lock();
    in_time = std::chrono::steady_clock::now() < deadline;
  } else {
    in_time = changed_.wait_until(mutex_, deadline) == std::cv_status::no_timeout;
  }
  --waiting_;
  want_alone_ -= wish.alone ? 1 : 0;
  if (in_time) return Done{};
  return Fail(Code::kDeadline, "all connections to keyclaved are busy");
}

ChannelPool::Lease ChannelPool::Add(std::shared_ptr<Channel> channel, const Wish& wish) {
  const MutexLock lock(mutex_);
  const uint64_t number = ++last_number_;
  places_.push_back({.channel = channel, .number = number, .users = 1, .alone = wish.alone});
  return {*this, std::move(channel), number, true};
}

void ChannelPool::Put(std::shared_ptr<Channel> channel) {
  const MutexLock lock(mutex_);
  places_.push_back({.channel = std::move(channel), .number = ++last_number_});
  changed_.notify_all();
}

void ChannelPool::Retire() {
  std::vector<Place> retired;
  {
    const MutexLock lock(mutex_);
    std::swap(retired, places_);
    changed_.notify_all();
  }
  for (const Place& place : retired) {
    if (place.users == 0) place.channel->SayGoodbye();
  }
}

bool ChannelPool::empty() const {
  const MutexLock lock(mutex_);
  return places_.empty();
}

ChannelPool::Place* ChannelPool::Find(uint64_t number) {
  const auto found = std::find_if(places_.begin(), places_.end(),
                                  [number](const Place& place) { return place.number == number; });
  return found == places_.end() ? nullptr : &*found;
}

void ChannelPool::Release(uint64_t number) {
  const MutexLock lock(mutex_);
  Place* place = Find(number);
  if (place == nullptr) return;
  --place->users;
  place->alone = false;
  if (waiting_ > 0) changed_.notify_all();
}

void ChannelPool::Remove(uint64_t number) {
  const MutexLock lock(mutex_);
  std::erase_if(places_, [number](const Place& place) { return place.number == number; });
  changed_.notify_all();
}

uint64_t ChannelPool::newest() const {
  const MutexLock lock(mutex_);
  return last_number_;
}

bool ChannelPool::turn_taken() const {
  const MutexLock lock(mutex_);
  return turn_taken_;
}

Status ChannelPool::BeginTurn(Deadline deadline) {
  const MutexLock lock(mutex_);
  ++waiting_;
  bool in_time = true;
  while (turn_taken_ && in_time) {
    in_time = changed_.wait_until(mutex_, deadline) == std::cv_status::no_timeout;
  }
  --waiting_;
  if (turn_taken_) return Fail(Code::kDeadline, "another thread's attestation takes too long");
  turn_taken_ = true;
  return Done{};
}

bool ChannelPool::TryTurn() {
  const MutexLock lock(mutex_);
  return !std::exchange(turn_taken_, true);
}

void ChannelPool::EndTurn() {
  const MutexLock lock(mutex_);
  turn_taken_ = false;
  changed_.notify_all();
}

}  // namespace keyclave::client
