#include "enclave/keys/slot_set.h"

namespace keyclave::keys {
namespace {

// By a quarter, not by doubling: what pages do not use is memory of every object.
template <class T>
void MakeRoom(std::vector<T>& list, size_t most) {
  if (list.size() == list.capacity())
    list.reserve(std::min(most, list.size() + list.size() / 4 + 8));
}

}  // namespace

// In halves; but what is added in ascending order leaves full pages behind.
void SlotSet::Split(Place& place) {
  const bool at_the_end = place.page + 1 == pages_.size() && place.entry == kPage;
  const size_t kept = at_the_end ? kPage : kPage / 2;
  Page& full = pages_[place.page];
  Page upper(full.begin() + static_cast<ptrdiff_t>(kept), full.end());
  if (!at_the_end) {
    full.resize(kept);
    full.shrink_to_fit();
  }
  pages_.insert(pages_.begin() + static_cast<ptrdiff_t>(place.page) + 1, std::move(upper));
  if (place.entry >= kept) place = {place.page + 1, place.entry - kept};
}

void SlotSet::InsertAt(Place place, Entry entry) {
  if (pages_.empty()) pages_.emplace_back();
  // After all others: at the end of the last page.
  if (place.page == pages_.size()) place = {pages_.size() - 1, pages_.back().size()};
  if (pages_[place.page].size() == kPage) Split(place);
  Page& page = pages_[place.page];
  MakeRoom(page, kPage);
  page.insert(page.begin() + static_cast<ptrdiff_t>(place.entry), entry);
  ++size_;
}

// Neighbours that fit into half a page together become one.
void SlotSet::EraseAt(Place place) {
  Page& page = pages_[place.page];
  page.erase(page.begin() + static_cast<ptrdiff_t>(place.entry));
  --size_;
  const auto at = pages_.begin() + static_cast<ptrdiff_t>(place.page);
  if (page.empty()) {
    pages_.erase(at);
  } else if (place.page + 1 < pages_.size() && page.size() + (at + 1)->size() <= kPage / 2) {
    page.insert(page.end(), (at + 1)->begin(), (at + 1)->end());
    pages_.erase(at + 1);
  }
}

std::vector<Slot> SlotSet::Slots() const {
  std::vector<Slot> slots;
  slots.reserve(size_);
  for (const Page& page : pages_) {
    for (const Entry& entry : page) slots.push_back(entry.slot);
  }
  return slots;
}

}  // namespace keyclave::keys
