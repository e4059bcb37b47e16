// Signatures that are asked for at the same time, made in groups where that is faster.
//
// Nobody waits for a group to fill: whoever collects them runs what is there.
#pragma once

#include <memory>
#include <vector>

#include "enclave/mech/mech_type.h"
#include "enclave/mech/multi_buffer.h"

namespace keyclave::mech {

class SignBatch {
 public:
  // `library` must outlive this; nullptr: nothing is ever collected.
  explicit SignBatch(const MultiBuffer* library) : library_(library) {}

  // Whether such a signature can be faster in company.
  bool Takes(const MechEntry& entry, const Key& key) const;
  // Where its result will be in Run's.
  size_t Add(const MechEntry& entry, std::shared_ptr<const Key> key, wire::Mechanism mechanism,
             Bytes input);
  // Makes all of them. The batch is empty then, however this ends.
  std::vector<Result<Bytes>> Run();

 private:
  struct Item {
    const MechFamily* family;
    std::shared_ptr<const Key> key;
    wire::Mechanism mechanism;
    Bytes input;
    Bytes lane_input{};
    Bytes signature{};  // empty until it is made
  };
  void RunKind(LaneKind kind, std::vector<Item>& items, const std::vector<size_t>& members) const;

  const MultiBuffer* library_;
  std::vector<Item> items_;
};

}  // namespace keyclave::mech
