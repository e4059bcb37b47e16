// A store that fails, or lies, when it is told to, around any other store. Its control outlives the
// vault that owns the store.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>

#include "enclave/base/mutex.h"
#include "enclave/store/store.h"

namespace keyclave::fakes {

struct FaultControl {
  enum class CommitFault { kNone, kBefore, kAfter, kTorn };

  // What the next commit does: fails with `code` before anything is written (kBefore), after
  // everything is (kAfter: the answer was lost), or with its first half written (kTorn: no store
  // should, but the head must show it).
  std::atomic<CommitFault> next_commit{CommitFault::kNone};
  std::atomic<Code> code{Code::kStoreIo};
  std::atomic<bool> fail_head{false};  // ReadHead fails
  std::atomic<bool> fail_read{false};  // Read fails
  std::atomic<uint64_t> commits{0};    // how many were asked for
  std::atomic<uint64_t> reads{0};

  // What a host that tampers shows instead of a row, while the store is open.
  Mutex mutex;
  std::map<store::RowId, std::optional<Bytes>> instead KC_GUARDED_BY(mutex);  // nullopt: no row
};

std::unique_ptr<store::Store> MakeFaultStore(std::unique_ptr<store::Store> inner,
                                             std::shared_ptr<FaultControl> control);

}  // namespace keyclave::fakes
