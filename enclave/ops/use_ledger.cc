#include "enclave/ops/use_ledger.h"

#include <utility>

namespace keyclave::ops {

void UseLedger::Add(const Total& total) {
  Key key{total.use, total.identity == nullptr ? session::CallerId{} : total.identity->caller};
  auto found = totals_.find(key);
  if (found == totals_.end() && totals_.size() >= kMaxTotals) {
    key = {{{}, total.use.operation}, {}};
    found = totals_.find(key);
  }
  if (found == totals_.end()) {
    const bool several = key.use.object == wire::ObjectId{};
    found = totals_.emplace(key, Total{key.use, several ? nullptr : total.identity, 0}).first;
  }
  found->second.count += total.count;
}

bool UseLedger::Note(uint64_t session, const IdentityPtr& identity, const Use& use) {
  const MutexLock lock(mutex_);
  Add({use, identity, 1});
  Seen& seen = sessions_[session];
  if (seen.verified_at != identity->verified_at) {
    seen.uses.clear();
    seen.verified_at = identity->verified_at;
  }
  return seen.uses.insert(use).second;
}

void UseLedger::Forget(uint64_t session) {
  const MutexLock lock(mutex_);
  sessions_.erase(session);
}

std::vector<UseLedger::Total> UseLedger::TakeTotals() {
  std::map<Key, Total> taken;
  {
    const MutexLock lock(mutex_);
    taken.swap(totals_);
  }
  std::vector<Total> totals;
  for (auto& [key, total] : taken) totals.push_back(std::move(total));
  return totals;
}

void UseLedger::Restore(const std::vector<Total>& totals) {
  const MutexLock lock(mutex_);
  for (const Total& total : totals) Add(total);
}

}  // namespace keyclave::ops
