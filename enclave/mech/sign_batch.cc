#include "enclave/mech/sign_batch.h"

#include <algorithm>
#include <utility>

namespace keyclave::mech {

bool SignBatch::Takes(const MechEntry& entry, const Key& key) const {
  if (library_ == nullptr || entry.family->lane_input == nullptr) return false;
  const LaneKey* lane = key.lane();
  return lane != nullptr && library_->WorthFrom(lane->kind) != 0;
}

size_t SignBatch::Add(const MechEntry& entry, std::shared_ptr<const Key> key,
                      wire::Mechanism mechanism, Bytes input) {
  items_.push_back({.family = entry.family,
                    .key = std::move(key),
                    .mechanism = std::move(mechanism),
                    .input = std::move(input)});
  return items_.size() - 1;
}

// Groups of the kind's items, as long as they are worth it; the rest is left.
void SignBatch::RunKind(LaneKind kind, std::vector<Item>& items,
                        const std::vector<size_t>& members) const {
  const size_t worth_from = library_->WorthFrom(kind);
  size_t size = 0;
  for (size_t begin = 0; begin < members.size(); begin += size) {
    size = std::min(kLanes, members.size() - begin);
    if (size < worth_from) return;
    std::array<Lane, kLanes> lanes;
    for (size_t i = 0; i < size; ++i) {
      const Item& item = items[members[begin + i]];
      lanes[i] = {.key = item.key->lane(), .input = item.lane_input};
    }
    library_->Sign(kind, std::span(lanes).first(size));
    for (size_t i = 0; i < size; ++i)
      items[members[begin + i]].signature = std::move(lanes[i].signature);
  }
}

std::vector<Result<Bytes>> SignBatch::Run() {
  std::vector<Item> items = std::exchange(items_, {});
  if (items.empty()) return {};
  std::array<std::vector<size_t>, kLaneKinds> by_kind;
  for (size_t i = 0; i < items.size(); ++i)
    by_kind[static_cast<size_t>(items[i].key->lane()->kind)].push_back(i);
  for (size_t kind = 0; kind < kLaneKinds; ++kind) {
    std::vector<size_t>& members = by_kind[kind];
    const size_t worth_from = library_->WorthFrom(static_cast<LaneKind>(kind));
    if (worth_from == 0 || members.size() < worth_from) continue;
    const auto alone = [&items](size_t index) {
      Item& item = items[index];
      auto lane_input = item.family->lane_input(*item.key, item.mechanism, item.input);
      if (lane_input.ok()) item.lane_input = *std::move(lane_input);
      return item.lane_input.empty();
    };
    members.erase(std::remove_if(members.begin(), members.end(), alone), members.end());
    RunKind(static_cast<LaneKind>(kind), items, members);
  }
  std::vector<Result<Bytes>> results;
  results.reserve(items.size());
  for (Item& item : items) {
    if (!item.signature.empty()) {
      results.emplace_back(std::move(item.signature));
    } else {
      results.push_back(item.family->sign(*item.key, item.mechanism, item.input));
    }
  }
  return results;
}

}  // namespace keyclave::mech
