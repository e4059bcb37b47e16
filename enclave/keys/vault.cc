#include <set>

#include "enclave/base/hash.h"
#include "enclave/base/log.h"
#include "enclave/keys/row_loader.h"
#include "enclave/keys/vault_impl.h"

namespace keyclave::keys {

namespace {

constexpr size_t kRemembered = 4096;  // heads: minutes of a fleet that changes all the time

std::string Rows(uint64_t count) { return std::to_string(count) + (count == 1 ? " row" : " rows"); }

}  // namespace

Status Vault::Impl::CreateHead() {
  const MutexLock lock(commit_mutex);
  KC_ASSIGN(const Bytes old_head, store->ReadHead());
  if (!old_head.empty()) return Fail(Code::kStoreExists, "the store has a head");
  KC_CHECK_OK(store->ForEach([](const store::RowId& /*row*/, ByteSpan /*sealed*/) -> Status {
    return Fail(Code::kStoreExists, "the store has rows");
  }));
  KC_CHECK_OK(index.FinishLoading());
  head = {1, 0, index.digest(), keyring.newest()};
  KC_ASSIGN(head_bytes, SealHead(keys, head));
  KC_CHECK_OK(store->Commit({}, head_bytes));
  epoch.store(head.epoch);
  generation.store(head.generation);
  Remember();
  return witness->Advance(Newest());
}

Status Vault::Impl::LoadHead() {
  const MutexLock lock(commit_mutex);
  KC_ASSIGN(head_bytes, store->ReadHead());
  if (head_bytes.empty()) return Fail(Code::kStoreCorrupt, "the head is missing");
  // A machine that stopped between a new generation's commit and its own root.key finds it here.
  KC_CHECK_OK(LearnGenerations(head_bytes, [this](const auto& row) { return store->Read(row); }));
  KC_ASSIGN(head, OpenHead(keys, head_bytes));
  epoch.store(head.epoch);
  generation.store(head.generation);
  Remember();
  index = RowIndex(head.format);
  return CompareWithWitness();
}

Status Vault::Impl::CompareWithWitness() {
  if (!witness->Remembers()) {
    witness_behind = true;  // it hears of this one as of any other
    return Done{};
  }
  KC_ASSIGN(const Witness::Mark mark, witness->Read());
  const std::string both = "store epoch " + std::to_string(head.epoch) + ", witness epoch " +
                           std::to_string(mark.epoch) + " (" + witness->Name() + ")";
  constexpr std::string_view kMend =
      ". Restore the newest store.db; if it is lost, keyclaved --accept-store accepts this one";
  if (head.epoch < mark.epoch) return Fail(Code::kStoreRolledBack, both + std::string(kMend));
  if (head.epoch == mark.epoch && !Equal(mark.head_digest, Sha256(head_bytes)))
    return Fail(Code::kStoreRolledBack, both +
                                            ", but another state of that epoch: two histories "
                                            "part before it" +
                                            std::string(kMend));
  if (RestoresOf(head.epoch) > RestoresOf(mark.epoch))
    return Fail(Code::kStoreRestored,
                both +
                    ": the witness is of before the store was restored. keyclaved "
                    "--accept-store accepts this store");
  // A crash between a commit and its mark leaves a distance of one. Nothing of ours leaves more: an
  // older witness was put there, or a copy of the store that went on elsewhere.
  // A copy of what a fleet shares takes in many commits at once.
  if (head.epoch - mark.epoch > 1 && !is_copy)
    return Fail(
        Code::kWitnessInvalid,
        both +
            ": older than a crash can make it. Put the newest witness back, or the "
            "store.db that belongs to this one; keyclaved --accept-store accepts this store");
  witness_behind = head.epoch > mark.epoch;
  return Done{};
}

Status Vault::Impl::Load(const Visit& visit, const Progress& progress) {
  const MutexLock lock(commit_mutex);
  KC_CHECK_OK(LoadRows(*store, keys, head.rows, index, visit, progress));
  KC_CHECK_OK(CheckDigest());
  // The state is whole and at least as new as the witness: it is the newest from now on.
  return CatchUpWitness();
}

// Every row opened, so each is genuine by itself; the head says which of them belong here.
Status Vault::Impl::CheckDigest() {
  if (index.size() < head.rows)
    return Fail(Code::kStoreCorrupt, Rows(head.rows - index.size()) + " missing of " +
                                         std::to_string(head.rows) + ": removed from the store");
  if (index.size() > head.rows)
    return Fail(Code::kStoreCorrupt, Rows(index.size() - head.rows) + " extra beside " +
                                         std::to_string(head.rows) + ": added to the store");
  if (index.digest() != head.digest)
    return Fail(Code::kStoreCorrupt,
                "the rows are not those of epoch " + std::to_string(head.epoch) +
                    ": at least one was put back to an older version or exchanged for one of "
                    "another time");
  return Done{};
}

Status Vault::Impl::CatchUpWitness() {
  if (!witness_behind) return Done{};
  KC_CHECK_OK(witness->Advance(Newest()));
  witness_behind = false;
  return Done{};
}

// The commit is durable already, so it counts even if the witness cannot follow; but no other
// commit comes before it has. So the store is never more than one commit ahead.
void Vault::Impl::AdvanceWitness() {
  const Status advanced = witness->Advance(Newest());
  witness_behind = !advanced.ok();
  if (witness_behind)
    Log(LogLevel::kError,
        "the rollback witness does not follow the store; changes are refused "
        "until it does: " +
            advanced.error().Text());
}

Result<RowHeader> Vault::Impl::HeaderOf(const RecordChange& change, const store::RowId& row) {
  const Record& record = change.record;
  const RowIndex::Entry* entry = index.Find(row);
  if (change.remove && (entry == nullptr || entry->tombstone))
    return Fail(Code::kNotFound, "record to remove");
  const uint64_t next = entry == nullptr ? 1 : entry->version + 1;
  if (record.version != 0 && record.version != next)
    return Fail(Code::kInternal, "a record's version does not follow the one before");
  RowHeader header{record.key, change.remove, next, {}};
  if (!change.remove) header.policy_digest = record.policy_digest;
  return header;
}

Result<Vault::Impl::Sealed> Vault::Impl::SealAll(const std::vector<RecordChange>& changes,
                                                 uint32_t now) {
  Sealed sealed;
  std::set<store::RowId> rows;
  for (const RecordChange& change : changes) {
    const store::RowId row = sealer.IdOf(change.record.key);
    if (!rows.insert(row).second) return Fail(Code::kInternal, "a record twice in one commit");
    KC_ASSIGN(RowHeader header, HeaderOf(change, row));
    header.generation = change.record.key.type == RecordType::kGeneration ? kFirstGeneration : now;
    KC_ASSIGN(Bytes bytes,
              sealer.Seal(row, header, change.remove ? ByteSpan() : ByteSpan(change.record.body)));
    KC_ASSIGN(const RowTag tag, TagOf(bytes));
    sealed.entries.push_back(EntryOf(row, header, tag));
    sealed.changes.push_back({row, std::move(bytes)});
  }
  return sealed;
}

// A store that answers with an error may have committed all the same (a lost reply, a sync that
// failed late). Its head tells: it is the old one or the new one.
Status Vault::Impl::CommitOrFindOut(const Sealed& sealed, const Bytes& new_head) {
  const Status committed = store->Commit(sealed.changes, new_head);
  if (committed.ok()) return Done{};
  const Result<Bytes> found = store->ReadHead();
  if (found.ok() && *found == new_head) return Done{};
  outcome_unknown = !found.ok() || *found != head_bytes;
  return committed.error();
}

Status Vault::Impl::BeginCommit() {
  if (outcome_unknown)
    return Fail(Code::kStoreIo,
                "it is not known whether an earlier change is in the store; restart keyclaved");
  KC_CHECK_OK(CatchUpWitness());
  return UseFormat(kHeadFormat);
}

Status Vault::Impl::Commit(const std::vector<RecordChange>& changes) {
  const MutexLock lock(commit_mutex);
  KC_CHECK_OK(BeginCommit());
  KC_ASSIGN(const Sealed sealed, SealAll(changes, head.generation));
  return FinishCommit(sealed, Next());
}

Status Vault::Impl::FinishCommit(const Sealed& sealed, const NextHead& of) {
  const RowIndex::Delta delta = index.Prepare(sealed.entries);
  const Head next{of.epoch, delta.size, delta.root, of.generation};
  KC_ASSIGN(Bytes next_bytes, SealHead(keys, next));
  KC_CHECK_OK(CommitOrFindOut(sealed, next_bytes));
  if (of.fresh != nullptr) witness->UseGeneration(*of.fresh);
  Advance(delta, next, std::move(next_bytes));
  return Done{};
}

void Vault::Impl::Advance(const RowIndex::Delta& delta, const Head& next, Bytes next_bytes) {
  {
    const WriterLock index_lock(index_mutex);
    index.Apply(delta);
  }
  if (watched.has_value()) {
    for (const RowIndex::Entry& entry : delta.changed) watched->insert(entry.id);
  }
  head = next;
  head_bytes = std::move(next_bytes);
  epoch.store(next.epoch);
  generation.store(next.generation);
  Remember();
  AdvanceWitness();
}

void Vault::Impl::Remember() {
  const MutexLock lock(recent_mutex);
  recent.push_back(Newest());
  if (recent.size() > kRemembered) recent.pop_front();
}

std::optional<Vault::Impl::Known> Vault::Impl::FindEntry(const store::RowId& row) {
  const ReaderLock lock(index_mutex);
  const RowIndex::Entry* entry = index.Find(row);
  if (entry == nullptr || entry->tombstone) return std::nullopt;
  return Known{*entry, index.head_format()};
}

// nullopt: the row is not the one that the index says, as a commit in flight can make it seem.
Result<std::optional<Record>> Vault::Impl::TryRead(const RecordKey& key, const store::RowId& row) {
  const std::optional<Known> known = FindEntry(row);
  if (!known.has_value()) return Fail(Code::kNotFound, "record");
  const Result<Bytes> sealed = store->Read(row);
  if (!sealed.ok() && sealed.code() == Code::kNotFound) return std::optional<Record>();
  KC_CHECK_OK(sealed.ok() ? Status() : Status(sealed.error()));
  const Result<RowTag> tag = TagOf(*sealed, known->head_format);
  if (!tag.ok() || *tag != known->entry.tag) return std::optional<Record>();
  Result<OpenedRow> opened = sealer.Open(row, *sealed);
  if (!opened.ok() || opened->header.version != known->entry.version)
    return std::optional<Record>();
  return std::optional<Record>(
      Record{key, opened->header.version, opened->header.policy_digest, std::move(opened->body)});
}

Result<Record> Vault::Impl::Read(const RecordKey& key) {
  const store::RowId row = sealer.IdOf(key);
  KC_ASSIGN(std::optional<Record> first, TryRead(key, row));
  if (first.has_value()) return std::move(*first);
  // Once more while no commit is under way: what does not fit now was edited or rolled back under
  // the running daemon.
  const MutexLock lock(commit_mutex);
  KC_ASSIGN(std::optional<Record> second, TryRead(key, row));
  if (second.has_value()) return std::move(*second);
  return Fail(Code::kSealFailed, "row " + ToHex(row) +
                                     " was edited, removed or put back to an older version while "
                                     "the store was open");
}

// While no commit is under way: what the index says and what the store has are of one epoch.
Result<Vault::Slice> Vault::Impl::ReadSlice(const std::optional<store::RowId>& after,
                                            size_t limit) {
  const MutexLock lock(commit_mutex);
  Slice slice;
  for (const RowIndex::Entry& entry : index.After(after, limit))
    slice.known.push_back({entry.id, entry.version, entry.tag});
  KC_ASSIGN(slice.stored, store->ReadAfter(after, 2 * limit));
  return slice;
}

std::vector<Error> Vault::Impl::CheckHead() {
  const MutexLock lock(commit_mutex);
  std::vector<Error> wrong;
  if (outcome_unknown)
    wrong.push_back(Fail(Code::kStoreIo, "it is not known whether a change is in the store"));
  const Result<Bytes> stored = store->ReadHead();
  if (!stored.ok()) {
    wrong.push_back(stored.error());
  } else if (*stored != head_bytes) {
    wrong.push_back(Fail(
        Code::kStoreCorrupt,
        "the head is not the one of epoch " + std::to_string(head.epoch) + " that was written"));
  }
  const bool comparable = index.head_format() == head.format;
  if (comparable && (index.digest() != head.digest || index.size() != head.rows))
    wrong.push_back(Fail(Code::kInternal, "the head is not that of the rows in memory"));
  if (!witness->Remembers()) return wrong;
  const Result<Witness::Mark> mark = witness->Look();
  if (!mark.ok()) {
    wrong.push_back(mark.error());
  } else if (mark->epoch != head.epoch || !Equal(mark->head_digest, Sha256(head_bytes))) {
    wrong.push_back(Fail(Code::kWitnessInvalid,
                         witness->Name() + ": it stands at epoch " + std::to_string(mark->epoch) +
                             ", the store at " + std::to_string(head.epoch)));
  }
  return wrong;
}

Vault::Vault(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Vault::~Vault() = default;

Result<std::unique_ptr<Vault>> Vault::Create(std::unique_ptr<store::Store> store,
                                             std::unique_ptr<Witness> witness,
                                             const RootKeyring& keyring) {
  if (!keyring.IsValid()) return Fail(Code::kRootSecretInvalid);
  auto impl =
      std::make_unique<Impl>(std::move(store), std::move(witness), keyring, GenerationKeeper());
  KC_CHECK_OK(impl->CreateHead());
  return std::unique_ptr<Vault>(new Vault(std::move(impl)));
}

Result<std::unique_ptr<Vault>> Vault::Open(std::unique_ptr<store::Store> store,
                                           std::unique_ptr<Witness> witness,
                                           const RootKeyring& keyring, const Visit& visit,
                                           const Progress& progress, bool is_copy,
                                           GenerationKeeper keeper) {
  if (!keyring.IsValid()) return Fail(Code::kRootSecretInvalid);
  auto impl =
      std::make_unique<Impl>(std::move(store), std::move(witness), keyring, std::move(keeper));
  impl->is_copy = is_copy || impl->store->IsShared();
  KC_CHECK_OK(impl->LoadHead());
  KC_CHECK_OK(impl->Load(visit, progress));
  return std::unique_ptr<Vault>(new Vault(std::move(impl)));
}

const ByteArray<16>& Vault::enclave_id() const { return impl_->enclave_id; }
bool Vault::is_shared() const { return impl_->store->IsShared(); }
uint64_t Vault::epoch() const { return impl_->epoch.load(); }
Status Vault::Commit(std::vector<RecordChange> changes) { return impl_->Commit(changes); }
Result<Record> Vault::Read(const RecordKey& key) { return impl_->Read(key); }
Result<bool> Vault::Refresh(const TakeNews& take) { return impl_->Refresh(take); }
Vault::HandOver Vault::GiveHandOver() const {
  const MutexLock lock(impl_->commit_mutex);
  return {impl_->keyring.Shareable(), impl_->Newest()};
}
Witness::Mark Vault::mark() const {
  const MutexLock lock(impl_->recent_mutex);
  return impl_->recent.back();
}
std::optional<ByteArray<32>> Vault::HeadDigestAt(uint64_t epoch) const {
  return impl_->HeadDigestAt(epoch);
}
std::optional<ByteArray<32>> Vault::Impl::HeadDigestAt(uint64_t wanted) {
  const MutexLock lock(recent_mutex);
  const auto found = std::partition_point(recent.begin(), recent.end(),
                                          [&](const auto& one) { return one.epoch < wanted; });
  if (found == recent.end() || found->epoch != wanted) return std::nullopt;
  return found->head_digest;
}
Result<Vault::Slice> Vault::ReadSlice(const std::optional<store::RowId>& after, size_t limit) {
  return impl_->ReadSlice(after, limit);
}
std::vector<Error> Vault::CheckHead() { return impl_->CheckHead(); }
store::RowId Vault::RowOf(const RecordKey& key) const { return impl_->sealer.IdOf(key); }
Result<std::vector<std::string>> Vault::CheckStructure(bool however_long) {
  return impl_->store->CheckStructure(however_long);
}
Result<store::Compaction> Vault::Compact() { return impl_->store->Compact(); }
uint64_t Vault::row_count() const {
  const ReaderLock lock(impl_->index_mutex);
  return impl_->index.size();
}
Result<Vault::FoundRow> Vault::OpenRow(const store::Row& row) {
  KC_ASSIGN(const OpenedRow opened, impl_->sealer.Open(row.id, row.sealed));
  const ReaderLock lock(impl_->index_mutex);
  KC_ASSIGN(const RowTag tag, TagOf(row.sealed, impl_->index.head_format()));
  return FoundRow{opened.header.key, opened.header.version, tag};
}
SecretBytes Vault::DeriveKey(std::string_view label, size_t size) const {
  return impl_->keys.names().PurposeKey(label, size);
}

}  // namespace keyclave::keys
