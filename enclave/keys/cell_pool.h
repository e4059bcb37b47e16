// Small pieces of memory that stay for long, in cells of equal size that lie together. Between
// everything else on the heap, millions of them would leave its free memory in crumbs, which every
// later request would have to search. Values of data objects are among them: what is given back is
// wiped, as Bytes are.
#pragma once

#include <unordered_map>

#include "enclave/base/bytes.h"

namespace keyclave::keys {

class CellPool {
 public:
  // Memory of that size, in its place until it is given back.
  std::span<uint8_t> Take(size_t size);
  // What Take gave; wiped, its memory serves the next of about that size.
  void Give(std::span<uint8_t> cell);

 private:
  static constexpr size_t kStep = 8;                   // bytes: cells are multiples of it
  static constexpr size_t kLargest = 1024;             // bytes; above it the heap serves
  static constexpr size_t kBlock = size_t{256} << 10;  // bytes that cells are cut from
  struct CellsOfASize {
    std::vector<uint8_t*> free;
    std::span<uint8_t> uncut;
  };
  static size_t StepsOf(size_t size) { return (size + kStep - 1) / kStep; }

  std::array<CellsOfASize, kLargest / kStep + 1> sizes_;
  std::vector<Bytes> blocks_;
  std::unordered_map<const uint8_t*, Bytes> large_;
};

}  // namespace keyclave::keys
