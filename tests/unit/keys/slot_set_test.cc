#include "enclave/keys/slot_set.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>
#include <set>

namespace keyclave::keys {
namespace {

// Slots in the order of the numbers that they stand for; many numbers share a prefix.
class Numbers {
  static uint32_t PrefixOf(uint64_t number) { return static_cast<uint32_t>(number / 100); }
  auto Order(uint64_t number) const {
    return [this, number](const SlotSet::Entry& entry) -> std::strong_ordering {
      if (entry.prefix != PrefixOf(number)) return entry.prefix <=> PrefixOf(number);
      return numbers_[entry.slot] <=> number;
    };
  }

 public:
  void Add(uint64_t number) {
    const auto slot = static_cast<Slot>(numbers_.size());
    numbers_.push_back(number);
    set_.Insert({PrefixOf(number), slot}, Order(number));
  }
  bool Remove(uint64_t number) { return set_.Erase(Order(number)); }
  std::vector<uint64_t> From(uint64_t number) const {
    std::vector<uint64_t> found;
    auto place = set_.LowerBound(Order(number));
    for (; set_.At(place) != nullptr; place = set_.Next(place))
      found.push_back(numbers_[set_.At(place)->slot]);
    return found;
  }
  std::vector<uint64_t> All() const {
    std::vector<uint64_t> all;
    for (const Slot slot : set_.Slots()) all.push_back(numbers_[slot]);
    return all;
  }
  size_t size() const { return set_.size(); }

 private:
  SlotSet set_;
  std::vector<uint64_t> numbers_;
};

constexpr uint64_t kMany = 20'000;  // a good number of pages

std::vector<uint64_t> Shuffled(uint64_t count) {
  std::vector<uint64_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), 0);
  std::shuffle(numbers.begin(), numbers.end(), std::mt19937(7));
  return numbers;
}

TEST(SlotSet, KeepsItsOrderHoweverItWasFilled) {
  Numbers upwards;
  Numbers downwards;
  Numbers mixed;
  for (uint64_t i = 0; i < kMany; ++i) {
    upwards.Add(i);
    downwards.Add(kMany - 1 - i);
  }
  for (const uint64_t number : Shuffled(kMany)) mixed.Add(number);
  std::vector<uint64_t> wanted(kMany);
  std::iota(wanted.begin(), wanted.end(), 0);
  EXPECT_EQ(upwards.All(), wanted);
  EXPECT_EQ(downwards.All(), wanted);
  EXPECT_EQ(mixed.All(), wanted);
}

TEST(SlotSet, AnswersFromTheFirstThatIsNotBefore) {
  Numbers empty;
  EXPECT_TRUE(empty.From(0).empty());
  Numbers numbers;
  for (uint64_t i = 0; i < kMany; ++i) numbers.Add(2 * i);
  EXPECT_EQ(numbers.From(0).size(), kMany);
  EXPECT_EQ(numbers.From(2 * kMany - 3), std::vector<uint64_t>{2 * kMany - 2});
  EXPECT_EQ(numbers.From(2 * kMany - 2), std::vector<uint64_t>{2 * kMany - 2});
  EXPECT_TRUE(numbers.From(2 * kMany - 1).empty());
}

TEST(SlotSet, HoldsWhatASetHoldsThroughChanges) {
  Numbers numbers;
  std::set<uint64_t> wanted;
  std::mt19937 random(11);
  for (const uint64_t most : {uint64_t{50}, uint64_t{3000}, kMany, uint64_t{500}}) {
    for (uint64_t i = 0; i < kMany; ++i) {
      const uint64_t number = random() % most;
      if (wanted.insert(number).second) {
        numbers.Add(number);
      } else {
        wanted.erase(number);
        EXPECT_TRUE(numbers.Remove(number));
      }
    }
    EXPECT_EQ(numbers.All(), std::vector<uint64_t>(wanted.begin(), wanted.end()));
    EXPECT_EQ(numbers.size(), wanted.size());
  }
  for (const uint64_t number : std::set<uint64_t>(wanted)) EXPECT_TRUE(numbers.Remove(number));
  EXPECT_FALSE(numbers.Remove(1));
  EXPECT_EQ(numbers.size(), 0U);
  numbers.Add(1);
  EXPECT_EQ(numbers.All(), std::vector<uint64_t>{1});
}

}  // namespace
}  // namespace keyclave::keys
