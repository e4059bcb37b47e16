// What a store does that has no better way.
#include "enclave/store/store.h"

#include <algorithm>

namespace keyclave::store {

Result<std::vector<Row>> Store::ReadAfter(const std::optional<RowId>& after, size_t limit) {
  std::vector<Row> rows;
  KC_CHECK_OK(ForEach([&](const RowId& id, ByteSpan sealed) -> Status {
    if (!after.has_value() || id > *after) rows.push_back({id, ToBytes(sealed)});
    return Done{};
  }));
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.id < b.id; });
  if (rows.size() > limit) rows.resize(limit);
  return rows;
}

Result<std::vector<std::string>> Store::CheckStructure(bool /*however_long*/) {
  return std::vector<std::string>();
}

Result<Compaction> Store::Compact() { return Compaction{}; }

}  // namespace keyclave::store
