#include "tests/fakes/memory_etcd.h"

namespace keyclave::fakes {

Result<fleet::Range> MemoryEtcd::Read(const fleet::RangeQuery& query) {
  const MutexLock lock(mutex_);
  if (away_) return Fail(Code::kStoreUnreachable, "memory etcd: away");
  if (query.at > now_.revision) return Fail(Code::kNotFound, "memory etcd: a future revision");
  fleet::Range range{
      .found = {}, .more = false, .revision = now_.revision, .cluster = now_.cluster};
  const auto end =
      query.end.empty() ? now_.values.upper_bound(query.key) : now_.values.lower_bound(query.end);
  for (auto it = now_.values.lower_bound(query.key); it != end; ++it) {
    if (it->second.modified < query.modified_from) continue;
    if (query.limit != 0 && range.found.size() == static_cast<size_t>(query.limit)) {
      range.more = true;
      break;
    }
    range.found.push_back({it->first, it->second.bytes, it->second.modified});
  }
  return range;
}

bool MemoryEtcd::Holds(const fleet::Compare& compare) const {
  const auto found = now_.values.find(compare.key);
  if (!compare.value.has_value()) return found == now_.values.end();
  return found != now_.values.end() && found->second.bytes == *compare.value;
}

void MemoryEtcd::Apply(const fleet::Transaction& transaction) {
  ++now_.revision;
  for (const fleet::Put& put : transaction.put) now_.values[put.key] = {put.value, now_.revision};
  for (const fleet::Delete& remove : transaction.remove) {
    const auto end = remove.end.empty() ? now_.values.upper_bound(remove.key)
                                        : now_.values.lower_bound(remove.end);
    now_.values.erase(now_.values.lower_bound(remove.key), end);
  }
}

Result<fleet::Outcome> MemoryEtcd::Commit(const fleet::Transaction& transaction) {
  const MutexLock lock(mutex_);
  const Fault fault = decide_ ? decide_(commits_) : Fault::kNone;
  ++commits_;
  if (away_ || fault == Fault::kAway) return Fail(Code::kStoreUnreachable, "memory etcd: away");
  if (fault == Fault::kLostRequest) return Fail(Code::kStoreIo, "memory etcd: no answer");
  if (transaction.put.size() + transaction.remove.size() > kMaxOperations)
    return Fail(Code::kInternal, "memory etcd: too many operations");
  bool holds = true;
  for (const fleet::Compare& compare : transaction.compare) holds = holds && Holds(compare);
  if (holds) Apply(transaction);
  if (fault == Fault::kLostReply) return Fail(Code::kStoreIo, "memory etcd: no answer");
  return fleet::Outcome{holds, now_.revision};
}

// Nothing happens while somebody waits here: tests call one after the other.
Result<bool> MemoryEtcd::Watch(const Bytes& key, int64_t revision,
                               std::chrono::milliseconds /*timeout*/) {
  const MutexLock lock(mutex_);
  if (away_) return Fail(Code::kStoreUnreachable, "memory etcd: away");
  const auto found = now_.values.find(key);
  return found != now_.values.end() && found->second.modified > revision;
}

void MemoryEtcd::set_faults(Decide decide) {
  const MutexLock lock(mutex_);
  decide_ = std::move(decide);
}

void MemoryEtcd::set_away(bool away) {
  const MutexLock lock(mutex_);
  away_ = away;
}

uint64_t MemoryEtcd::commits() const {
  const MutexLock lock(mutex_);
  return commits_;
}

size_t MemoryEtcd::keys() const {
  const MutexLock lock(mutex_);
  return now_.values.size();
}

MemoryEtcd::Snapshot MemoryEtcd::Take() const {
  const MutexLock lock(mutex_);
  return now_;
}

void MemoryEtcd::Put(Snapshot snapshot) {
  const MutexLock lock(mutex_);
  now_ = std::move(snapshot);
}

}  // namespace keyclave::fakes
