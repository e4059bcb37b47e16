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

struct Row {
  RowId id{};
  Bytes sealed;
};

// What a store takes, in bytes.
struct Size {
  uint64_t file = 0;
  uint64_t log = 0;     // written, and not yet in the file
  uint64_t unused = 0;  // of the file: free, and used again
};
struct Compaction {
  Size before;
  Size after;
  std::string left;  // why free space stays; empty where none does
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

  // The rows above `after` (without it all of them), by id, at most `limit`; as they lie in the
  // store now, not as they were when they were read last.
  virtual Result<std::vector<Row>> ReadAfter(const std::optional<RowId>& after, size_t limit);
  // What is wrong with the store's own structure, a line each; empty: nothing, or there is none to
  // look at. Everything else waits meanwhile: kTooLarge where that is long, unless `however_long`.
  virtual Result<std::vector<std::string>> CheckStructure(bool however_long);
  // Gives back what is not needed; no row changes. As Commit: all of it or none, and durable.
  virtual Result<Compaction> Compact();
};

struct SqliteOptions {
  const char* vfs = nullptr;  // of SQLite's, by name; without it the system's files
  // When it closes, the write-ahead log stays as it is: nothing is written by looking.
  bool leave_log = false;
};

// One SQLite file (WAL, synchronous=FULL, locking_mode=EXCLUSIVE). kStoreLocked if another process
// has it open, kStoreMissing without `create`, kStoreExists with it, kStoreNewer, kStoreCorrupt.
Result<std::unique_ptr<Store>> OpenSqliteStore(const std::string& path, bool create,
                                               const SqliteOptions& options = {});
// In memory, for tests and throw-away enclaves.
std::unique_ptr<Store> MakeMemoryStore();

}  // namespace keyclave::store
