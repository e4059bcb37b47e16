// Requests and replies about the enclave's store: checking and compacting it.
#pragma once

#include "enclave/wire/message_parts.h"

namespace keyclave::wire {

// kRows is asked for page by page; the others are one request each.
enum class StoreStep : uint8_t { kRows = 0, kHead, kStructure, kLast = kStructure };

struct CheckStoreRequest {
  StoreStep step = StoreStep::kRows;
  std::optional<ByteArray<32>> after;  // kRows: behind this row; absent: from the first
  bool however_long = false;           // kStructure: even if changes wait for long
  KC_FIELDS_3(step, after, however_long)
};

struct StoreFinding {
  std::string row;      // its id, hexadecimal; empty where it is not about one row
  std::string subject;  // the record, where it is known
  std::string what;
  std::string mend;
  KC_FIELDS_4(row, subject, what, mend)
};
struct CheckStoreReply {
  uint64_t rows = 0;                  // looked at now
  uint64_t all = 0;                   // that there should be
  std::optional<ByteArray<32>> next;  // go on behind this one; absent: done
  std::vector<StoreFinding> findings;
  std::optional<std::string> skipped;  // why nothing was looked at
  KC_FIELDS_5(rows, all, next, findings, skipped)
};

// In bytes.
struct StoreSize {
  uint64_t store = 0;
  uint64_t log = 0;     // of the write-ahead log
  uint64_t unused = 0;  // of the file
  KC_FIELDS_3(store, log, unused)
};
using CompactStoreRequest = Empty;
struct CompactStoreReply {
  StoreSize before;
  StoreSize after;
  std::string left;  // why free space stays; empty where none does
  KC_FIELDS_3(before, after, left)
};

}  // namespace keyclave::wire
