// A sorted set of slots (numbers of objects, object_table.h), for millions of them: pages of
// entries, so that an entry costs about eleven bytes and a change moves a few kilobytes at most.
//
// What the order is the caller says with each call: a function of an entry that answers where that
// entry stands, seen from what is looked for. An entry's prefix is the beginning of its key, or a
// hash of it: most questions are answered by it alone, without a look at the object.
#pragma once

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace keyclave::keys {

using Slot = uint32_t;

class SlotSet {
 public:
  struct Entry {
    uint32_t prefix = 0;
    Slot slot = 0;
  };
  struct Place {
    size_t page = 0;
    size_t entry = 0;
  };

  // `order(entry)` is less for entries before it, and equal for none.
  template <class Order>
  void Insert(Entry entry, const Order& order) {
    InsertAt(LowerBound(order), entry);
  }
  // The entry for which `order` is equal; false if there is none.
  template <class Order>
  bool Erase(const Order& order) {
    const Place place = LowerBound(order);
    const Entry* found = At(place);
    if (found == nullptr || order(*found) != 0) return false;
    EraseAt(place);
    return true;
  }
  // The first entry that is not before what is looked for. At answers nullptr if there is none.
  template <class Order>
  Place LowerBound(const Order& order) const {
    const auto page = std::partition_point(pages_.begin(), pages_.end(),
                                           [&](const Page& one) { return order(one.back()) < 0; });
    if (page == pages_.end()) return {pages_.size(), 0};
    const auto entry = std::partition_point(page->begin(), page->end(),
                                            [&](const Entry& one) { return order(one) < 0; });
    return {static_cast<size_t>(page - pages_.begin()), static_cast<size_t>(entry - page->begin())};
  }
  const Entry* At(Place place) const {
    return place.page == pages_.size() ? nullptr : &pages_[place.page][place.entry];
  }
  Place Next(Place place) const {
    if (++place.entry == pages_[place.page].size()) place = {place.page + 1, 0};
    return place;
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::vector<Slot> Slots() const;

 private:
  static constexpr size_t kPage = 1024;  // entries
  using Page = std::vector<Entry>;

  void InsertAt(Place place, Entry entry);
  void EraseAt(Place place);
  void Split(Place& place);

  std::vector<Page> pages_;  // none is empty
  size_t size_ = 0;
};

}  // namespace keyclave::keys
