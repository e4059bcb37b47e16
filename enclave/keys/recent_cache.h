// What was used last, bounded: the least recently used value leaves when there is no room, and goes
// when its last user lets go of it.
#pragma once

#include <array>
#include <list>
#include <memory>
#include <unordered_map>

#include "enclave/base/mutex.h"
#include "enclave/wire/messages.h"

namespace keyclave::keys {

// Object ids are random: any eight of their bytes are a hash.
struct ObjectIdHash {
  size_t operator()(const wire::ObjectId& id) const {
    size_t hash = 0;
    for (size_t i = 0; i < sizeof hash; ++i) hash = hash << 8 | id[i];
    return hash;
  }
};

// Values of objects, by object id and version. Thread-safe.
template <class T>
class RecentCache {
 public:
  using Pointer = std::shared_ptr<const T>;

  // Room for `capacity` values, spread over shards by object id so that threads do not wait for one
  // lock.
  explicit RecentCache(size_t capacity) : room_per_shard_((capacity + kShards - 1) / kShards) {}

  // Null if it is not there, or there for another version of the object.
  Pointer Find(const wire::ObjectId& id, uint64_t version) {
    Shard& shard = ShardOf(id);
    const MutexLock lock(shard.mutex);
    const auto found = shard.by_id.find(id);
    if (found == shard.by_id.end() || found->second->version != version) return nullptr;
    shard.recent.splice(shard.recent.begin(), shard.recent, found->second);
    return found->second->value;
  }

  // What leaves is let go of after the lock: freeing a key takes a while.
  void Insert(const wire::ObjectId& id, uint64_t version, Pointer value) {
    Shard& shard = ShardOf(id);
    std::list<Entry> leaving;
    const MutexLock lock(shard.mutex);
    const auto found = shard.by_id.find(id);
    if (found != shard.by_id.end()) {
      leaving.splice(leaving.begin(), shard.recent, found->second);
      shard.by_id.erase(found);
    } else if (shard.recent.size() >= room_per_shard_) {
      shard.by_id.erase(shard.recent.back().id);
      leaving.splice(leaving.begin(), shard.recent, std::prev(shard.recent.end()));
    }
    shard.recent.push_front({id, version, std::move(value)});
    shard.by_id[id] = shard.recent.begin();
  }

  void Erase(const wire::ObjectId& id) {
    Shard& shard = ShardOf(id);
    std::list<Entry> leaving;
    const MutexLock lock(shard.mutex);
    const auto found = shard.by_id.find(id);
    if (found == shard.by_id.end()) return;
    leaving.splice(leaving.begin(), shard.recent, found->second);
    shard.by_id.erase(found);
  }

  size_t size() {
    size_t total = 0;
    for (Shard& shard : shards_) {
      const MutexLock lock(shard.mutex);
      total += shard.recent.size();
    }
    return total;
  }

 private:
  struct Entry {
    wire::ObjectId id;
    uint64_t version;
    Pointer value;
  };
  struct Shard {
    Mutex mutex;
    std::list<Entry> recent KC_GUARDED_BY(mutex);  // the most recently used one first
    std::unordered_map<wire::ObjectId, typename std::list<Entry>::iterator, ObjectIdHash> by_id
        KC_GUARDED_BY(mutex);
  };
  static constexpr size_t kShards = 16;
  Shard& ShardOf(const wire::ObjectId& id) { return shards_[id.back() % kShards]; }

  const size_t room_per_shard_;
  std::array<Shard, kShards> shards_;
};

}  // namespace keyclave::keys
