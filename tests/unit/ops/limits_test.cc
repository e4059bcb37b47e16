#include <atomic>
#include <random>
#include <thread>

#include "tests/unit/ops/limits_fixture.h"

namespace keyclave::ops {
namespace {

TEST_F(LimitsTest, ExactlySoManyUsesOverAnyNumberOfCleanRestarts) {
  for (const uint64_t uses : {1U, 2U, 3U, 63U, 64U, 65U, 1000U, 30000U}) {
    object_ = NewKey();
    uint64_t taken = 0;
    for (uint64_t i = 0; i < 4; ++i) {
      taken += TakeAll(Uses(uses), 1, uses / 5 + i);
      Restart();
    }
    taken += TakeAll(Uses(uses));
    EXPECT_EQ(taken, uses);
    Restart();
    EXPECT_EQ(Take(Uses(uses)).code(), Code::kLimitReached);
  }
}

TEST_F(LimitsTest, ACrashLosesABlockAtMostAndGivesNothingBack) {
  std::mt19937_64 random(20261122);
  for (int round = 0; round < 40; ++round) {
    object_ = NewKey();
    const uint64_t uses = 1 + random() % 5000;
    uint64_t taken = 0;
    uint64_t lost = 0;
    for (int crash = 0; crash < 12; ++crash) {
      taken += TakeAll(Uses(uses), 1, random() % (uses / 4 + 2));
      if (random() % 3 == 0) {
        Restart();
      } else {
        lost += std::max<uint64_t>((uses - taken) / 64, 1);
        Crash();
      }
      ASSERT_GE(Used(Uses(uses)), taken) << "fewer on disk than happened";
    }
    taken += TakeAll(Uses(uses));
    ASSERT_LE(taken, uses);
    ASSERT_GE(taken + lost, uses) << "crashes lost more than a block each";
  }
}

TEST_F(LimitsTest, FaultsOfTheDiskNeverGiveAUseTwice) {
  std::mt19937_64 random(4711);
  for (int round = 0; round < 40; ++round) {
    object_ = NewKey();
    const uint64_t uses = 1 + random() % 300;
    uint64_t taken = 0;
    for (int step = 0; step < 400; ++step) {
      if (random() % 20 == 0)
        faults_->next_commit = random() % 2 == 0 ? FaultControl::CommitFault::kBefore
                                                 : FaultControl::CommitFault::kAfter;
      taken += Take(Uses(uses)).ok() ? 1U : 0U;
      if (random() % 40 == 0) {
        faults_->next_commit = FaultControl::CommitFault::kNone;
        Crash();
      }
      if (random() % 40 == 0) static_cast<void>(limits_->Close().ok());
    }
    faults_->next_commit = FaultControl::CommitFault::kNone;
    taken += TakeAll(Uses(uses));
    ASSERT_LE(taken, uses) << "round " << round;
  }
}

TEST_F(LimitsTest, AFullDiskStopsWhenTheBlockIsUsedUpAndSaysSo) {
  ASSERT_TRUE(Take(Uses(6400)).ok());  // a block of 100
  uint64_t more = 0;
  Status status;
  do {
    faults_->code = Code::kStoreFull;
    faults_->next_commit = FaultControl::CommitFault::kBefore;
    status = Take(Uses(6400));
    more += status.ok() ? 1U : 0U;
  } while (status.ok());
  EXPECT_EQ(status.code(), Code::kStoreFull);
  EXPECT_GE(more, 50U);
  EXPECT_LT(more, 200U);
  faults_->next_commit = FaultControl::CommitFault::kNone;
  EXPECT_EQ(1 + more + TakeAll(Uses(6400)), 6400U);
}

TEST_F(LimitsTest, FewCommits) {
  const uint64_t before = faults_->commits;
  EXPECT_EQ(TakeAll(Uses(1'000'000), 1, 100'000), 100'000U);
  EXPECT_LT(faults_->commits - before, 20U);
}

TEST_F(LimitsTest, ANewNumberOfUsesGoesOnCounting) {
  EXPECT_EQ(TakeAll(Uses(1000), 1, 600), 600U);
  EXPECT_EQ(Take(Uses(100)).code(), Code::kLimitReached) << "lowered below what was used";
  EXPECT_EQ(TakeAll(Uses(700)), 100U);
  EXPECT_EQ(TakeAll(Uses(1000)), 300U) << "raised: the difference";
  Crash();
  EXPECT_EQ(TakeAll(Uses(1010)), 10U);
}

TEST_F(LimitsTest, CountsEachPermitEachKeyAndWhereToldEachCallerByItself) {
  const LimitRule each = Uses(3, LimitRule::Per::kCaller);
  EXPECT_EQ(TakeAll(each, 1), 3U);
  EXPECT_EQ(TakeAll(each, 2), 3U);
  Crash();
  EXPECT_EQ(TakeAll(each, 1), 0U) << "the same caller after a restart";
  EXPECT_EQ(TakeAll(each, 3), 3U);
  EXPECT_TRUE(TakeAt(2, each, 1).ok());
  EXPECT_EQ(TakeAll(Uses(2), 1), 2U) << "all together";
  EXPECT_EQ(TakeAll(Uses(2), 2), 0U);
  object_ = NewKey();
  EXPECT_EQ(TakeAll(each, 1), 3U);
}

TEST_F(LimitsTest, CheckSaysWhatTakeWouldDoAndCountsNothing) {
  std::mt19937_64 random(7);
  LimitRule both = Uses(40);
  both.rate = {10, 60};
  both.burst = 15;
  LimitRule quick = both;
  quick.rate = {100, 1};
  for (const LimitRule& rule : {Uses(30), both, quick, Uses(20, LimitRule::Per::kCaller)}) {
    object_ = NewKey();
    uint64_t taken = 0;
    for (int step = 0; step < 400; ++step) {
      const Status said = CheckAt(1, rule);
      EXPECT_EQ(CheckAt(1, rule).ok(), said.ok());
      EXPECT_EQ(Used(rule), taken);
      const Status happened = Take(rule);
      ASSERT_EQ(said.ok(), happened.ok()) << Print(rule);
      if (!said.ok()) {
        EXPECT_EQ(said.error().Text(), happened.error().Text());
      }
      taken += happened.ok() ? 1U : 0U;
      if (random() % 7 == 0) clock_.Pass(std::chrono::seconds(random() % 30));
      if (random() % 50 == 0) Restart();
    }
    EXPECT_GE(taken, 15U);
  }
}

TEST_F(LimitsTest, CountsEndWithTheirKey) {
  EXPECT_EQ(TakeAll(Uses(5)), 5U);
  EXPECT_EQ(store_->CountUsages(object_).of_all, 1U);
  ASSERT_TRUE(store_->Remove(object_).ok());
  EXPECT_EQ(store_->CountUsages(object_).of_all, 0U);
  Restart();  // opens without an orphan
  EXPECT_EQ(store_->CountUsages(object_).of_all, 0U);
}

TEST_F(LimitsTest, CountsSurviveAnUpdateOfTheKey) {
  EXPECT_EQ(TakeAll(Uses(5), 1, 4), 4U);
  ASSERT_TRUE(store_->Update(object_, store_->Get(object_).value()->attributes).ok());
  Restart();
  EXPECT_EQ(TakeAll(Uses(5)), 1U);
}

TEST_F(LimitsTest, CountsASessionsOwnKeyInMemory) {
  const uint64_t commits = faults_->commits;
  object_ = NewKey(/*session=*/9);
  EXPECT_EQ(TakeAll(Uses(10)), 10U);
  EXPECT_EQ(faults_->commits, commits);
  store_->RemoveSessionObjects(9);
  EXPECT_EQ(store_->CountUsages(object_).of_all, 0U);
}

TEST_F(LimitsTest, NoMoreThanThatManyByThreads) {
  constexpr uint64_t kUses = 20'000;
  std::atomic<uint64_t> taken{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      while (Take(Uses(kUses)).ok()) taken.fetch_add(1);
    });
  }
  // Meanwhile others hold to an older version's number.
  threads.emplace_back([&] {
    for (int i = 0; i < 200; ++i) taken.fetch_add(Take(Uses(kUses - 1)).ok() ? 1U : 0U);
  });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(taken.load(), kUses);
}

}  // namespace
}  // namespace keyclave::ops
