// What a Vault is made of.
#pragma once

#include <atomic>
#include <deque>
#include <optional>
#include <set>

#include "enclave/base/hash.h"
#include "enclave/keys/records.h"
#include "enclave/keys/row_index.h"

namespace keyclave::keys {

struct Vault::Impl {
  Impl(std::unique_ptr<store::Store> sealed_store, std::unique_ptr<Witness> rollback_witness,
       const RootKeyring& root, GenerationKeeper generation_keeper)
      : keeper(std::move(generation_keeper)),
        keys(root),
        enclave_id(keys.names().EnclaveId()),
        sealer(keys),
        store(std::move(sealed_store)),
        witness(std::move(rollback_witness)),
        keyring(root.Clone()) {}

  Status CreateHead() KC_EXCLUDES(commit_mutex);
  Status LoadHead() KC_EXCLUDES(commit_mutex);
  Status CompareWithWitness() KC_REQUIRES(commit_mutex);
  Status Load(const Visit& visit, const Progress& progress) KC_EXCLUDES(commit_mutex);
  Status CheckDigest() KC_REQUIRES(commit_mutex);
  Status Commit(const std::vector<RecordChange>& changes) KC_EXCLUDES(commit_mutex);
  Status CommitRestored() KC_EXCLUDES(commit_mutex);
  Result<Changes> TakeChanges(size_t limit) KC_EXCLUDES(commit_mutex);
  Status BeginGeneration(uint32_t generation, const SecretBytes& secret,
                         const std::vector<RecordChange>& changes) KC_EXCLUDES(commit_mutex);
  Result<size_t> Reseal(size_t limit) KC_EXCLUDES(commit_mutex);
  Status RetireGenerations() KC_EXCLUDES(commit_mutex);
  Result<Record> Read(const RecordKey& key) KC_EXCLUDES(commit_mutex);
  Result<bool> Refresh(const TakeNews& take) KC_EXCLUDES(commit_mutex);
  Result<Slice> ReadSlice(const std::optional<store::RowId>& after, size_t limit)
      KC_EXCLUDES(commit_mutex);
  std::vector<Error> CheckHead() KC_EXCLUDES(commit_mutex);

  struct Sealed {
    std::vector<store::Change> changes;
    std::vector<RowIndex::Entry> entries;
  };
  Result<Sealed> SealAll(const std::vector<RecordChange>& changes, uint32_t generation);
  Result<RowIndex::Entry> ResealRow(const RowIndex::Entry& entry, uint32_t generation,
                                    Bytes& sealed);
  std::vector<RowIndex::Entry> FindOlderRows(size_t limit) KC_REQUIRES(commit_mutex);
  Status BeginCommit() KC_REQUIRES(commit_mutex);
  struct NextHead {
    uint32_t generation = kFirstGeneration;
    uint64_t epoch = 0;
    const SecretBytes* fresh = nullptr;  // the generation's secret, where the commit is its first
  };
  NextHead Next() const KC_REQUIRES(commit_mutex) { return {head.generation, head.epoch + 1}; }
  Status FinishCommit(const Sealed& sealed, const NextHead& head) KC_REQUIRES(commit_mutex);
  // The index for heads of this format, out of the rows as they lie. kStoreCorrupt.
  Status UseFormat(uint8_t head_format) KC_REQUIRES(commit_mutex);
  // Gets the generations up to the head's out of their records. `find` gives a row as it lies.
  using FindRow = std::function<Result<Bytes>(const store::RowId&)>;
  Status LearnGenerations(ByteSpan head, const FindRow& find) KC_REQUIRES(commit_mutex);
  Result<SecretBytes> ReadGeneration(uint32_t generation, const FindRow& find);
  Status Save(RootKeyring next) KC_REQUIRES(commit_mutex);
  Result<RowHeader> HeaderOf(const RecordChange& change, const store::RowId& row);
  Status CatchUpWitness() KC_REQUIRES(commit_mutex);
  struct Found;
  Result<Head> OpenNewHead(const store::News& news) KC_REQUIRES(commit_mutex);
  Result<Found> VerifyNews(const store::News& news) KC_REQUIRES(commit_mutex);
  // The commit is there: from now on it is what this vault holds.
  void Advance(const RowIndex::Delta& delta, const Head& next, Bytes next_bytes)
      KC_REQUIRES(commit_mutex);
  Status CommitOrFindOut(const Sealed& sealed, const Bytes& new_head) KC_REQUIRES(commit_mutex);
  void AdvanceWitness() KC_REQUIRES(commit_mutex);
  std::optional<ByteArray<32>> HeadDigestAt(uint64_t wanted) KC_EXCLUDES(recent_mutex);
  void Remember() KC_REQUIRES(commit_mutex) KC_EXCLUDES(recent_mutex);
  Witness::Mark Newest() const KC_REQUIRES(commit_mutex) {
    return {head.epoch, Sha256(head_bytes)};
  }
  // What a row has to be, and by which format of heads its tag was made.
  struct Known {
    RowIndex::Entry entry;
    uint8_t head_format = kHeadFormat;
  };
  std::optional<Known> FindEntry(const store::RowId& row) KC_EXCLUDES(index_mutex);
  Result<std::optional<Record>> TryRead(const RecordKey& key, const store::RowId& row);

  const GenerationKeeper keeper;
  KeyGenerations keys;
  const ByteArray<16> enclave_id;
  RowSealer sealer;
  const std::unique_ptr<store::Store> store;
  const std::unique_ptr<Witness> witness;
  bool is_copy = false;  // of what a fleet shares

  // One commit at a time. Never taken while index_mutex is held.
  Mutex commit_mutex;
  Head head KC_GUARDED_BY(commit_mutex);
  Bytes head_bytes KC_GUARDED_BY(commit_mutex);  // as they are in the store
  RootKeyring keyring KC_GUARDED_BY(commit_mutex);
  std::optional<store::RowId> resealed_to KC_GUARDED_BY(commit_mutex);  // where Reseal goes on
  bool witness_behind KC_GUARDED_BY(commit_mutex) = false;
  bool outcome_unknown KC_GUARDED_BY(commit_mutex) = false;
  // Rows that were changed since somebody began to watch; nullopt: nobody does.
  std::optional<std::set<store::RowId>> watched KC_GUARDED_BY(commit_mutex);
  std::atomic<uint64_t> epoch{0};
  std::atomic<uint32_t> generation{kFirstGeneration};  // the head's

  // Written by the holder of commit_mutex only, who may therefore read it without this.
  SharedMutex index_mutex;
  RowIndex index;

  // The newest heads, in order of their epochs. Held for no longer than a look.
  Mutex recent_mutex;
  std::deque<Witness::Mark> recent KC_GUARDED_BY(recent_mutex);
};

}  // namespace keyclave::keys
