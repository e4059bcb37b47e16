// Which member of a fleet a process prefers, by what it knows of them.
#include "enclave/client/fleet.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace keyclave::client {
namespace {

using namespace std::chrono_literals;
using Order = std::vector<size_t>;

constexpr auto kLongest = Fleet::kLongestRest + Fleet::kLongestRest / 4;

class FleetTest : public ::testing::Test {
 protected:
  Order Now(bool stay = false) const { return fleet_.Order(now_, stay); }

  Fleet fleet_{3, true};
  Deadline now_ = Deadline() + 1h;
};

TEST_F(FleetTest, WithoutExperienceTheOrderIsThePreference) {
  EXPECT_EQ(Now(), (Order{0, 1, 2}));
  EXPECT_FALSE(fleet_.restless());
  EXPECT_FALSE(fleet_.Goal(now_).has_value());
}

TEST_F(FleetTest, TheHomeComesFirst) {
  EXPECT_FALSE(fleet_.Settle(2)) << "there was none to move from";
  EXPECT_EQ(Now(), (Order{2, 0, 1}));
  EXPECT_FALSE(fleet_.Settle(2));
  EXPECT_TRUE(fleet_.Settle(1));
  EXPECT_EQ(Now(), (Order{1, 0, 2}));
}

TEST_F(FleetTest, WhatFailedRestsAndIsTriedAfterTheOthers) {
  fleet_.Failed(0, now_);
  EXPECT_EQ(Now(), (Order{1, 2, 0}));
  fleet_.Failed(1, now_ + 1s);
  EXPECT_EQ(Now(), (Order{2, 0, 1}));
  fleet_.Failed(2, now_ + 2s);
  EXPECT_EQ(Now(), (Order{0, 1, 2})) << "of those that rest, by the time that they have rested";
}

TEST_F(FleetTest, WhatHasRestedComesBeforeWhatRests) {
  fleet_.Settle(1);
  fleet_.Failed(2, now_);
  fleet_.Failed(0, now_ + 1s);
  fleet_.Failed(1, now_ + kLongest);
  now_ += kLongest;
  EXPECT_EQ(Now(), (Order{2, 0, 1}));
}

// A drained member stands between those that have rested and those that rest.
TEST_F(FleetTest, TheRestGrowsAndHasAnEnd) {
  fleet_.Settle(2);
  fleet_.Drains(1, now_);
  std::chrono::milliseconds rest = Fleet::kFirstRest;
  for (int i = 0; i < 12; ++i) {
    fleet_.Failed(0, now_);
    EXPECT_EQ(fleet_.Order(now_ + rest * 3 / 4 - 1ms, false), (Order{2, 1, 0})) << rest.count();
    now_ += rest + rest / 4;
    EXPECT_EQ(Now(), (Order{2, 0, 1})) << rest.count();
    rest = std::min(rest * 2, Fleet::kLongestRest);
  }
  fleet_.Settle(0);
  fleet_.Settle(2);
  fleet_.Failed(0, now_);
  now_ += Fleet::kFirstRest + Fleet::kFirstRest / 4;
  EXPECT_EQ(Now(), (Order{2, 0, 1})) << "what was home meanwhile begins anew";
}

TEST_F(FleetTest, ManyWhoFindOutAtOnceCountAsOne) {
  fleet_.Settle(2);
  fleet_.Drains(1, now_);
  for (int i = 0; i < 100; ++i) fleet_.Failed(0, now_);
  now_ += Fleet::kFirstRest + Fleet::kFirstRest / 4;
  EXPECT_EQ(Now(), (Order{2, 0, 1}));
}

TEST_F(FleetTest, ADrainedMemberIsTriedBeforeThoseThatRestOnly) {
  fleet_.Settle(0);
  fleet_.Drains(0, now_);
  EXPECT_EQ(Now(), (Order{1, 2, 0}));
  EXPECT_EQ(Now(/*stay=*/true), (Order{0, 1, 2}));
  fleet_.Failed(1, now_);
  EXPECT_EQ(Now(), (Order{2, 0, 1}));
  now_ += kLongest;
  EXPECT_EQ(Now(), (Order{2, 1, 0}));
}

TEST_F(FleetTest, ADrainedHomeLooksForAnyOther) {
  fleet_.Settle(0);
  fleet_.Drains(0, now_);
  EXPECT_TRUE(fleet_.restless());
  EXPECT_EQ(fleet_.Goal(now_), 1U);
  fleet_.Failed(1, now_);
  EXPECT_EQ(fleet_.Goal(now_), 2U);
  fleet_.Failed(2, now_);
  EXPECT_EQ(fleet_.Goal(now_), std::nullopt);
  EXPECT_TRUE(fleet_.Goal(now_ + kLongest).has_value());
}

TEST_F(FleetTest, ALesserHomeLooksForABetterOneAfterAWhile) {
  fleet_.Failed(0, now_);
  fleet_.Settle(1);
  EXPECT_TRUE(fleet_.restless());
  EXPECT_EQ(fleet_.Goal(now_), std::nullopt);
  EXPECT_EQ(fleet_.Goal(now_ + Fleet::kFirstRest * 2), std::nullopt) << "not as soon as in need";
  EXPECT_EQ(fleet_.Goal(now_ + kLongest), 0U) << "and never the one after";
  fleet_.Settle(0);
  EXPECT_FALSE(fleet_.restless());
}

TEST(Fleet, OneMemberIsTriedWhateverItDid) {
  Fleet one(1, false);
  const Deadline now = Deadline() + 1h;
  EXPECT_FALSE(one.has_choice());
  one.Failed(0, now);
  one.Drains(0, now);
  EXPECT_EQ(one.Order(now, false), Order{0});
  EXPECT_FALSE(one.restless());
}

TEST(Fleet, EachProcessHasAnOrderOfItsOwn) {
  std::map<size_t, int> first;
  for (int i = 0; i < 4000; ++i) {
    const Fleet fleet(4, false);
    const Order order = fleet.Order(Deadline(), false);
    ++first[order.front()];
    EXPECT_EQ(std::set<size_t>(order.begin(), order.end()).size(), 4U);
  }
  // Of 1000 expected: a deviation of 300 is beyond all chance.
  for (const auto& [member, count] : first) EXPECT_NEAR(count, 1000, 300) << member;
}

}  // namespace
}  // namespace keyclave::client
