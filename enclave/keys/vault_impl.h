// What a Vault is made of.
#pragma once

#include <atomic>
#include <optional>

#include "enclave/base/hash.h"
#include "enclave/keys/records.h"
#include "enclave/keys/row_index.h"

namespace keyclave::keys {

struct Vault::Impl {
  Impl(std::unique_ptr<store::Store> sealed_store, std::unique_ptr<Witness> rollback_witness,
       const SecretBytes& root_secret)
      : root(root_secret.Clone()),
        keys(root),
        enclave_id(keys.EnclaveId()),
        sealer(keys),
        store(std::move(sealed_store)),
        witness(std::move(rollback_witness)) {}

  Status CreateHead() KC_EXCLUDES(commit_mutex);
  Status LoadHead() KC_EXCLUDES(commit_mutex);
  Status CompareWithWitness() KC_REQUIRES(commit_mutex);
  Status Load(const Visit& visit, const Progress& progress) KC_EXCLUDES(commit_mutex);
  Status CheckDigest() KC_REQUIRES(commit_mutex);
  Status Commit(const std::vector<RecordChange>& changes) KC_EXCLUDES(commit_mutex);
  Result<Record> Read(const RecordKey& key) KC_EXCLUDES(commit_mutex);
  Result<bool> Refresh(const TakeNews& take) KC_EXCLUDES(commit_mutex);
  Result<Slice> ReadSlice(const std::optional<store::RowId>& after, size_t limit)
      KC_EXCLUDES(commit_mutex);
  std::vector<Error> CheckHead() KC_EXCLUDES(commit_mutex);

  struct Sealed {
    std::vector<store::Change> changes;
    std::vector<RowIndex::Entry> entries;
  };
  Result<Sealed> SealAll(const std::vector<RecordChange>& changes);
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
  Witness::Mark Newest() const KC_REQUIRES(commit_mutex) {
    return {head.epoch, Sha256(head_bytes)};
  }
  std::optional<RowIndex::Entry> FindEntry(const store::RowId& row) KC_EXCLUDES(index_mutex);
  Result<std::optional<Record>> TryRead(const RecordKey& key, const store::RowId& row);

  const SecretBytes root;
  const KeySchedule keys;
  const ByteArray<16> enclave_id;
  RowSealer sealer;
  const std::unique_ptr<store::Store> store;
  const std::unique_ptr<Witness> witness;
  bool is_copy = false;  // of what a fleet shares

  // One commit at a time. Never taken while index_mutex is held.
  Mutex commit_mutex;
  Head head KC_GUARDED_BY(commit_mutex);
  Bytes head_bytes KC_GUARDED_BY(commit_mutex);  // as they are in the store
  bool witness_behind KC_GUARDED_BY(commit_mutex) = false;
  bool outcome_unknown KC_GUARDED_BY(commit_mutex) = false;
  std::atomic<uint64_t> epoch{0};

  // Written by the holder of commit_mutex only, who may therefore read it without this.
  SharedMutex index_mutex;
  RowIndex index;
};

}  // namespace keyclave::keys
