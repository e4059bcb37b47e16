// A store of sealed rows. It sees ids that are keyed hashes and ciphertext, and is believed in
// nothing: sealing, the signed head and the witness (enclave/keys/vault.h) notice whatever it does.
#pragma once

#include <functional>
#include <memory>

#include "enclave/base/bytes.h"

namespace keyclave::store {

using RowId = ByteArray<32>;

struct Change {
  RowId id{};
  std::optional<Bytes> sealed;  // nullopt: the row is removed
};

class Store {
 public:
  virtual ~Store() = default;
  // The sealed head; empty in a new store.
  virtual Result<Bytes> ReadHead() = 0;
  virtual Status ForEach(const std::function<Status(const RowId&, ByteSpan)>& visit) = 0;
  virtual Result<Bytes> Read(const RowId& id) = 0;  // kNotFound
  // All changes and the new head, or none of them; durable (on disk, synced) when it returns.
  // kStoreFull, kStoreReadOnly, kStoreIo: nothing changed.
  virtual Status Commit(std::span<const Change> changes, ByteSpan head) = 0;
};

// One SQLite file (WAL, synchronous=FULL, locking_mode=EXCLUSIVE). kStoreLocked if another process
// has it open, kStoreMissing without `create`, kStoreExists with it, kStoreNewer, kStoreCorrupt.
Result<std::unique_ptr<Store>> OpenSqliteStore(const std::string& path, bool create);
// In memory, for tests and throw-away enclaves.
std::unique_ptr<Store> MakeMemoryStore();

}  // namespace keyclave::store
