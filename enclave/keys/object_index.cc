#include "enclave/keys/object_index.h"

namespace keyclave::keys {

std::vector<ObjectIndex::Key> ObjectIndex::KeysOf(const Object& object) {
  std::vector<Key> keys{{List::kAll, {}, object.id}};
  if (const Bytes* object_class = object.attributes.Find(CKA_CLASS))
    keys.push_back({List::kClass, std::string(AsText(*object_class)), object.id});
  if (const Bytes* id = object.attributes.Find(CKA_ID))
    keys.push_back({List::kId, std::string(AsText(*id)), object.id});
  if (const Bytes* label = object.attributes.Find(CKA_LABEL))
    keys.push_back({List::kLabel, std::string(AsText(*label)), object.id});
  return keys;
}

void ObjectIndex::Add(const ObjectPtr& object) {
  for (Key& key : KeysOf(*object)) lists_[std::move(key)] = object;
  by_policy_[object->policy].insert(object->id);
  CountVersion(*object, true);
  ++size_;
}

void ObjectIndex::Remove(const Object& object) {
  for (const Key& key : KeysOf(object)) lists_.erase(key);
  const auto policy = by_policy_.find(object.policy);
  policy->second.erase(object.id);
  if (policy->second.empty()) by_policy_.erase(policy);
  CountVersion(object, false);
  --size_;
}

void ObjectIndex::CountVersion(const Object& object, bool there) {
  const auto number = object.attributes.Ulong(kCkaVersion);
  const uint64_t object_class = object.Class();
  if (!number || (object_class != CKO_PRIVATE_KEY && object_class != CKO_SECRET_KEY)) return;
  const auto line = lines_.try_emplace(object.attributes.Text(CKA_LABEL)).first;
  const auto version = line->second.try_emplace(*number).first;
  Version& counts = version->second;
  size_t& count = object.attributes.IsTrue(kCkaStaged) ? counts.staged : counts.in_service;
  there ? ++count : --count;
  if (counts.staged + counts.in_service == 0) line->second.erase(version);
  if (line->second.empty()) lines_.erase(line);
}

std::optional<uint64_t> ObjectIndex::VersionInService(std::string_view label) const {
  const auto line = lines_.find(label);
  if (line == lines_.end()) return std::nullopt;
  for (auto version = line->second.rbegin(); version != line->second.rend(); ++version) {
    if (version->second.in_service != 0) return version->first;
  }
  // What is staged waits beside a key without a number.
  return kFirstVersion;
}

const std::set<wire::ObjectId>& ObjectIndex::UnderPolicy(const std::string& policy) const {
  static const std::set<wire::ObjectId> kNone;
  const auto found = by_policy_.find(policy);
  return found == by_policy_.end() ? kNone : found->second;
}

// CKA_ID first, because it is shared by a key pair and its certificate only. An empty value may be
// shared by everything, so any other list is better.
ObjectIndex::Key ObjectIndex::ChooseList(const wire::AttributeList& match) {
  static constexpr std::pair<List, CK_ATTRIBUTE_TYPE> kNarrowFirst[] = {
      {List::kId, CKA_ID}, {List::kLabel, CKA_LABEL}, {List::kClass, CKA_CLASS}};
  std::optional<Key> shared;
  for (const auto& [list, type] : kNarrowFirst) {
    const Bytes* value = match.Find(type);
    if (value == nullptr) continue;
    Key key{list, std::string(AsText(*value))};
    if (!value->empty()) return key;
    shared = std::move(key);
  }
  return shared.value_or(Key{List::kAll, {}});
}

std::vector<ObjectPtr> ObjectIndex::Candidates(const wire::AttributeList& match,
                                               const std::optional<wire::ObjectId>& after,
                                               size_t limit) const {
  Key key = ChooseList(match);
  if (after.has_value()) key.id = *after;
  auto at = after.has_value() ? lists_.upper_bound(key) : lists_.lower_bound(key);
  std::vector<ObjectPtr> found;
  for (; at != lists_.end() && found.size() < limit; ++at) {
    if (at->first.list != key.list || at->first.value != key.value) break;
    found.push_back(at->second);
  }
  return found;
}

}  // namespace keyclave::keys
