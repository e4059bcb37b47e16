// Limits over a fleet: however many members, and however they are cut off, together no more than
// the limit.
#include <random>
#include <thread>

#include "enclave/ops/limits.h"
#include "tests/unit/fleet/fixture.h"
#include "tests/unit/ops/limits_fixture.h"

namespace keyclave::ops {
namespace {

using keys::Must;
using std::chrono::milliseconds;

class LimitsFleetTest : public fleet::FleetTest {
 protected:
  static constexpr size_t kMembers = 3;

  struct Member {
    fleet::Machine machine;
    std::unique_ptr<keys::ObjectStore> store;
    std::unique_ptr<Limits> limits;
  };

  void SetUp() override {
    members_[0].machine = Found();
    Start(members_[0]);
    keys::ObjectStore& first = *members_[0].store;
    token_ = Must(first.CreateToken(keys::TestToken("t"), keys::TestPolicy("p", 1)));
    NewKey();
    for (size_t i = 1; i < kMembers; ++i) {
      members_[i].machine = Join(members_[0].machine);
      Start(members_[i]);
    }
  }
  void Start(Member& member) {
    member.store = Must(Open(member.machine));
    member.limits = std::make_unique<Limits>(*member.store, clock_);
  }
  void Crash(Member& member) {
    member.limits.reset();
    member.store.reset();
    Start(member);
    static_cast<void>(member.store->Refresh().ok());
  }
  void NewKey() {
    object_ =
        Must(members_[0].store->Insert(keys::One(keys::TestObject(token_, "k", "id")))).front()->id;
    for (Member& member : members_) {
      if (member.store != nullptr) static_cast<void>(member.store->Refresh().ok());
    }
  }
  Status Take(Member& member, const LimitRule& rule) {
    const session::CallerId caller{1};
    return member.limits->Take({.object = object_, .policy = "p", .permit = 1, .caller = caller},
                               rule);
  }
  uint64_t TakeAll(Member& member, const LimitRule& rule, uint64_t most = 1'000'000) {
    uint64_t taken = 0;
    while (taken < most && Take(member, rule).ok()) ++taken;
    return taken;
  }

  ManualClock clock_;
  std::array<Member, kMembers> members_;
  keys::Token token_;
  wire::ObjectId object_{};
};

TEST_F(LimitsFleetTest, UsesAreCountedTogether) {
  uint64_t taken = 0;
  for (int round = 0; round < 40; ++round) {
    for (Member& member : members_) taken += TakeAll(member, Uses(1000), 7);
  }
  EXPECT_LE(taken, 1000U);
  for (Member& member : members_) taken += TakeAll(member, Uses(1000));
  EXPECT_EQ(taken, 1000U) << "and the last of them are found, whoever has them";
}

TEST_F(LimitsFleetTest, WhatACleanEndGivesBackOthersUse) {
  EXPECT_TRUE(Take(members_[1], Uses(640)).ok());
  ASSERT_TRUE(members_[1].limits->Close().ok());
  EXPECT_EQ(TakeAll(members_[0], Uses(640)), 639U);
}

TEST_F(LimitsFleetTest, ThreadsOfAllMembersTakeExactlyWhatThereIs) {
  constexpr uint64_t kUses = 5000;
  std::atomic<uint64_t> taken{0};
  std::vector<std::thread> threads;
  for (Member& member : members_) {
    for (int i = 0; i < 2; ++i)
      threads.emplace_back([&] { taken += TakeAll(member, Uses(kUses)); });
  }
  for (std::thread& thread : threads) thread.join();
  for (Member& member : members_) taken += TakeAll(member, Uses(kUses));
  EXPECT_EQ(taken.load(), kUses);
}

// Members are cut off one by one, crash, come back; requests and replies are lost.
TEST_F(LimitsFleetTest, NeverMoreThanTheLimitUnderPartitionsAndCrashes) {
  std::mt19937_64 random(42);
  for (int round = 0; round < 12; ++round) {
    NewKey();
    const uint64_t uses = 1 + random() % 3000;
    uint64_t taken = 0;
    for (int step = 0; step < 120; ++step) {
      Member& member = members_[random() % kMembers];
      etcd_->set_away(random() % 4 == 0);
      etcd_->set_faults([&](uint64_t) {
        switch (random() % 12) {
          case 0: return fakes::MemoryEtcd::Fault::kLostReply;
          case 1: return fakes::MemoryEtcd::Fault::kLostRequest;
          default: return fakes::MemoryEtcd::Fault::kNone;
        }
      });
      taken += TakeAll(member, Uses(uses), random() % (uses / 10 + 2));
      static_cast<void>(member.store->Refresh().ok());
      if (random() % 15 == 0) Crash(member);
      if (random() % 15 == 0) static_cast<void>(member.limits->Close().ok());
    }
    etcd_->set_away(false);
    etcd_->set_faults({});
    for (Member& member : members_) {
      ASSERT_TRUE(member.store->Refresh().ok());
      taken += TakeAll(member, Uses(uses));
    }
    ASSERT_LE(taken, uses) << "round " << round;
  }
}

// In any stretch of time no more than the burst and what the rate brings meanwhile.
TEST_F(LimitsFleetTest, RatesAreCountedTogether) {
  std::mt19937_64 random(43);
  struct Case {
    uint64_t count;
    uint64_t seconds;
    uint64_t burst;
  };
  for (const Case& one :
       {Case{1000, 1, 1000}, Case{10, 1, 10}, Case{5, 60, 5}, Case{1, 1, 1}, Case{20000, 1, 300}}) {
    SCOPED_TRACE(one.count);
    NewKey();
    const LimitRule rule = Rate(one.count, one.seconds, one.burst);
    std::vector<std::pair<int64_t, uint64_t>> taken;  // when, how many
    const int64_t step = static_cast<int64_t>(one.seconds) * 1'000'000'000 / 50;
    for (int i = 0; i < 300; ++i) {
      uint64_t now = 0;
      for (Member& member : members_) {
        if (random() % 3 != 0) now += TakeAll(member, rule, 1 + random() % (one.burst + 5));
        if (random() % 40 == 0) Crash(member);
      }
      taken.emplace_back(clock_.nanos, now);
      clock_.Pass(nanoseconds(static_cast<int64_t>(random() % static_cast<uint64_t>(step))));
    }
    uint64_t all = 0;
    for (size_t from = 0; from < taken.size(); ++from) {
      uint64_t sum = 0;
      for (size_t to = from; to < taken.size(); ++to) {
        sum += taken[to].second;
        const auto time = static_cast<double>(taken[to].first - taken[from].first) / 1e9;
        const double most = static_cast<double>(one.burst) + time * static_cast<double>(one.count) /
                                                                 static_cast<double>(one.seconds);
        ASSERT_LE(static_cast<double>(sum), most + 1) << from << " to " << to;
      }
      all += taken[from].second;
    }
    EXPECT_GE(all, one.burst) << "what there is can be had";
  }
}

// Where a commit takes longer than the slots of a share are good for, most of a large share would
// pass unused, and be missed by the others.
TEST_F(LimitsFleetTest, MembersThatUseLittleSetLittleAside) {
  const LimitRule rule = Rate(100, 1, 100);
  for (int i = 0; i < 200; ++i) {
    for (Member& member : members_) ASSERT_TRUE(Take(member, rule).ok()) << i;
    clock_.Pass(milliseconds(200));
  }
  // And a share grows with what is used.
  const uint64_t before = etcd_->commits();
  EXPECT_GE(TakeAll(members_[0], Rate(100'000, 1, 100'000), 5000), 5000U);
  EXPECT_LE(etcd_->commits() - before, 40U);
}

TEST_F(LimitsFleetTest, AMemberThatIsCutOffUsesWhatItHasAndThenRefuses) {
  ASSERT_TRUE(Take(members_[1], Uses(6400)).ok());
  ASSERT_TRUE(Take(members_[1], Uses(6400)).ok());
  etcd_->set_away(true);
  const uint64_t more = TakeAll(members_[1], Uses(6400));
  EXPECT_GE(more, 90U);
  EXPECT_LE(more, 200U);
  EXPECT_EQ(Take(members_[1], Uses(6400)).code(), Code::kStoreUnreachable);
  EXPECT_EQ(Take(members_[1], Rate(5, 1, 5)).code(), Code::kStoreUnreachable);
}

}  // namespace
}  // namespace keyclave::ops
