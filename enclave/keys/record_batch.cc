#include "enclave/keys/record_batch.h"

#include "enclave/keys/object_records.h"

namespace keyclave::keys {

Status RecordBatch::Take(const Record& record) {
  switch (record.key.type) {
    case RecordType::kToken: {
      KC_ASSIGN(tokens.emplace_back(), ParseToken(record));
      return Done{};
    }
    case RecordType::kPolicy: {
      KC_ASSIGN(Document policy, ParsePolicy(record));
      policies.emplace_back(record.key.token, std::move(policy));
      return Done{};
    }
    case RecordType::kSet:
    case RecordType::kHistory:
    case RecordType::kRevocation:
    case RecordType::kApproval:
    case RecordType::kMember:
      records.emplace_back(record.key.token,
                           TokenRecord{record.key.type, record.key.id, record.body});
      return Done{};
    case RecordType::kUsage: {
      KC_ASSIGN(Usage usage, ParseUsage(record));
      usages.emplace_back(record.key.token, std::move(usage));
      return Done{};
    }
    case RecordType::kEnclave: {
      if (record.key.id == FleetRecordKey().id) {
        KC_ASSIGN(fleet, ParseFleet(record));
        return Done{};
      }
      if (record.key.id == VersionRecordKey().id) {
        KC_ASSIGN(const VersionRecord version, wire::Decode<VersionRecord>(record.body));
        minimum_version = version.svn;
        return Done{};
      }
      if (record.key.id == RecoveryRecordKey().id) {
        KC_ASSIGN(recovery, ParseRecovery(record));
        return Done{};
      }
      KC_ASSIGN(audit_marks[record.key.id], ParseAuditMark(record));
      return Done{};
    }
    case RecordType::kGeneration: return Done{};  // the vault's own
    case RecordType::kObject:
    case RecordType::kTombstone: break;
  }
  return Fail(Code::kStoreCorrupt, "a record of a type that is not used");
}

}  // namespace keyclave::keys
