// Records that the vault handed over, read and sorted by what they are. Objects are their reader's
// own business: there are so many of them.
#pragma once

#include "enclave/keys/object_store.h"

namespace keyclave::keys {

struct RecordBatch {
  std::vector<Token> tokens;
  std::vector<std::pair<wire::TokenId, Document>> policies;
  std::vector<std::pair<wire::TokenId, TokenRecord>> records;
  std::vector<std::pair<wire::TokenId, Usage>> usages;
  std::optional<FleetRecord> fleet;
  std::optional<wire::Recovery> recovery;
  std::optional<uint64_t> minimum_version;
  std::map<ByteArray<16>, AuditMark> audit_marks;  // by the id of the record: one for each member

  // Any but an object's. kStoreCorrupt, and what decoding says: a record that we would not have
  // made.
  Status Take(const Record& record);
};

}  // namespace keyclave::keys
