// Whoever owns the etcd cluster offers members what never was, or is no more. Each way is refused
// by name, nothing of it is taken in, and what the member has stays usable.
#include "tests/unit/fleet/fixture.h"

namespace keyclave::fleet {
namespace {

using keys::Must;
using keys::ObjectPtr;
using keys::ObjectStore;
using Snapshot = MemoryEtcd::Snapshot;

constexpr std::string_view kHead = "0/head";

// Which keys are rows'.
bool IsRow(const Bytes& key) { return AsText(key).find("/row/") != std::string_view::npos; }
bool IsHead(const Bytes& key) { return AsText(key).ends_with(kHead); }

Bytes& HeadOf(Snapshot& snapshot) {
  for (auto& [key, value] : snapshot.values) {
    if (IsHead(key)) return value.bytes;
  }
  std::abort();
}

std::vector<Bytes> RowKeys(const Snapshot& snapshot) {
  std::vector<Bytes> keys;
  for (const auto& [key, value] : snapshot.values) {
    if (IsRow(key)) keys.push_back(key);
  }
  return keys;
}

// As if all of it had been written just now.
Snapshot Renewed(Snapshot snapshot, const Snapshot& after) {
  snapshot.revision = after.revision + 1;
  for (auto& [key, value] : snapshot.values) value.modified = snapshot.revision;
  return snapshot;
}

// What the attacker has: three moments of the fleet's life, and a fork of the second one.
struct History {
  Snapshot old;
  Snapshot seen;  // by the member to whom it is offered
  Snapshot now;   // what the others have committed since
  Snapshot fork;  // of `seen`, continued otherwise, and further
  Snapshot foreign;
};

struct Offer {
  std::string name;
  std::function<Snapshot(const History&)> make;
  Code running;  // to a member that runs
  Code fresh;    // to one that joins
  std::string says;
};

Snapshot Edited(const History& history) {
  Snapshot offered = history.now;
  for (const Bytes& key : RowKeys(offered)) {
    if (!history.seen.values.contains(key)) offered.values[key].bytes[40] ^= 1;
  }
  return Renewed(std::move(offered), history.now);
}

Snapshot Cut(const History& history) {
  Snapshot offered = history.now;
  for (const Bytes& key : RowKeys(offered)) {
    if (!history.seen.values.contains(key)) offered.values[key].bytes.resize(5);
  }
  return Renewed(std::move(offered), history.now);
}

Snapshot Swapped(const History& history) {
  Snapshot offered = history.now;
  const auto keys = RowKeys(offered);
  std::swap(offered.values[keys.front()].bytes, offered.values[keys.back()].bytes);
  return Renewed(std::move(offered), history.now);
}

Snapshot OldRowsUnderTheNewHead(const History& history) {
  Snapshot offered = history.seen;
  Snapshot newest = history.now;
  HeadOf(offered) = HeadOf(newest);
  return Renewed(std::move(offered), history.now);
}

Snapshot NewRowsUnderTheOldHead(const History& history) {
  Snapshot offered = history.now;
  Snapshot old = history.old;
  HeadOf(offered) = HeadOf(old);
  return Renewed(std::move(offered), history.now);
}

Snapshot OneRowOfBefore(const History& history) {
  Snapshot offered = history.now;
  for (auto& [key, value] : offered.values) {
    const auto before = history.old.values.find(key);
    if (IsRow(key) && before != history.old.values.end() && before->second.bytes != value.bytes)
      value.bytes = before->second.bytes;
  }
  return Renewed(std::move(offered), history.now);
}

Snapshot WithoutARow(const History& history) {
  Snapshot offered = history.now;
  for (const Bytes& key : RowKeys(offered)) {
    if (history.seen.values.contains(key)) continue;
    offered.values.erase(key);
    break;
  }
  return Renewed(std::move(offered), history.now);
}

Snapshot RowsOfTheFork(const History& history) {
  Snapshot offered = history.fork;
  Snapshot newest = history.now;
  HeadOf(offered) = HeadOf(newest);
  return Renewed(std::move(offered), history.now);
}

Snapshot WithoutHead(const History& history) {
  Snapshot offered = history.now;
  std::erase_if(offered.values, [](const auto& entry) { return IsHead(entry.first); });
  return offered;
}

Snapshot EditedHead(const History& history) {
  Snapshot offered = history.now;
  HeadOf(offered).back() ^= 1;
  return offered;
}

Snapshot ForeignHead(const History& history) {
  Snapshot offered = history.now;
  Snapshot foreign = history.foreign;
  HeadOf(offered) = HeadOf(foreign);
  return offered;
}

std::vector<Offer> Offers() {
  constexpr Code kOld = Code::kStoreRolledBack;
  constexpr Code kCorrupt = Code::kStoreCorrupt;
  return {
      {"the old store", [](const History& h) { return Renewed(h.old, h.now); }, kOld, kOld,
       "epoch"},
      {"the old store, as it was", [](const History& h) { return h.old; }, kOld, kOld, "epoch"},
      {"a fork at the same epoch",
       [](const History& h) {
         Snapshot fork = h.fork;
         return Renewed(std::move(fork), h.now);
       },
       kOld, kOld, "two histories"},
      {"nothing", [](const History&) { return Snapshot(); }, Code::kStoreMissing,
       Code::kStoreMissing, "no head"},
      {"no head", WithoutHead, Code::kStoreMissing, Code::kStoreMissing, "no head"},
      {"an edited head", EditedHead, kCorrupt, kCorrupt, "head"},
      {"another enclave's head", ForeignHead, Code::kStoreForeign, Code::kStoreForeign, "enclave"},
      {"an edited row", Edited, kCorrupt, kCorrupt, "edited"},
      {"rows that end too early", Cut, kCorrupt, kCorrupt, "edited"},
      {"two rows exchanged", Swapped, kCorrupt, kCorrupt, "swapped"},
      {"old rows under the new head", OldRowsUnderTheNewHead, kCorrupt, kCorrupt, ""},
      {"new rows under an old head", NewRowsUnderTheOldHead, kOld, kOld, "epoch"},
      {"one row of before", OneRowOfBefore, kCorrupt, kCorrupt, "rows"},
      {"all but one row", WithoutARow, kCorrupt, kCorrupt, "missing"},
      {"a fork's rows under the new head", RowsOfTheFork, kCorrupt, kCorrupt, ""},
  };
}

class OfferedTest : public FleetTest {
 protected:
  ObjectPtr Insert(ObjectStore& store, std::string_view label) {
    return Must(store.Insert(keys::One(keys::TestObject(token_, label, "id")))).front();
  }

  // `seen` is at the epoch up to which `member` has followed, and `fork` at the epoch of `seen`.
  History Live(std::unique_ptr<ObjectStore>& member) {
    History history;
    etcd_->Put({});
    machine_ = Found();
    auto first = Must(Open(machine_));
    token_ = Must(first->CreateToken(keys::TestToken("t"), keys::TestPolicy("p", 1)));
    const ObjectPtr changing = Insert(*first, "changing");
    history.old = etcd_->Take();
    // The fork: another machine, cut off from the others with a cluster that was copied.
    const Machine other = Join(machine_);
    auto forked = Must(Open(other));
    Must(forked->Update(changing->id, changing->attributes));
    kept_ = Insert(*forked, "of the fork");
    history.fork = etcd_->Take();
    etcd_->Put(history.old);
    Must(first->Update(changing->id, changing->attributes));
    kept_ = Insert(*first, "kept");
    history.seen = etcd_->Take();
    follower_ = Join(machine_);
    member = Must(Open(follower_));
    Must(first->Update(changing->id, changing->attributes));
    Insert(*first, "new");
    Insert(*first, "newer");
    history.now = etcd_->Take();
    newest_ = machine_.witness->mark;
    history.foreign = Foreign();
    etcd_->Put(history.now);
    return history;
  }
  Snapshot Foreign() {
    etcd_->Put({});
    const auto rows = std::make_shared<SharedRows>(etcd_, "/keyclave", ByteArray<16>{5});
    auto disk = std::make_shared<fakes::WitnessControl>();
    const std::shared_ptr<store::Store> copy = store::MakeMemoryStore();
    Must(ObjectStore::OpenWith(std::make_unique<fakes::LastingStore>(copy),
                               std::make_unique<fakes::MemoryWitness>(disk),
                               SecretBytes::CopyOf(ByteArray<32>{8}), /*create=*/true));
    EXPECT_TRUE(FleetStore(std::make_unique<fakes::LastingStore>(copy), rows,
                           directory_.path() + "/foreign")
                    .Publish()
                    .ok());
    return etcd_->Take();
  }

  Machine machine_;
  Machine follower_;
  std::optional<keys::Witness::Mark> newest_;
  keys::Token token_;
  ObjectPtr kept_;
};

TEST_F(OfferedTest, ToAMemberThatRuns) {
  for (const Offer& offer : Offers()) {
    SCOPED_TRACE(offer.name);
    std::unique_ptr<ObjectStore> member;
    const History history = Live(member);
    etcd_->Put(offer.make(history));
    for (int again = 0; again < 2; ++again) {
      const auto refused = member->Refresh();
      ASSERT_FALSE(refused.ok());
      EXPECT_EQ(CodeName(refused.code()), CodeName(offer.running)) << refused.error().Text();
      EXPECT_THAT(refused.error().Text(), testing::HasSubstr(offer.says));
    }
    EXPECT_TRUE(member->OpenKey(*Must(member->Get(kept_->id))).ok()) << "what it has it uses";
    EXPECT_FALSE(member->Insert(keys::One(keys::TestObject(token_, "x", "id"))).ok());
    // And when the true one is back, so is everything.
    etcd_->Put(history.now);
    ASSERT_TRUE(Must(member->Refresh()));
    EXPECT_EQ(member->object_count(), 4U);
    EXPECT_TRUE(member->Insert(keys::One(keys::TestObject(token_, "x", "id"))).ok());
  }
}

// A row that the member has already is not read again, and does not come into its copy.
TEST_F(OfferedTest, WhatAMemberHasStaysAsItIs) {
  std::unique_ptr<ObjectStore> member;
  const History history = Live(member);
  Snapshot offered = history.now;
  for (const Bytes& key : RowKeys(offered)) {
    if (history.seen.values.contains(key)) offered.values[key].bytes[40] ^= 1;
  }
  etcd_->Put(Renewed(std::move(offered), history.now));
  static_cast<void>(member->Refresh().ok());  // one of them has changed since: that is noticed
  member.reset();
  member = Must(Open(follower_));
  EXPECT_TRUE(member->OpenKey(*Must(member->Get(kept_->id))).ok());
}

// What a machine that joins knows is the mark of the member that let it in.
TEST_F(OfferedTest, ToAMachineThatJoins) {
  for (const Offer& offer : Offers()) {
    SCOPED_TRACE(offer.name);
    std::unique_ptr<ObjectStore> member;
    const History history = Live(member);
    etcd_->Put(offer.make(history));
    Machine fresh = NewMachine();
    fresh.witness->mark = newest_;
    Status refused;
    {
      const auto store = StoreOf(fresh);
      const auto news = store->Fetch(/*all=*/true);
      refused = news.ok() ? store->Adopt(**news) : Status(news.error());
    }
    if (refused.ok()) {
      const auto opened = Open(fresh);
      ASSERT_FALSE(opened.ok());
      refused = opened.error();
    }
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(CodeName(refused.code()), CodeName(offer.fresh)) << refused.error().Text();
  }
}

}  // namespace
}  // namespace keyclave::fleet
