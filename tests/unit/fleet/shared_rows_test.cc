#include "enclave/fleet/shared_rows.h"

#include "tests/unit/fleet/fixture.h"

namespace keyclave::fleet {
namespace {

using Fault = MemoryEtcd::Fault;
using Rows = std::map<store::RowId, Bytes>;

store::RowId IdOf(int number) {
  store::RowId id = Sha256(AsBytes(std::to_string(number)));
  return id;
}

std::vector<store::Change> Changes(int first, int count, std::string_view text) {
  std::vector<store::Change> changes;
  for (int i = first; i < first + count; ++i)
    changes.push_back({IdOf(i), ToBytes(AsBytes(std::string(text) + std::to_string(i)))});
  return changes;
}

Bytes Head(std::string_view text) { return ToBytes(AsBytes(text)); }

class SharedRowsTest : public FleetTest {
 protected:
  SharedRows Member() { return {etcd_, "/keyclave", EnclaveId()}; }
  static Rows All(SharedRows& member, Bytes* head = nullptr) {
    auto since = keys::Must(member.ReadSince(0, 0));
    Rows rows;
    for (store::Change& row : since.news.rows) rows[row.id] = *std::move(row.sealed);
    if (head != nullptr) *head = since.news.head;
    return rows;
  }
};

TEST_F(SharedRowsTest, WhatOneCommitsAnotherReads) {
  SharedRows one = Member();
  SharedRows other = Member();
  EXPECT_EQ(other.ReadSince(0, 0).code(), Code::kStoreMissing);
  const int64_t first = keys::Must(one.Commit({}, Changes(0, 3, "a"), Head("1")));
  const auto all = keys::Must(other.ReadSince(0, 0));
  EXPECT_EQ(all.news.head, Head("1"));
  EXPECT_EQ(all.news.rows.size(), 3U);
  EXPECT_TRUE(all.all);
  ASSERT_TRUE(one.Commit(Head("1"), Changes(2, 2, "b"), Head("2")).ok());
  const auto later = keys::Must(other.ReadSince(first, all.cluster));
  EXPECT_FALSE(later.all);
  EXPECT_EQ(later.news.rows.size(), 2U) << "only what has changed";
  EXPECT_TRUE(keys::Must(other.ReadSince(first, all.cluster + 1)).all) << "another cluster";
  EXPECT_TRUE(keys::Must(other.ReadSince(first + 100, all.cluster)).all) << "it was put back";
}

TEST_F(SharedRowsTest, OfTwoWhoCommitAtOnceOneHasToLook) {
  SharedRows one = Member();
  SharedRows other = Member();
  ASSERT_TRUE(one.Commit({}, {}, Head("1")).ok());
  EXPECT_EQ(other.Commit({}, {}, Head("x")).code(), Code::kStoreMoved) << "there is a head";
  ASSERT_TRUE(one.Commit(Head("1"), Changes(0, 1, "a"), Head("2")).ok());
  EXPECT_EQ(other.Commit(Head("1"), Changes(0, 1, "b"), Head("3")).code(), Code::kStoreMoved);
  EXPECT_EQ(All(other), (Rows{{IdOf(0), Head("a0")}}));
}

TEST_F(SharedRowsTest, SaysWhetherACommitWithoutAnAnswerHappened) {
  for (const Fault fault : {Fault::kLostReply, Fault::kLostRequest, Fault::kAway}) {
    SharedRows member = Member();
    const Bytes before = keys::Must(member.Now()).head;
    const Bytes after = Head("after" + std::to_string(static_cast<int>(fault)));
    const uint64_t number = etcd_->commits();
    etcd_->set_faults([&](uint64_t now) { return now == number ? fault : Fault::kNone; });
    const auto committed = member.Commit(before, Changes(0, 1, "a"), after);
    const bool happened = keys::Must(member.Now()).head == after;
    EXPECT_EQ(committed.ok(), happened);
    EXPECT_EQ(happened, fault == Fault::kLostReply);
    if (!committed.ok()) {
      EXPECT_EQ(committed.code(), fault == Fault::kAway ? Code::kStoreUnreachable : Code::kStoreIo);
    }
  }
}

// However a member ends in the middle of a commit of many transactions, others see all of it or
// nothing, and go on.
TEST_F(SharedRowsTest, LargeCommitsHappenWhollyOrNotWhereverTheyAreCut) {
  constexpr int kRows = 750;
  SharedRows other = Member();
  uint64_t counted = 0;
  uint64_t not_counted = 0;
  bool whole = false;
  for (uint64_t cut = 0; !whole; ++cut) {
    for (const Fault fault : {Fault::kAway, Fault::kLostReply}) {
      etcd_->Put({});
      SharedRows one = Member();
      ASSERT_TRUE(one.Commit({}, Changes(0, 20, "a"), Head("1")).ok());
      const uint64_t first = etcd_->commits();
      bool away = false;
      etcd_->set_faults([&](uint64_t number) {
        // From there on the member is gone; what it sent last may have arrived.
        if (number < first + cut) return Fault::kNone;
        return std::exchange(away, true) ? Fault::kAway : fault;
      });
      const auto committed = one.Commit(Head("1"), Changes(10, kRows, "b"), Head("2"));
      whole = etcd_->commits() < first + cut;
      etcd_->set_faults({});
      Bytes head;
      const Rows rows = All(other, &head);
      const bool is_there = head == Head("2");
      (is_there ? counted : not_counted) += 1;
      EXPECT_TRUE(is_there || !committed.ok());
      EXPECT_EQ(rows.size(), is_there ? 10U + kRows : 20U);
      EXPECT_EQ(rows.at(IdOf(15)), is_there ? Head("b15") : Head("a15"));
      // Others go on at once, and what was left is tidied away.
      ASSERT_TRUE(other.Commit(head, Changes(0, 1, "c"), Head("3")).ok());
      EXPECT_EQ(All(other).size(), rows.size());
      ASSERT_TRUE(other.Commit(Head("3"), Changes(0, 200, "d"), Head("4")).ok());
      EXPECT_EQ(etcd_->keys(), 1 + (is_there ? 10U + kRows : 200U)) << "cut " << cut;
    }
  }
  EXPECT_GT(counted, 8U);
  EXPECT_GT(not_counted, 8U);
}

TEST_F(SharedRowsTest, AMemberThatIsBetweenStagingAndItsHeadLosesToAQuickerOne) {
  SharedRows one = Member();
  SharedRows other = Member();
  ASSERT_TRUE(one.Commit({}, {}, Head("1")).ok());
  const uint64_t first = etcd_->commits();
  bool entered = false;
  etcd_->set_faults([&](uint64_t number) {
    return number == first + 2 && !std::exchange(entered, true) ? Fault::kLostReply : Fault::kNone;
  });
  // A reply is lost in the middle of staging: the commit fails, and leaves what nobody counts.
  EXPECT_FALSE(one.Commit(Head("1"), Changes(0, 500, "a"), Head("2")).ok());
  ASSERT_TRUE(other.Commit(Head("1"), Changes(0, 500, "b"), Head("2b")).ok());
  EXPECT_EQ(All(one).at(IdOf(7)), Head("b7"));
  EXPECT_EQ(one.Commit(Head("1"), Changes(0, 500, "a"), Head("2")).code(), Code::kStoreMoved);
  EXPECT_EQ(All(one).at(IdOf(7)), Head("b7"));
}

TEST_F(SharedRowsTest, RowsOfAnotherEnclaveOrPrefixAreNotSeen) {
  SharedRows mine = Member();
  SharedRows theirs(etcd_, "/keyclave", ByteArray<16>{9});
  SharedRows elsewhere(etcd_, "/keyclave2", EnclaveId());
  ASSERT_TRUE(mine.Commit({}, Changes(0, 2, "a"), Head("1")).ok());
  ASSERT_TRUE(theirs.Commit({}, Changes(0, 3, "b"), Head("1")).ok());
  ASSERT_TRUE(elsewhere.Commit({}, Changes(0, 4, "c"), Head("1")).ok());
  EXPECT_EQ(All(mine).size(), 2U);
  EXPECT_EQ(All(theirs).size(), 3U);
  EXPECT_EQ(All(elsewhere).size(), 4U);
}

TEST(PrefixEnd, IsTheFirstKeyThatDoesNotBeginSo) {
  EXPECT_EQ(PrefixEnd(AsBytes("a/")), ToBytes(AsBytes("a0")));
  EXPECT_EQ(PrefixEnd(Bytes{1, 0xff}), (Bytes{2}));
  EXPECT_EQ(PrefixEnd(Bytes{0xff, 0xff}), Bytes());
}

}  // namespace
}  // namespace keyclave::fleet
