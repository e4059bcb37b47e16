#include "enclave/keys/object_table.h"

namespace keyclave::keys {

Slot ObjectTable::Add(const Object& object) {
  Slot slot = static_cast<Slot>(slots_.size());
  RestingObject resting(object, kinds_.Take(object));
  if (free_.empty()) {
    slots_.push_back(std::move(resting));
  } else {
    slot = free_.back();
    free_.pop_back();
    slots_[slot] = std::move(resting);
  }
  by_id_.Insert({PrefixOf(object.id), slot}, ById{*this, object.id});
  return slot;
}

void ObjectTable::Remove(Slot slot) {
  RestingObject& object = slots_[slot];
  by_id_.Erase(ById{*this, object.id()});
  kinds_.Release(object.kind());
  object = {};
  free_.push_back(slot);
}

std::optional<Slot> ObjectTable::Find(const wire::ObjectId& id) const {
  const ById order{*this, id};
  const SlotSet::Entry* found = by_id_.At(by_id_.LowerBound(order));
  if (found == nullptr || order(*found) != 0) return std::nullopt;
  return found->slot;
}

}  // namespace keyclave::keys
