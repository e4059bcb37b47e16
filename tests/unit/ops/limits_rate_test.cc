#include <random>

#include "tests/unit/ops/limits_fixture.h"

namespace keyclave::ops {
namespace {

TEST_F(LimitsTest, ARateFillsItsBucket) {
  const LimitRule rule = Rate(10, 1, 5);
  clock_.Pass(std::chrono::seconds(1));
  EXPECT_EQ(TakeAll(rule), 5U);
  clock_.Pass(std::chrono::milliseconds(99));
  EXPECT_EQ(TakeAll(rule), 0U);
  clock_.Pass(std::chrono::milliseconds(1));
  EXPECT_EQ(TakeAll(rule), 1U);
  clock_.Pass(std::chrono::hours(1));
  EXPECT_EQ(TakeAll(rule), 5U) << "no more than the burst, however long nobody came";
}

TEST_F(LimitsTest, NeverFasterThanTheRate) {
  std::mt19937_64 random(99);
  for (const LimitRule& rule : {Rate(7, 1, 3), Rate(1'000'000'000, 1, 10), Rate(13, 60, 50),
                                Rate(3, 3600, 2), Rate(1, 86400, 1)}) {
    object_ = NewKey();
    const int64_t from = clock_.nanos;
    uint64_t taken = 0;
    for (int i = 0; i < 500; ++i) {
      clock_.Pass(nanoseconds(random() % (2 * rule.rate->seconds * 1'000'000'000 / 7)));
      taken += TakeAll(rule, 1, random() % 4);
      const long double span = static_cast<long double>(clock_.nanos - from) / 1e9L;
      const long double most =
          static_cast<long double>(rule.burst) + span * static_cast<long double>(rule.rate->count) /
                                                     static_cast<long double>(rule.rate->seconds);
      ASSERT_LE(static_cast<long double>(taken), most);
    }
    EXPECT_GT(taken, 50U);
  }
}

TEST_F(LimitsTest, ARestartGivesNoSecondBurst) {
  const LimitRule quick = Rate(100, 1, 200);
  EXPECT_EQ(TakeAll(quick), 0U) << "empty at the start";
  clock_.Pass(std::chrono::seconds(2));
  EXPECT_EQ(TakeAll(quick), 200U);
  Crash();
  EXPECT_EQ(TakeAll(quick), 0U);

  object_ = NewKey();
  const LimitRule slow = Rate(100, 3600, 640);
  EXPECT_EQ(TakeAll(slow), 640U) << "full for a key that was never used";
  clock_.booted = clock_.nanos;
  Crash();
  EXPECT_EQ(TakeAll(slow), 0U);
  clock_.Pass(std::chrono::hours(1));
  EXPECT_LE(TakeAll(slow), 100U);
  Restart();
  EXPECT_EQ(TakeAll(slow), 0U);
  clock_.Pass(std::chrono::hours(8));
  EXPECT_EQ(TakeAll(slow), 640U) << "what was set aside too much is forgotten in time";
}

TEST_F(LimitsTest, ACrashCostsASlowRateOneBlock) {
  const LimitRule slow = Rate(640, 3600, 640);
  EXPECT_EQ(TakeAll(slow, 1, 64), 64U);
  Crash();
  const uint64_t left = TakeAll(slow);
  EXPECT_LE(left, 640U - 64U);
  EXPECT_GE(left, 640U - 64U - 11U) << "a 64th of the bucket, and a second or two";
}

TEST_F(LimitsTest, AClockThatIsPutBackClosesABucketForItsLengthAtMost) {
  const LimitRule slow = Rate(60, 60, 120);
  EXPECT_EQ(TakeAll(slow), 120U);
  clock_.wall_shift = -1'000'000'000;
  Crash();
  EXPECT_EQ(TakeAll(slow), 0U);
  clock_.Pass(std::chrono::minutes(2));
  EXPECT_EQ(TakeAll(slow), 120U);
  clock_.nanos -= 60'000'000'000;  // no steady clock does this
  EXPECT_EQ(TakeAll(slow), 0U);
}

// Hours forward while it is counted, right again afterwards.
TEST_F(LimitsTest, AClockThatWasAheadClosesABucketForItsLengthAtMost) {
  const LimitRule slow = Rate(60, 60, 120);
  clock_.wall_shift = 3 * 3600;
  EXPECT_EQ(TakeAll(slow), 120U);
  clock_.wall_shift = 0;
  Crash();
  EXPECT_EQ(TakeAll(slow), 0U);
  clock_.Pass(std::chrono::minutes(2));
  EXPECT_EQ(TakeAll(slow), 120U) << "not closed for three hours";
  clock_.wall_shift = -3 * 3600;
  clock_.Pass(std::chrono::seconds(30));
  EXPECT_EQ(TakeAll(slow), 30U) << "while it runs no wall clock is asked";
}

// The gain is what docs/limits.md says: a restart with the clock ahead fills a bucket, once.
TEST_F(LimitsTest, AClockThatIsSetForwardGivesNoMoreThanOneBucket) {
  const LimitRule slow = Rate(60, 60, 120);
  EXPECT_EQ(TakeAll(slow), 120U);
  clock_.wall_shift = 1'000'000'000;
  EXPECT_EQ(TakeAll(slow), 0U);
  Crash();
  EXPECT_EQ(TakeAll(slow), 120U);
  EXPECT_EQ(TakeAll(slow), 0U);
  clock_.wall_shift = 0;
  EXPECT_EQ(TakeAll(slow), 0U);
}

TEST_F(LimitsTest, RateAndUsesTogether) {
  LimitRule rule = Rate(10, 1, 5);
  rule.uses = 8;
  clock_.Pass(std::chrono::seconds(1));
  EXPECT_EQ(TakeAll(rule), 5U);
  clock_.Pass(std::chrono::seconds(1));
  EXPECT_EQ(TakeAll(rule), 3U) << "what the rate refused used nothing up";
}

TEST_F(LimitsTest, FarTooManyCallersAreRefusedRatherThanForgotten) {
  const LimitRule each = Uses(1, LimitRule::Per::kCaller);
  const auto take = [&](uint64_t number) {
    session::CallerId id{};
    for (size_t i = 0; i < 8; ++i) id[i] = static_cast<uint8_t>(number >> (8 * i));
    id[31] = 1;
    return limits_->Take({.object = object_, .policy = "p", .permit = 1, .caller = id}, each);
  };
  std::vector<keys::UsageEdit> many;
  for (uint64_t i = 0; i < Limits::kMaxPerObject - 1; ++i) {
    keys::UsageEdit once{.key = {object_, "p", 1, {}}, .edit = [](keys::Usage& usage) -> Status {
                           usage.uses = 1;
                           return Done{};
                         }};
    for (size_t byte = 0; byte < 8; ++byte)
      once.key.caller[byte] = static_cast<uint8_t>(i >> (8 * byte));
    once.key.caller[31] = 1;
    many.push_back(std::move(once));
  }
  ASSERT_TRUE(store_->EditUsages(many).ok());
  EXPECT_TRUE(take(1'000'000).ok());
  EXPECT_EQ(take(1'000'001).code(), Code::kLimitReached);
  EXPECT_EQ(take(0).code(), Code::kLimitReached);
  object_ = NewKey();
  EXPECT_TRUE(take(1'000'001).ok()) << "another key has room";
}

TEST_F(LimitsTest, WhatNeedsNoMemoryGivesItBack) {
  const LimitRule quick = [] {
    LimitRule rule = Rate(1000, 1, 1000);
    rule.per = LimitRule::Per::kCaller;
    return rule;
  }();
  clock_.Pass(std::chrono::seconds(2));
  const auto take = [&](uint64_t number) {
    session::CallerId id{};
    for (size_t i = 0; i < 8; ++i) id[i] = static_cast<uint8_t>(number >> (8 * i));
    return limits_->Take({.object = object_, .policy = "p", .permit = 1, .caller = id}, quick);
  };
  for (uint64_t i = 0; i < Limits::kMaxPerObject; ++i) ASSERT_TRUE(take(i).ok());
  EXPECT_EQ(take(1'000'000).code(), Code::kLimitReached) << "all are busy";
  clock_.Pass(std::chrono::seconds(61));
  EXPECT_TRUE(take(1'000'000).ok()) << "their buckets are full again: nothing is lost with them";
}

}  // namespace
}  // namespace keyclave::ops
