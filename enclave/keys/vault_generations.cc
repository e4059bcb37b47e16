// Generations of the root secret: how a new one begins, how other members come by it, how rows are
// sealed anew, and when those before it end.
#include "enclave/base/log.h"
#include "enclave/keys/member_key.h"
#include "enclave/keys/vault_impl.h"

namespace keyclave::keys {
namespace {

constexpr size_t kScanned = 4096;  // rows looked at in one call for those of older generations

}  // namespace

Status Vault::Impl::Save(RootKeyring next) {
  if (!keeper.save) return Fail(Code::kInternal, "no place for another generation's secret");
  KC_CHECK_OK(keeper.save(next));
  keyring = std::move(next);
  return Done{};
}

// A row that is genuine by itself: whoever made it had the first generation's secret.
Result<SecretBytes> Vault::Impl::ReadGeneration(uint32_t number, const FindRow& find) {
  const RecordKey key = GenerationRecordKey(number);
  const store::RowId row = sealer.IdOf(key);
  const Result<Bytes> sealed = find(row);
  if (!sealed.ok() && sealed.code() != Code::kNotFound) return sealed.error();
  const auto missing = [&] {
    return Fail(Code::kStoreCorrupt, "generation " + std::to_string(number) +
                                         " of the root secret is named, and told nowhere");
  };
  if (!sealed.ok()) return missing();
  const Result<OpenedRow> opened = sealer.Open(row, *sealed);
  if (!opened.ok() || opened->header.tombstone || !keeper.unwrap) return missing();
  return keeper.unwrap(number, opened->body);
}

// All up to the head's: rows may still be of one in between. They are believed once the head opens
// under the newest, and used when they are on this machine's disk.
Status Vault::Impl::LearnGenerations(ByteSpan bytes, const FindRow& find) {
  KC_ASSIGN(const uint32_t newest, GenerationOfHead(keys, bytes));
  const uint32_t had = keyring.newest();
  if (newest <= had) return Done{};
  if (newest - had > kMaxGenerations)
    return Fail(Code::kStoreCorrupt, "a generation of the root secret that cannot be");
  RootKeyring next = keyring.Clone();
  const auto learn = [&]() KC_REQUIRES(commit_mutex) -> Status {
    for (uint32_t number = had + 1; number <= newest; ++number) {
      KC_ASSIGN(SecretBytes secret, ReadGeneration(number, find));
      keys.Add(number, secret);
      next.secrets.emplace(number, std::move(secret));
    }
    if (const Result<Head> opened = OpenHead(keys, bytes); !opened.ok()) return opened.error();
    return Save(std::move(next));
  };
  const Status learned = learn();
  if (!learned.ok()) {
    for (uint32_t number = had + 1; number <= newest; ++number) keys.Remove(number);
    return learned;
  }
  witness->UseGeneration(keyring.secrets.at(newest));
  Log(LogLevel::kInfo,
      "generation " + std::to_string(newest) + " of the root secret: a member has left the fleet");
  return Done{};
}

// What is on disk stands against what the index says: nothing is believed that was not before.
Status Vault::Impl::UseFormat(uint8_t head_format) {
  if (index.head_format() == head_format) return Done{};
  RowIndex next(head_format);
  next.Reserve(index.size());
  KC_CHECK_OK(store->ForEach([&](const store::RowId& row, ByteSpan sealed) -> Status {
    const RowIndex::Entry* known = index.Find(row);
    const auto before = TagOf(sealed, index.head_format());
    const auto after = TagOf(sealed, head_format);
    const auto opened = sealer.Open(row, sealed);
    if (known == nullptr || !before.ok() || !after.ok() || *before != known->tag || !opened.ok() ||
        opened->header.version != known->version)
      return Fail(Code::kStoreCorrupt,
                  "row " + ToHex(row) + " was edited while the store was open");
    next.Load(EntryOf(row, opened->header, *after));
    return Done{};
  }));
  KC_CHECK_OK(next.FinishLoading());
  if (next.size() != index.size())
    return Fail(Code::kStoreCorrupt, "rows were removed while the store was open");
  const WriterLock lock(index_mutex);
  index = std::move(next);
  return Done{};
}

Status Vault::Impl::BeginGeneration(uint32_t number, const SecretBytes& secret,
                                    const std::vector<RecordChange>& changes) {
  const MutexLock lock(commit_mutex);
  KC_CHECK_OK(BeginCommit());
  if (number != head.generation + 1 || keyring.newest() != head.generation)
    return Fail(Code::kStoreMoved, "another member made a generation of the root secret");
  if (keyring.secrets.size() >= kMaxGenerations)
    return Fail(Code::kObjectLimit,
                "rows are still being sealed anew for those who left before: try again later");
  RootKeyring next = keyring.Clone();
  next.secrets.emplace(number, secret.Clone());
  keys.Add(number, secret);
  const auto commit = [&]() KC_REQUIRES(commit_mutex) -> Status {
    KC_ASSIGN(const Sealed sealed, SealAll(changes, number));
    return FinishCommit(sealed, {number, head.epoch + 1, &secret});
  };
  const Status committed = commit();
  if (!committed.ok()) {
    keys.Remove(number);
    return committed;
  }
  // It is in the store, for this machine too: a start without it would find it there.
  const Status saved = Save(next.Clone());
  if (!saved.ok())
    Log(LogLevel::kError,
        "the new generation of the root secret is not in root.key; the next start "
        "takes it from the store: " +
            saved.error().Text());
  keyring = std::move(next);
  return Done{};
}

std::vector<RowIndex::Entry> Vault::Impl::FindOlderRows(size_t limit) {
  std::vector<RowIndex::Entry> older;
  for (;;) {
    const std::vector<RowIndex::Entry> looked = index.After(resealed_to, kScanned);
    for (const RowIndex::Entry& entry : looked) {
      if (older.size() == limit) return older;
      resealed_to = entry.id;
      if (entry.generation < head.generation) older.push_back(entry);
    }
    if (looked.size() < kScanned) break;
  }
  resealed_to.reset();
  return older;
}

// The same record, of the same version, under another generation.
Result<RowIndex::Entry> Vault::Impl::ResealRow(const RowIndex::Entry& entry, uint32_t now,
                                               Bytes& sealed) {
  KC_ASSIGN(const Bytes old, store->Read(entry.id));
  const auto edited = [&] {
    return Fail(Code::kSealFailed,
                "row " + ToHex(entry.id) + " was edited while the store was open");
  };
  const Result<RowTag> old_tag = TagOf(old);
  if (!old_tag.ok() || *old_tag != entry.tag) return edited();
  Result<OpenedRow> opened = sealer.Open(entry.id, old);
  if (!opened.ok() || opened->header.version != entry.version) return edited();
  opened->header.generation = now;
  KC_ASSIGN(sealed, sealer.Seal(entry.id, opened->header, opened->body));
  KC_ASSIGN(const RowTag tag, TagOf(sealed));
  return EntryOf(entry.id, opened->header, tag);
}

Result<size_t> Vault::Impl::Reseal(size_t limit) {
  const MutexLock lock(commit_mutex);
  if (index.CountBefore(head.generation) == 0) return size_t{0};
  KC_CHECK_OK(BeginCommit());
  std::vector<RowIndex::Entry> older = FindOlderRows(limit);
  if (older.empty()) older = FindOlderRows(limit);  // from the first row
  Sealed sealed;
  for (const RowIndex::Entry& entry : older) {
    Bytes bytes;
    KC_ASSIGN(const RowIndex::Entry next, ResealRow(entry, head.generation, bytes));
    sealed.entries.push_back(next);
    sealed.changes.push_back({entry.id, std::move(bytes)});
  }
  if (sealed.entries.empty()) return size_t{0};
  KC_CHECK_OK(FinishCommit(sealed, Next()));
  return sealed.entries.size();
}

// A mark of the witness is under the newest generation by now, as every commit since made one.
Status Vault::Impl::RetireGenerations() {
  const MutexLock lock(commit_mutex);
  const uint32_t newest = keyring.newest();
  if (keyring.oldest == newest || head.generation != newest || witness_behind || outcome_unknown ||
      index.CountBefore(newest) != 0)
    return Done{};
  RootKeyring next = keyring.Clone();
  std::erase_if(next.secrets, [&](const auto& one) {
    return one.first != kFirstGeneration && one.first != newest;
  });
  next.oldest = newest;
  KC_CHECK_OK(Save(std::move(next)));
  keys.SetOldest(newest);
  Log(LogLevel::kInfo, "every row is sealed under generation " + std::to_string(newest) +
                           " of the root secret; those before it are not taken any more");
  return Done{};
}

Vault::GenerationCount Vault::generation() const {
  GenerationCount count{impl_->generation.load(), 0};
  const ReaderLock lock(impl_->index_mutex);
  count.older_rows = impl_->index.CountBefore(count.generation);
  return count;
}

Status Vault::BeginGeneration(uint32_t generation, const SecretBytes& secret,
                              std::vector<RecordChange> changes) {
  return impl_->BeginGeneration(generation, secret, changes);
}
Result<size_t> Vault::Reseal(size_t limit) { return impl_->Reseal(limit); }
Status Vault::RetireGenerations() { return impl_->RetireGenerations(); }

}  // namespace keyclave::keys
