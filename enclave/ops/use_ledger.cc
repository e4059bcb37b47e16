#include "enclave/ops/use_ledger.h"

#include <utility>

namespace keyclave::ops {

bool UseLedger::Note(uint64_t session, int64_t verified_at, const Use& use) {
  const MutexLock lock(mutex_);
  ++counts_[use];
  Seen& seen = sessions_[session];
  if (seen.verified_at != verified_at) {
    seen.uses.clear();
    seen.verified_at = verified_at;
  }
  return seen.uses.insert(use).second;
}

void UseLedger::Forget(uint64_t session) {
  const MutexLock lock(mutex_);
  sessions_.erase(session);
}

std::vector<std::pair<UseLedger::Use, uint64_t>> UseLedger::TakeCounts() {
  std::map<Use, uint64_t> taken;
  {
    const MutexLock lock(mutex_);
    taken.swap(counts_);
  }
  return {taken.begin(), taken.end()};
}

}  // namespace keyclave::ops
