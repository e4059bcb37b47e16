#include "enclave/keys/object_index.h"

namespace keyclave::keys {
namespace {

std::strong_ordering Compare(ByteSpan a, ByteSpan b) {
  return std::lexicographical_compare_three_way(a.begin(), a.end(), b.begin(), b.end());
}

// From the first entry that is not before the one looked for (or after it, if an object's id is
// looked for that was answered already), while `belongs`.
template <class Order, class Belongs>
std::vector<Slot> Take(const SlotSet& set, const Order& order, bool after, size_t limit,
                       const Belongs& belongs) {
  std::vector<Slot> found;
  SlotSet::Place place = set.LowerBound(order);
  if (const SlotSet::Entry* first = set.At(place);
      after && first != nullptr && order(*first) == 0) {
    place = set.Next(place);
  }
  for (; found.size() < limit; place = set.Next(place)) {
    const SlotSet::Entry* entry = set.At(place);
    if (entry == nullptr || !belongs(*entry)) break;
    found.push_back(entry->slot);
  }
  return found;
}

void DropIfEmpty(std::map<std::string, SlotSet, std::less<>>& sets, std::string_view name) {
  const auto found = sets.find(name);
  if (found != sets.end() && found->second.empty()) sets.erase(found);
}

const SlotSet* FindSet(const std::map<std::string, SlotSet, std::less<>>& sets,
                       std::string_view name) {
  const auto found = sets.find(name);
  return found == sets.end() ? nullptr : &found->second;
}

}  // namespace

ObjectIndex::ByValue::ByValue(const ObjectTable& objects, uint64_t attribute, ByteSpan of,
                              const wire::ObjectId& from)
    : table(objects),
      type(attribute),
      value(of),
      id(from),
      prefix(static_cast<uint32_t>(std::hash<std::string_view>()(AsText(of)))) {}

std::strong_ordering ObjectIndex::ByValue::operator()(const SlotSet::Entry& entry) const {
  if (entry.prefix != prefix) return entry.prefix <=> prefix;
  const RestingObject& object = table.At(entry.slot);
  const auto by_value = Compare(object.Find(type).value_or(ByteSpan()), value);
  return by_value != 0 ? by_value : object.id() <=> id;
}

template <class Change>
void ObjectIndex::ForEachSet(const ObjectTable& table, const RestingObject& object,
                             const Change& change) {
  const ObjectTable::ById by_id{table, object.id()};
  const uint32_t prefix = ObjectTable::PrefixOf(object.id());
  change(all_, by_id, prefix);
  change(by_policy_[object.kind().policy], by_id, prefix);
  if (const auto value = object.Find(CKA_CLASS))
    change(by_class_[std::string(AsText(*value))], by_id, prefix);
  for (const auto& [type, set] :
       {std::pair(CKA_ID, &by_cka_id_), std::pair(CKA_LABEL, &by_label_)}) {
    const auto value = object.Find(type);
    if (!value) continue;
    const ByValue order(table, type, *value, object.id());
    change(*set, order, order.prefix);
  }
}

void ObjectIndex::Add(const ObjectTable& table, Slot slot) {
  const RestingObject& object = table.At(slot);
  ForEachSet(table, object, [&](SlotSet& set, const auto& order, uint32_t prefix) {
    set.Insert({prefix, slot}, order);
  });
  CountVersion(object, true);
}

void ObjectIndex::Remove(const ObjectTable& table, Slot slot) {
  const RestingObject& object = table.At(slot);
  ForEachSet(table, object,
             [](SlotSet& set, const auto& order, uint32_t /*prefix*/) { set.Erase(order); });
  DropIfEmpty(by_policy_, object.kind().policy);
  if (const auto value = object.Find(CKA_CLASS)) DropIfEmpty(by_class_, AsText(*value));
  CountVersion(object, false);
}

void ObjectIndex::CountVersion(const RestingObject& object, bool there) {
  const auto number = object.Ulong(kCkaVersion);
  const uint64_t object_class = object.Ulong(CKA_CLASS).value_or(CKO_VENDOR_DEFINED);
  if (!number || (object_class != CKO_PRIVATE_KEY && object_class != CKO_SECRET_KEY)) return;
  const std::string label(AsText(object.Find(CKA_LABEL).value_or(ByteSpan())));
  const auto line = lines_.try_emplace(label).first;
  const auto version = line->second.try_emplace(*number).first;
  Version& counts = version->second;
  const auto staged = object.Find(kCkaStaged);
  const bool is_staged = staged && staged->size() == 1 && staged->front() == 1;
  size_t& count = is_staged ? counts.staged : counts.in_service;
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

std::vector<Slot> ObjectIndex::UnderPolicy(const std::string& policy) const {
  const SlotSet* set = FindSet(by_policy_, policy);
  return set == nullptr ? std::vector<Slot>() : set->Slots();
}

size_t ObjectIndex::CountUnderPolicy(const std::string& policy) const {
  const SlotSet* set = FindSet(by_policy_, policy);
  return set == nullptr ? 0 : set->size();
}

// CKA_ID first, because it is shared by a key pair and its certificate only. An empty value may be
// shared by everything, so any other list is better.
std::vector<Slot> ObjectIndex::Candidates(const ObjectTable& table,
                                          const wire::AttributeList& match,
                                          const std::optional<wire::ObjectId>& after,
                                          size_t limit) const {
  const wire::ObjectId from = after.value_or(wire::ObjectId{});
  const Bytes* const id = match.Find(CKA_ID);
  const Bytes* const label = match.Find(CKA_LABEL);
  const Bytes* const object_class = match.Find(CKA_CLASS);
  const auto with_value = [&](const SlotSet& set, uint64_t type, const Bytes& value) {
    const ByValue order(table, type, value, from);
    return Take(set, order, after.has_value(), limit, [&](const SlotSet::Entry& entry) {
      return entry.prefix == order.prefix &&
             Equal(table.At(entry.slot).Find(type).value_or(ByteSpan()), value);
    });
  };
  const auto whole = [&](const SlotSet& set) {
    return Take(set, ObjectTable::ById{table, from}, after.has_value(), limit,
                [](const SlotSet::Entry&) { return true; });
  };
  if (id != nullptr && !id->empty()) return with_value(by_cka_id_, CKA_ID, *id);
  if (label != nullptr && !label->empty()) return with_value(by_label_, CKA_LABEL, *label);
  if (object_class != nullptr) {
    const SlotSet* set = FindSet(by_class_, AsText(*object_class));
    return set == nullptr ? std::vector<Slot>() : whole(*set);
  }
  if (label != nullptr) return with_value(by_label_, CKA_LABEL, *label);
  if (id != nullptr) return with_value(by_cka_id_, CKA_ID, *id);
  return whole(all_);
}

}  // namespace keyclave::keys
