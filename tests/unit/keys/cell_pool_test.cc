#include "enclave/keys/cell_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace keyclave::keys {
namespace {

TEST(CellPool, EveryCellKeepsWhatIsWrittenIntoIt) {
  CellPool pool;
  struct Kept {
    std::span<uint8_t> cell;
    uint8_t mark;
  };
  std::vector<Kept> kept;
  std::mt19937 random(3);
  for (int i = 0; i < 20'000; ++i) {
    if (!kept.empty() && random() % 3 == 0) {
      const size_t given = random() % kept.size();
      pool.Give(kept[given].cell);
      kept[given] = kept.back();
      kept.pop_back();
      continue;
    }
    const size_t size = random() % 10 == 0 ? random() % 5000 : random() % 300;
    const Kept fresh{pool.Take(size), static_cast<uint8_t>(random())};
    ASSERT_EQ(fresh.cell.size(), size);
    std::fill(fresh.cell.begin(), fresh.cell.end(), fresh.mark);
    kept.push_back(fresh);
  }
  for (const Kept& one : kept) {
    EXPECT_TRUE(std::all_of(one.cell.begin(), one.cell.end(),
                            [&](uint8_t byte) { return byte == one.mark; }));
    pool.Give(one.cell);
  }
}

TEST(CellPool, WhatIsGivenBackIsTakenAgain) {
  CellPool pool;
  const auto first = pool.Take(100);
  const uint8_t* const place = first.data();
  pool.Give(first);
  EXPECT_EQ(pool.Take(97).data(), place) << "of the same size of cell";
  EXPECT_NE(pool.Take(100).data(), place) << "in use";
}

TEST(CellPool, WhatIsGivenBackIsWiped) {
  CellPool pool;
  const std::span<uint8_t> cell = pool.Take(100);
  std::fill(cell.begin(), cell.end(), uint8_t{0x5a});
  pool.Give(cell);
  const std::span<uint8_t> again = pool.Take(100);
  ASSERT_EQ(again.data(), cell.data());
  EXPECT_EQ(std::count(again.begin(), again.end(), uint8_t{0}), 100);
}

}  // namespace
}  // namespace keyclave::keys
