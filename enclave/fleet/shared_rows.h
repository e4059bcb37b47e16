// The rows and the head of one enclave, as they lie in etcd.
//
//   <prefix>/<enclave id>/0/head               the head; every commit replaces it
//   <prefix>/<enclave id>/0/pending            the number of a commit whose rows are still staged
//   <prefix>/<enclave id>/row/<row id>         a sealed row
//   <prefix>/<enclave id>/staged/<commit>/<row id>
//
// A commit is one transaction that compares the head with the one it was made for: of two members
// that commit at once, one has to look at what the other did first. What is more than a transaction
// takes (etcd's --max-txn-ops, --max-request-bytes) is staged before, and the transaction says that
// it counts; any member moves it to its place, and nobody commits before that is done.
#pragma once

#include "enclave/fleet/etcd.h"
#include "enclave/store/store.h"

namespace keyclave::fleet {

class SharedRows {
 public:
  SharedRows(std::shared_ptr<Etcd> etcd, const std::string& prefix, ByteSpan enclave_id);

  struct State {
    Bytes head;  // empty: there is none
    Bytes pending;
    int64_t revision = 0;
    uint64_t cluster = 0;  // revisions of two clusters have nothing in common
  };
  // As it is now.
  Result<State> Now();
  struct Since {
    store::News news;
    uint64_t cluster = 0;
    bool all = false;  // the rows are all that there are
  };
  // What has changed after `revision` of `cluster` (0: everything there is), all of it as of one
  // moment. kStoreMissing: no head.
  Result<Since> ReadSince(int64_t revision, uint64_t cluster);
  // The new revision. `before` empty: there must be no head. kStoreMoved: the head is not `before`;
  // kStoreUnreachable: nothing happened; kStoreIo: it may happen yet; kTooLarge, kStoreFull.
  Result<int64_t> Commit(ByteSpan before, std::span<const store::Change> changes, ByteSpan head);
  // Rows to begin with, before there is a head; the first Commit, with nothing before, ends it.
  // kStoreExists.
  Status Prepare(std::span<const store::Change> rows);
  // Waits for a commit after `revision`. False: not within `timeout`.
  Result<bool> Wait(int64_t revision, std::chrono::milliseconds timeout);

 private:
  Bytes RowKey(const store::RowId& id) const;
  Bytes StagedKey(ByteSpan commit) const;
  // Of a range, page by page, at one revision.
  using Visit = std::function<Status(const KeyValue&)>;
  Status ForEach(const Bytes& prefix, int64_t at, int64_t modified_from, const Visit& visit);
  Status AddRows(const Bytes& prefix, int64_t at, int64_t from, std::vector<store::Change>& rows);
  Status Stage(ByteSpan commit, std::span<const store::Change> changes);
  // Moves what is staged to its place.
  Status Complete(ByteSpan commit);
  Result<int64_t> TryCommit(ByteSpan before, const Transaction& transaction, ByteSpan head);

  const std::shared_ptr<Etcd> etcd_;
  const Bytes base_;
  const Bytes head_key_;
  const Bytes pending_key_;
  const Bytes row_prefix_;
  const Bytes staged_prefix_;
};

}  // namespace keyclave::fleet
