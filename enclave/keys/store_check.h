// Looking for damage: every row opened and compared, the head, the witness, the file's own
// structure. ObjectStore does it for a store in use, CheckState for one that lies.
#pragma once

#include "enclave/keys/vault.h"
#include "enclave/keys/witness_choice.h"

namespace keyclave::keys {

struct StoreFinding {
  std::string row;      // its id, hexadecimal; empty where it is not about one row
  std::string subject;  // "object … of token web", where that is known
  std::string what;
  std::string mend;
};

struct RowsChecked {
  uint64_t rows = 0;                 // looked at now
  uint64_t all = 0;                  // that there should be
  std::optional<store::RowId> next;  // go on behind this one; absent: these were the last
  std::vector<StoreFinding> findings;
};

// Compares what the vault knows with what its store has.
Result<RowsChecked> CheckRowsOf(Vault& vault, const std::optional<store::RowId>& after);
StoreFinding FindingOf(const Error& error);
// "object 0123… of token 4567…", and what is said of a row without any.
std::string SubjectOf(const RecordKey& key);

// Everything that lies under `state:`, with no daemon on it: structure, rows, head, witness, and
// whether it can be loaded. Changes nothing: no witness catches up, and the write-ahead log stays.
// An Error: it could not be looked at (kStoreLocked, kStoreMissing, kRootSecretInvalid, …).
Result<std::vector<StoreFinding>> CheckState(const std::string& directory, const RootSealer& sealer,
                                             const WitnessChoice& witness = {},
                                             const Progress& progress = {});

}  // namespace keyclave::keys
