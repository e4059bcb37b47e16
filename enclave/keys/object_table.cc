#include "enclave/keys/object_table.h"

namespace keyclave::keys {

Slot ObjectTable::TakeSlot() {
  if (!free_.empty()) {
    const Slot slot = free_.back();
    free_.pop_back();
    return slot;
  }
  if (used_ % kBlock == 0) blocks_.push_back(std::make_unique<RestingObject[]>(kBlock));
  return used_++;
}

Slot ObjectTable::Add(const Object& object) {
  const Slot slot = TakeSlot();
  Place(slot) = RestingObject(object, kinds_.Take(object), pool_);
  by_id_.Insert({PrefixOf(object.id), slot}, ById{*this, object.id});
  return slot;
}

void ObjectTable::Remove(Slot slot) {
  RestingObject& object = Place(slot);
  by_id_.Erase(ById{*this, object.id()});
  kinds_.Release(object.kind());
  object.Give(pool_);
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
