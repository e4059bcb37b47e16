// Reading everything back at the start: each record is genuine by itself, and all of them together
// are what the vault says; here they are put where they belong.
#include "enclave/keys/key_schedule.h"
#include "enclave/keys/member_key.h"
#include "enclave/keys/object_records.h"
#include "enclave/keys/object_store_impl.h"
#include "enclave/keys/record_batch.h"

namespace keyclave::keys {
namespace {

// What the vault hands over, in any order, until all of it is known to belong together.
struct Loaded {
  Mutex mutex;
  RecordBatch others;
  ObjectTable objects;

  // By several threads at once: an object is read before anything is locked.
  Status Take(const Record& record) KC_EXCLUDES(mutex) {
    if (record.key.type != RecordType::kObject) {
      const MutexLock lock(mutex);
      return others.Take(record);
    }
    KC_ASSIGN(const StoredObject stored, ParseObject(record));
    const MutexLock lock(mutex);
    objects.Add(stored.object);
    return Done{};
  }
};

Error Orphan(std::string_view what) {
  return Fail(Code::kStoreCorrupt, std::string(what) + " without its token, policy or object");
}

}  // namespace

Status ObjectStore::Impl::Load(std::unique_ptr<store::Store> store,
                               std::unique_ptr<Witness> witness, const RootKeyring& keyring,
                               const OpenOptions& options) {
  Loaded loaded;
  GenerationKeeper keeper;
  keeper.save = options.save_keyring;
  keeper.unwrap = [this, id = KeySchedule(keyring.first()).EnclaveId()](uint32_t generation,
                                                                        ByteSpan body) {
    return UnwrapGeneration({id, generation, member}, member_key, body);
  };
  KC_ASSIGN(vault, Vault::Open(
                       std::move(store), std::move(witness), keyring,
                       [&](const Record& record) { return loaded.Take(record); }, options.progress,
                       options.is_copy, std::move(keeper)));
  const WriterLock lock(state_mutex);
  RecordBatch& others = loaded.others;
  const auto mark = others.audit_marks.find(AuditMarkKey(member).id);
  if (mark != others.audit_marks.end()) audit_mark = mark->second;
  if (others.fleet.has_value()) fleet_object = others.fleet->object;
  recovery = std::move(others.recovery);
  minimum_version = others.minimum_version.value_or(0);
  for (Token& token : others.tokens) {
    const wire::TokenId id = token.id;
    tokens[id].token = std::move(token);
  }
  for (auto& [token, policy] : others.policies) {
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
  for (auto& [token, record] : others.records) {
    if (!tokens.contains(token)) return Orphan("a record");
    tokens[token].records[{record.type, record.id}] = std::move(record.body);
  }
  for (auto& [id, state] : tokens) state.rules_generation = ++last_rules_generation;
  for (const auto& [token, usage] : others.usages) {
    const auto slot = objects.Find(usage.key.object);
    if (!slot || objects.At(*slot).kind().token != token) return Orphan("a usage");
    SetUsage(usage);
  }
  return Done{};
}

}  // namespace keyclave::keys
