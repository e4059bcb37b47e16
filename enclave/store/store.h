// A store of sealed rows. It sees ids that are keyed hashes and ciphertext, and is believed in
// nothing: sealing, the signed head and the witness (enclave/keys/vault.h) notice whatever it does.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "enclave/base/bytes.h"

namespace keyclave::store {

using RowId = ByteArray<32>;

struct Change {
  RowId id{};
  std::optional<Bytes> sealed;  // nullopt: the row is removed
};

// What others have committed to a store that is shared: the newest head, and at least the rows that
// changed since what this store's own copy has.
struct News {
  Bytes head;
  std::vector<Change> rows;  // none is a removal
  int64_t revision = 0;      // the shared store's own number for this state
};

class Store {
 public:
  virtual ~Store() = default;
  // The sealed head; empty in a new store.
  virtual Result<Bytes> ReadHead() = 0;
  virtual Status ForEach(const std::function<Status(const RowId&, ByteSpan)>& visit) = 0;
  virtual Result<Bytes> Read(const RowId& id) = 0;  // kNotFound
  // All changes and the new head, or none of them; durable (on disk, synced) when it returns.
  // kStoreFull, kStoreReadOnly, kStoreIo: nothing changed. Of a store that is shared also
  // kStoreMoved: another member committed first, and there is news; kStoreUnreachable.
  virtual Status Commit(std::span<const Change> changes, ByteSpan head) = 0;

  // Whether others commit to it too (enclave/fleet).
  virtual bool IsShared() const { return false; }
  // Of such a store. nullopt: nothing new. `all`: every row, changed or
  // not. kStoreUnreachable, kStoreMissing.
  virtual Result<std::optional<News>> Fetch(bool /*all*/) { return std::optional<News>(); }
  // Once the news has been found genuine: from now on this store reads as they say.
  virtual Status Adopt(const News& /*news*/) { return Done{}; }
};

// One SQLite file (WAL, synchronous=FULL, locking_mode=EXCLUSIVE). kStoreLocked if another process
// has it open, kStoreMissing without `create`, kStoreExists with it, kStoreNewer, kStoreCorrupt.
Result<std::unique_ptr<Store>> OpenSqliteStore(const std::string& path, bool create);
// In memory, for tests and throw-away enclaves.
std::unique_ptr<Store> MakeMemoryStore();

}  // namespace keyclave::store
