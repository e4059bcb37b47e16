// Reads a whole store: opens every row and hands over what is in it, on as many threads as the
// machine has processors where there are many rows.
#pragma once

#include "enclave/keys/row_index.h"

namespace keyclave::keys {

// Every row of the store was opened, so each is genuine by itself; `index` has all of them and is
// finished, and every live record was visited. kStoreCorrupt, kStoreNewer, the store's error, or
// the first that `visit` has answered: then what was visited must not be used.
// `expected`: how many rows there should be, for `progress` and for the number of threads.
Status LoadRows(store::Store& store, const KeyGenerations& keys, uint64_t expected, RowIndex& index,
                const Vault::Visit& visit, const Progress& progress);

}  // namespace keyclave::keys
