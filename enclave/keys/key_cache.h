// Ready keys, bounded: the least recently used one leaves when there is no room, and is wiped when
// its last user lets go of it.
#pragma once

#include <array>
#include <list>
#include <memory>
#include <unordered_map>

#include "enclave/base/mutex.h"
#include "enclave/mech/key.h"
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

class KeyCache {
 public:
  using KeyPtr = std::shared_ptr<const mech::Key>;

  // Room for `capacity` keys, spread over shards by object id so that threads do not wait for one
  // lock.
  explicit KeyCache(size_t capacity) : room_per_shard_((capacity + kShards - 1) / kShards) {}

  // Null if it is not there, or there for another version of the object.
  KeyPtr Find(const wire::ObjectId& id, uint64_t version);
  void Insert(const wire::ObjectId& id, uint64_t version, KeyPtr key);
  void Erase(const wire::ObjectId& id);
  size_t size();

 private:
  struct Entry {
    wire::ObjectId id;
    uint64_t version;
    KeyPtr key;
  };
  struct Shard {
    Mutex mutex;
    std::list<Entry> recent KC_GUARDED_BY(mutex);  // the most recently used one first
    std::unordered_map<wire::ObjectId, std::list<Entry>::iterator, ObjectIdHash> by_id
        KC_GUARDED_BY(mutex);
  };
  static constexpr size_t kShards = 16;
  Shard& ShardOf(const wire::ObjectId& id) { return shards_[id.back() % kShards]; }

  const size_t room_per_shard_;
  std::array<Shard, kShards> shards_;
};

}  // namespace keyclave::keys
