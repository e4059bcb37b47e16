#include "enclave/keys/cell_pool.h"

namespace keyclave::keys {

std::span<uint8_t> CellPool::Take(size_t size) {
  if (size == 0) return {};
  if (size > kLargest) {
    Bytes cell(size);
    uint8_t* const place = cell.data();
    large_.emplace(place, std::move(cell));
    return {place, size};
  }
  CellsOfASize& cells = sizes_[StepsOf(size)];
  if (!cells.free.empty()) {
    uint8_t* const cell = cells.free.back();
    cells.free.pop_back();
    return {cell, size};
  }
  const size_t whole = StepsOf(size) * kStep;
  if (cells.uncut.size() < whole) {
    cells.uncut = blocks_.emplace_back(kBlock);
  }
  const std::span<uint8_t> cell = cells.uncut.first(size);
  cells.uncut = cells.uncut.subspan(whole);
  return cell;
}

void CellPool::Give(std::span<uint8_t> cell) {
  if (cell.empty()) return;
  if (cell.size() > kLargest) {
    large_.erase(cell.data());
    return;
  }
  Wipe(cell);
  sizes_[StepsOf(cell.size())].free.push_back(cell.data());
}

}  // namespace keyclave::keys
