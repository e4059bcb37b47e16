// Reading everything back at the start: each record is genuine by itself, and all of them together
// are what the vault says; here they are put where they belong.
#include "enclave/keys/object_records.h"
#include "enclave/keys/object_store_impl.h"

namespace keyclave::keys {
namespace {

// What the vault hands over, in any order, until all of it is known to belong together.
struct Loaded {
  Mutex mutex;
  std::vector<Token> tokens;
  std::vector<std::pair<wire::TokenId, Document>> policies;
  ObjectTable objects;
  std::vector<std::pair<wire::TokenId, TokenRecord>> records;
  std::vector<std::pair<wire::TokenId, Usage>> usages;
  std::optional<AuditMark> audit_mark;

  // By several threads at once: an object is read before anything is locked.
  Status Take(const Record& record) KC_EXCLUDES(mutex) {
    if (record.key.type != RecordType::kObject) {
      const MutexLock lock(mutex);
      return TakeOther(record);
    }
    KC_ASSIGN(const StoredObject stored, ParseObject(record));
    const MutexLock lock(mutex);
    objects.Add(stored.object);
    return Done{};
  }

  Status TakeOther(const Record& record) KC_REQUIRES(mutex) {
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
        records.emplace_back(record.key.token,
                             TokenRecord{record.key.type, record.key.id, record.body});
        return Done{};
      case RecordType::kUsage: {
        KC_ASSIGN(Usage usage, ParseUsage(record));
        usages.emplace_back(record.key.token, std::move(usage));
        return Done{};
      }
      case RecordType::kEnclave: {
        KC_ASSIGN(audit_mark, ParseAuditMark(record));
        return Done{};
      }
      case RecordType::kObject:
      case RecordType::kTombstone: break;
    }
    return Fail(Code::kStoreCorrupt, "a record of a type that is not used");
  }
};

Error Orphan(std::string_view what) {
  return Fail(Code::kStoreCorrupt, std::string(what) + " without its token, policy or object");
}

}  // namespace

Status ObjectStore::Impl::Load(std::unique_ptr<store::Store> store,
                               std::unique_ptr<Witness> witness, SecretBytes root_secret,
                               const Progress& progress) {
  Loaded loaded;
  KC_ASSIGN(vault, Vault::Open(
                       std::move(store), std::move(witness), std::move(root_secret),
                       [&](const Record& record) { return loaded.Take(record); }, progress));
  const WriterLock lock(state_mutex);
  audit_mark = std::move(loaded.audit_mark);
  for (Token& token : loaded.tokens) {
    const wire::TokenId id = token.id;
    tokens[id].token = std::move(token);
  }
  for (auto& [token, policy] : loaded.policies) {
    const auto found = tokens.find(token);
    if (found == tokens.end()) return Orphan("a policy");
    std::string name = policy.name;
    found->second.policies[std::move(name)] = std::move(policy);
  }
  objects = std::move(loaded.objects);
  for (const Slot slot : objects.Slots()) {
    const RestingObject& object = objects.At(slot);
    const auto found = tokens.find(object.kind().token);
    if (found == tokens.end()) return Orphan("an object");
    const auto policy = found->second.policies.find(object.kind().policy);
    if (policy == found->second.policies.end() ||
        !Equal(object.Find(kCkaPolicyDigest).value_or(ByteSpan()), policy->second.digest))
      return Orphan("an object");
    found->second.objects.Add(objects, slot);
  }
  for (auto& [token, record] : loaded.records) {
    if (!tokens.contains(token)) return Orphan("a record");
    tokens[token].records[{record.type, record.id}] = std::move(record.body);
  }
  for (auto& [id, state] : tokens) state.rules_generation = ++last_rules_generation;
  for (const auto& [token, usage] : loaded.usages) {
    const auto slot = objects.Find(usage.key.object);
    if (!slot || objects.At(*slot).kind().token != token) return Orphan("a usage");
    SetUsage(usage);
  }
  return Done{};
}

}  // namespace keyclave::keys
