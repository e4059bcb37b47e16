// What other members of the fleet have committed, taken into the state that answers are made of: in
// one step, so that nobody sees half of a commit.
#include "enclave/base/hash.h"
#include "enclave/keys/object_records.h"
#include "enclave/keys/object_store_impl.h"
#include "enclave/keys/record_batch.h"

namespace keyclave::keys {

struct ObjectStore::Impl::ReadNews {
  RecordBatch others;
  std::vector<ObjectPtr> objects;
  std::vector<RecordKey> removed;
  bool is_empty = false;
};

Result<bool> ObjectStore::Impl::Refresh() {
  return vault->Refresh([this](Vault::News news) -> Result<std::function<void()>> {
    auto read = std::make_shared<ReadNews>();
    read->is_empty = news.changed.empty() && news.removed.empty();
    for (const Record& record : news.changed) {
      if (record.key.type != RecordType::kObject) {
        KC_CHECK_OK(read->others.Take(record));
        continue;
      }
      KC_ASSIGN(StoredObject stored, ParseObject(record));
      read->objects.push_back(std::make_shared<const Object>(std::move(stored.object)));
    }
    read->removed = std::move(news.removed);
    return std::function<void()>([this, read] { Apply(*read); });
  });
}

void ObjectStore::Impl::Apply(const ReadNews& news) {
  // Rows that were sealed under another generation, and say what they said.
  if (news.is_empty) return;
  {
    const WriterLock lock(state_mutex);
    for (const Token& token : news.others.tokens) {
      const bool is_new = !tokens.contains(token.id);
      TokenState& state = tokens[token.id];
      state.token = token;
      if (is_new) state.rules_generation = ++last_rules_generation;
    }
    for (const auto& [token, policy] : news.others.policies) ApplyPolicy(token, policy);
    ApplyObjects(news);
    for (const auto& [token, record] : news.others.records) ApplyRecords(token, {record}, {});
    for (const auto& [token, usage] : news.others.usages) SetUsage(usage);
    if (news.others.fleet.has_value()) fleet_object = news.others.fleet->object;
    if (news.others.recovery.has_value()) recovery = news.others.recovery;
    if (news.others.minimum_version.has_value()) minimum_version = *news.others.minimum_version;
    ApplyRemovals(news);
    Moved();
  }
  for (const ObjectPtr& object : news.objects) cache.Erase(object->id);
  for (const RecordKey& key : news.removed) {
    if (key.type == RecordType::kObject) cache.Erase(key.id);
  }
}

// Objects of the store come with the policy's news; those of this member's own sessions do not.
void ObjectStore::Impl::ApplyPolicy(const wire::TokenId& token, const Document& policy) {
  TokenState& state = tokens[token];
  state.policies[policy.name] = policy;
  for (const Slot slot : state.objects.UnderPolicy(policy.name)) {
    const ObjectPtr object = Fresh(slot);
    if (object->session == 0) continue;
    const std::shared_ptr<Object> next = NextVersion(*object);
    SetOwnAttributes(*next, policy.digest);
    ReplaceObject(next);
  }
}

void ObjectStore::Impl::ApplyObjects(const ReadNews& news) {
  for (const ObjectPtr& object : news.objects) {
    if (objects.Find(object->id)) {
      ReplaceObject(object);
    } else {
      AddObject(object);
    }
  }
}

void ObjectStore::Impl::ApplyRemovals(const ReadNews& news) {
  for (const RecordKey& key : news.removed) {
    const auto state = tokens.find(key.token);
    if (key.type == RecordType::kObject) {
      if (const auto slot = objects.Find(key.id)) DropObject(*Fresh(*slot));
    } else if (key.type == RecordType::kPolicy && state != tokens.end()) {
      std::erase_if(state->second.policies, [&](const auto& policy) {
        return PolicyRecordKey(key.token, policy.first).id == key.id;
      });
    } else if (key.type == RecordType::kToken && state != tokens.end()) {
      // What is left are objects of this member's own sessions.
      for (const Slot slot : state->second.objects.Slots()) DropObject(*Fresh(slot));
      tokens.erase(state);
    } else if (state != tokens.end() && key.type != RecordType::kUsage) {
      ApplyRecords(key.token, {}, {TokenRecord{key.type, key.id, {}}});
    }
  }
}

}  // namespace keyclave::keys
