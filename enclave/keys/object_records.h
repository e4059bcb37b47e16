// What the bodies of token, policy and object records are (CBOR, docs/storage.md), and under which
// keys they stand.
#pragma once

#include "enclave/keys/object_store.h"

namespace keyclave::keys {

RecordKey TokenRecordKey(const wire::TokenId& token);
// A policy's id is the first half of the SHA-256 of its name, which is unique in its token.
RecordKey PolicyRecordKey(const wire::TokenId& token, std::string_view name);
RecordKey ObjectRecordKey(const Object& object);

RecordChange TokenChange(const Token& token);
RecordChange PolicyChange(const wire::TokenId& token, const Document& policy);
// The object with this version, material and policy digest.
RecordChange ObjectChange(const Object& object, const SecretBytes& material,
                          const ByteArray<32>& policy_digest);
RecordChange TokenRecordChange(const wire::TokenId& token, const TokenRecord& record);
RecordKey UsageRecordKey(const wire::TokenId& token, const Usage::Key& key);
RecordChange UsageChange(const wire::TokenId& token, const Usage& usage);
// Each member of a fleet has its own; `member` is empty where there is no fleet.
RecordKey AuditMarkKey(std::string_view member);
RecordChange AuditMarkChange(const AuditMark& mark, std::string_view member);
RecordKey FleetRecordKey();
RecordChange FleetChange(const FleetRecord& fleet);
RecordKey VersionRecordKey();
RecordChange VersionChange(const VersionRecord& version);
// Who could restore the enclave elsewhere: there from the first commit on, or never.
RecordKey RecoveryRecordKey();
RecordChange RecoveryChange(const wire::Recovery& recovery);
TokenRecord MemberRecord(const wire::FleetMember& member);
RecordChange Removal(const RecordKey& key);

// kStoreCorrupt: a record that was sealed by us and says something else than we would.
Result<Token> ParseToken(const Record& record);
Result<Document> ParsePolicy(const Record& record);
Result<Usage> ParseUsage(const Record& record);
Result<AuditMark> ParseAuditMark(const Record& record);
Result<FleetRecord> ParseFleet(const Record& record);
Result<wire::Recovery> ParseRecovery(const Record& record);
struct StoredObject {
  Object object;
  SecretBytes material;
};
Result<StoredObject> ParseObject(const Record& record);

}  // namespace keyclave::keys
