#include "enclave/keys/key_cache.h"

namespace keyclave::keys {

KeyCache::KeyPtr KeyCache::Find(const wire::ObjectId& id, uint64_t version) {
  Shard& shard = ShardOf(id);
  const MutexLock lock(shard.mutex);
  const auto found = shard.by_id.find(id);
  if (found == shard.by_id.end() || found->second->version != version) return nullptr;
  shard.recent.splice(shard.recent.begin(), shard.recent, found->second);
  return found->second->key;
}

// Keys that leave are let go of after the lock: freeing one takes a while.
void KeyCache::Insert(const wire::ObjectId& id, uint64_t version, KeyPtr key) {
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
  shard.recent.push_front({id, version, std::move(key)});
  shard.by_id[id] = shard.recent.begin();
}

void KeyCache::Erase(const wire::ObjectId& id) {
  Shard& shard = ShardOf(id);
  std::list<Entry> leaving;
  const MutexLock lock(shard.mutex);
  const auto found = shard.by_id.find(id);
  if (found == shard.by_id.end()) return;
  leaving.splice(leaving.begin(), shard.recent, found->second);
  shard.by_id.erase(found);
}

size_t KeyCache::size() {
  size_t total = 0;
  for (Shard& shard : shards_) {
    const MutexLock lock(shard.mutex);
    total += shard.recent.size();
  }
  return total;
}

}  // namespace keyclave::keys
