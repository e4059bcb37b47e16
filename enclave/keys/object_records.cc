#include "enclave/keys/object_records.h"

#include "enclave/base/hash.h"

namespace keyclave::keys {
namespace {

struct ObjectBody {
  std::string policy;
  wire::AttributeList attributes;
  std::optional<SecretBytes> material;
  std::optional<std::vector<std::string>> inherited = {};
  KC_FIELDS_4(policy, attributes, material, inherited)
};

// The enclave's own records go by what they are.
RecordKey EnclaveRecordKey(std::string_view what) {
  RecordKey key{RecordType::kEnclave, {}, {}};
  const ByteArray<32> digest = Sha256(AsBytes(what));
  std::copy_n(digest.begin(), key.id.size(), key.id.begin());
  return key;
}

Error Contradiction(std::string_view what) {
  return Fail(Code::kStoreCorrupt, std::string(what) + " whose record contradicts itself");
}

}  // namespace

RecordKey TokenRecordKey(const wire::TokenId& token) { return {RecordType::kToken, token, {}}; }

RecordKey PolicyRecordKey(const wire::TokenId& token, std::string_view name) {
  RecordKey key{RecordType::kPolicy, token, {}};
  const ByteArray<32> digest = Sha256(AsBytes(name));
  std::copy_n(digest.begin(), key.id.size(), key.id.begin());
  return key;
}

RecordKey ObjectRecordKey(const Object& object) {
  return {RecordType::kObject, object.token, object.id};
}

// The first half of the SHA-256 of what it counts.
RecordKey UsageRecordKey(const wire::TokenId& token, const Usage::Key& key) {
  RecordKey record{RecordType::kUsage, token, {}};
  const ByteArray<32> digest = Sha256(wire::Encode(key));
  std::copy_n(digest.begin(), record.id.size(), record.id.begin());
  return record;
}

RecordChange TokenChange(const Token& token) {
  return {{TokenRecordKey(token.id), 0, {}, wire::Encode(token)}};
}

RecordChange PolicyChange(const wire::TokenId& token, const Document& policy) {
  return {{PolicyRecordKey(token, policy.name), 0, policy.digest, wire::Encode(policy)}};
}

RecordChange ObjectChange(const Object& object, const SecretBytes& material,
                          const ByteArray<32>& policy_digest) {
  ObjectBody body{object.policy, object.attributes, std::nullopt};
  if (!object.inherited.empty()) body.inherited = object.inherited;
  if (object.has_material) body.material = material.Clone();
  return {{ObjectRecordKey(object), object.version, policy_digest, wire::Encode(body)}};
}

RecordChange TokenRecordChange(const wire::TokenId& token, const TokenRecord& record) {
  return {{{record.type, token, record.id}, 0, {}, record.body}};
}

RecordChange UsageChange(const wire::TokenId& token, const Usage& usage) {
  return {{UsageRecordKey(token, usage.key), 0, {}, wire::Encode(usage)}};
}

RecordKey AuditMarkKey(std::string_view member) {
  return EnclaveRecordKey("audit mark" + (member.empty() ? "" : " " + std::string(member)));
}

RecordChange AuditMarkChange(const AuditMark& mark, std::string_view member) {
  return {{AuditMarkKey(member), 0, {}, wire::Encode(mark)}};
}

RecordKey FleetRecordKey() { return EnclaveRecordKey("fleet"); }

RecordChange FleetChange(const FleetRecord& fleet) {
  return {{FleetRecordKey(), 0, {}, wire::Encode(fleet)}};
}

RecordKey VersionRecordKey() { return EnclaveRecordKey("version"); }

RecordChange VersionChange(const VersionRecord& version) {
  return {{VersionRecordKey(), 0, {}, wire::Encode(version)}};
}

RecordKey RecoveryRecordKey() { return EnclaveRecordKey("recovery"); }

RecordChange RecoveryChange(const wire::Recovery& recovery) {
  return {{RecoveryRecordKey(), 0, {}, wire::Encode(recovery)}};
}

// The first half of the SHA-256 of its name.
TokenRecord MemberRecord(const wire::FleetMember& member) {
  TokenRecord record{.type = RecordType::kMember, .id = {}, .body = wire::Encode(member)};
  const ByteArray<32> digest = Sha256(AsBytes(member.name));
  std::copy_n(digest.begin(), record.id.size(), record.id.begin());
  return record;
}

RecordChange Removal(const RecordKey& key) { return {{key, 0, {}, {}}, true}; }

Result<Token> ParseToken(const Record& record) {
  KC_ASSIGN(Token token, wire::Decode<Token>(record.body));
  if (token.id != record.key.token) return Contradiction("a token");
  return token;
}

Result<Document> ParsePolicy(const Record& record) {
  KC_ASSIGN(Document policy, wire::Decode<Document>(record.body));
  if (PolicyRecordKey(record.key.token, policy.name).id != record.key.id ||
      policy.digest != record.policy_digest)
    return Contradiction("a policy");
  return policy;
}

Result<Usage> ParseUsage(const Record& record) {
  KC_ASSIGN(Usage usage, wire::Decode<Usage>(record.body));
  if (UsageRecordKey(record.key.token, usage.key).id != record.key.id)
    return Contradiction("a usage");
  return usage;
}

Result<AuditMark> ParseAuditMark(const Record& record) {
  return wire::Decode<AuditMark>(record.body);
}

Result<FleetRecord> ParseFleet(const Record& record) {
  return wire::Decode<FleetRecord>(record.body);
}

Result<wire::Recovery> ParseRecovery(const Record& record) {
  return wire::Decode<wire::Recovery>(record.body);
}

Result<StoredObject> ParseObject(const Record& record) {
  KC_ASSIGN(ObjectBody body, wire::Decode<ObjectBody>(record.body));
  StoredObject stored;
  Object& object = stored.object;
  object.id = record.key.id;
  object.token = record.key.token;
  object.policy = std::move(body.policy);
  object.inherited = std::move(body.inherited).value_or(std::vector<std::string>());
  object.attributes = std::move(body.attributes);
  object.has_material = body.material.has_value();
  object.version = record.version;
  const Bytes* digest = object.attributes.Find(kCkaPolicyDigest);
  if (digest == nullptr || !Equal(*digest, record.policy_digest)) return Contradiction("an object");
  if (body.material.has_value()) stored.material = std::move(*body.material);
  return stored;
}

}  // namespace keyclave::keys
