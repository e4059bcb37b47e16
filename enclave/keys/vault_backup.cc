// What backups need of the vault: rows that changed while they were read, and a state that counts
// as the newest after it was brought back.
#include "enclave/keys/vault_impl.h"

namespace keyclave::keys {

Result<Vault::Changes> Vault::Impl::TakeChanges(size_t limit) {
  const MutexLock lock(commit_mutex);
  if (!watched.has_value()) return Fail(Code::kInternal, "nobody watches");
  if (outcome_unknown)
    return Fail(Code::kStoreIo,
                "it is not known whether an earlier change is in the store; restart keyclaved");
  Changes changes;
  while (!watched->empty() && changes.rows.size() < limit) {
    const auto next = watched->begin();
    KC_ASSIGN(Bytes sealed, store->Read(*next));
    changes.rows.push_back({*next, std::move(sealed)});
    watched->erase(next);
  }
  if (!watched->empty()) return changes;
  watched.reset();
  changes.head = head_bytes;
  return changes;
}

Status Vault::Impl::CommitRestored() {
  const MutexLock lock(commit_mutex);
  KC_CHECK_OK(BeginCommit());
  NextHead next = Next();
  // Where the witness remembers another restored state, of this backup perhaps, this one is newer.
  KC_ASSIGN(const Witness::Mark seen, witness->Look());
  const uint64_t restores = std::max(RestoresOf(head.epoch), RestoresOf(seen.epoch)) + 1;
  next.epoch = restores << kRestoreShift | (head.epoch & ((uint64_t{1} << kRestoreShift) - 1));
  return FinishCommit({}, next);
}

void Vault::WatchChanges() {
  const MutexLock lock(impl_->commit_mutex);
  impl_->watched.emplace();
}

void Vault::StopWatching() {
  const MutexLock lock(impl_->commit_mutex);
  impl_->watched.reset();
}

Result<Vault::Changes> Vault::TakeChanges(size_t limit) { return impl_->TakeChanges(limit); }

Result<Vault::HeadInfo> Vault::OpenHeadOf(ByteSpan sealed) const {
  KC_ASSIGN(const Head head, OpenHead(impl_->keys, sealed));
  return HeadInfo{head.epoch, head.rows, head.digest, head.format};
}

Status Vault::CommitRestored() { return impl_->CommitRestored(); }

}  // namespace keyclave::keys
