// Every object of the store, at rest, by number (a slot) and by id. What it costs to find one grows
// with the logarithm of how many there are.
#pragma once

#include "enclave/keys/resting_object.h"
#include "enclave/keys/slot_set.h"

namespace keyclave::keys {

class ObjectTable {
 public:
  // Its id is not there yet.
  Slot Add(const Object& object);
  void Remove(Slot slot);

  std::optional<Slot> Find(const wire::ObjectId& id) const;
  const RestingObject& At(Slot slot) const { return blocks_[slot / kBlock][slot % kBlock]; }
  size_t size() const { return by_id_.size(); }
  std::vector<Slot> Slots() const { return by_id_.Slots(); }  // by id

  // The order of ids, for SlotSet: that of the object looked for.
  struct ById {
    const ObjectTable& table;
    const wire::ObjectId& id;
    std::strong_ordering operator()(const SlotSet::Entry& entry) const {
      if (entry.prefix != PrefixOf(id)) return entry.prefix <=> PrefixOf(id);
      return table.At(entry.slot).id() <=> id;
    }
  };
  static constexpr uint32_t PrefixOf(const wire::ObjectId& id) {
    return uint32_t{id[0]} << 24 | uint32_t{id[1]} << 16 | uint32_t{id[2]} << 8 | uint32_t{id[3]};
  }

 private:
  static constexpr Slot kBlock = 4096;  // slots
  RestingObject& Place(Slot slot) { return blocks_[slot / kBlock][slot % kBlock]; }
  Slot TakeSlot();

  std::vector<std::unique_ptr<RestingObject[]>> blocks_;
  Slot used_ = 0;  // slots that were ever taken
  std::vector<Slot> free_;
  CellPool pool_;
  KindTable kinds_;
  SlotSet by_id_;
};

}  // namespace keyclave::keys
