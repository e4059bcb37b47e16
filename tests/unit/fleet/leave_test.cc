// A member leaves the fleet: the others go on under another generation of the root secret, which it
// does not get; who was away meanwhile comes by it; rows of before are sealed anew.
#include "enclave/base/byte_reader.h"
#include "enclave/keys/member_key.h"
#include "enclave/keys/object_records.h"
#include "enclave/keys/records.h"
#include "tests/unit/fleet/fixture.h"

namespace keyclave::fleet {
namespace {

using keys::Must;
using keys::MustOk;
using keys::ObjectPtr;
using keys::ObjectStore;
using keys::RootKeyring;

// A machine with a root.key of its own, and a daemon on it or none.
struct Member {
  std::string name;
  Machine machine;
  RootKeyring keyring;  // as root.key has it
  bool fail_save = false;
  std::unique_ptr<ObjectStore> store;
};

class LeaveTest : public FleetTest {
 protected:
  void SetUp() override {
    Add("a", Found());
    Start("a");
    token_ = Must(At("a").CreateToken(keys::TestToken("fleet"), keys::TestPolicy("p", 1)));
    keys::NewObject object;
    object.object.token = token_.id;
    object.object.attributes.SetUlong(CKA_CLASS, CKO_DATA);
    Must(At("a").FoundFleet(std::move(object), keys::MemberRecord(RecordOf("a"))));
    Enter("b");
    Enter("c");
    for (const char* label : {"one", "two", "three"}) Insert("a", label);
    RefreshAll();
  }

  void Add(const std::string& name, Machine machine) {
    Member& member = members_[name];
    member.name = name;
    member.machine = std::move(machine);
    member.keyring = RootKeyring(Root());
    member.keyring.member_key = keys::NewMemberKey();
  }
  Status TryStart(const std::string& name) {
    Member& member = members_[name];
    keys::OpenOptions options;
    options.member = name;
    options.save_keyring = [&member](const RootKeyring& next) -> Status {
      if (member.fail_save) return Fail(Code::kStoreFull, "fault");
      member.keyring = next.Clone();
      return Done{};
    };
    KC_ASSIGN(member.store,
              ObjectStore::OpenWith(StoreOf(member.machine), WitnessOf(member.machine),
                                    member.keyring, /*create=*/false, options));
    return Done{};
  }
  void Start(const std::string& name) { MustOk(TryStart(name)); }
  void Stop(const std::string& name) { members_[name].store.reset(); }
  ObjectStore& At(const std::string& name) { return *members_[name].store; }
  wire::FleetMember RecordOf(const std::string& name) {
    return {name, 0, {}, Must(keys::MemberPublicKey(members_[name].keyring.member_key))};
  }
  // As a machine joins: the others know it first, and then it gets what they have.
  void Enter(const std::string& name) {
    Add(name, Join(members_["a"].machine));
    MustOk(At("a").PutMember(RecordOf(name)));
    RootKeyring given = At("a").GiveHandOver().keyring.Clone();
    EXPECT_TRUE(given.member_key.empty());
    given.member_key = members_[name].keyring.member_key.Clone();
    members_[name].keyring = std::move(given);
    Start(name);
    MustOk(Refreshed(name));
  }
  ObjectPtr Insert(const std::string& name, std::string_view label) {
    return Must(At(name).Insert(keys::One(keys::TestObject(token_, label, "id")))).front();
  }
  void RefreshAll() {
    for (auto& [name, member] : members_) {
      if (member.store != nullptr) MustOk(Refreshed(name));
    }
  }
  void RefreshAllBut(const std::string& left) {
    for (auto& [name, member] : members_) {
      if (member.store != nullptr && name != left) MustOk(Refreshed(name));
    }
  }
  Status Refreshed(const std::string& name) {
    KC_ASSIGN(const bool moved, At(name).Refresh());
    static_cast<void>(moved);
    return Done{};
  }
  std::set<std::string> Labels(const std::string& name) {
    std::set<std::string> labels;
    for (const auto& object : At(name).Find(token_.id, {}, std::nullopt, 1000, keys::Everything)) {
      if (object->Class() == CKO_SECRET_KEY) labels.insert(object->attributes.Text(CKA_LABEL));
    }
    return labels;
  }
  // How many rows of a member's copy open under these secrets.
  size_t CountOpen(const Machine& machine, const RootKeyring& keyring) {
    const keys::KeyGenerations generations(keyring);
    keys::RowSealer sealer(generations);
    size_t open = 0;
    MustOk(machine.copy->ForEach([&](const store::RowId& row, ByteSpan sealed) -> Status {
      open += sealer.Open(row, sealed).ok() ? 1U : 0U;
      return Done{};
    }));
    return open;
  }
  void ResealAll(const std::string& name) {
    while (Must(At(name).Reseal(4)) != 0) {
    }
  }

  std::map<std::string, Member> members_;
  keys::Token token_;
};

TEST_F(LeaveTest, TheOthersGoOnAndWhoLeftIsToldSo) {
  const auto count = Must(At("a").RemoveMember("c"));
  EXPECT_EQ(count.generation, 2U);
  EXPECT_GT(count.older_rows, 0U);
  Insert("a", "four");
  MustOk(Refreshed("b"));
  EXPECT_EQ(members_["b"].keyring.newest(), 2U) << "on its disk";
  EXPECT_EQ(Labels("b"), (std::set<std::string>{"one", "two", "three", "four"}));
  Insert("b", "five");
  MustOk(Refreshed("a"));
  EXPECT_EQ(Labels("a").size(), 5U);

  EXPECT_EQ(Refreshed("c").code(), Code::kFleetRemoved);
  EXPECT_EQ(Labels("c").size(), 3U) << "nothing of it is taken in";
  EXPECT_EQ(At("c")
                .Remove(At("c").Find(token_.id, {}, std::nullopt, 1, keys::Everything).front()->id)
                .code(),
            Code::kFleetRemoved);
  // And again after a restart, when it asks what is new.
  Stop("c");
  Start("c");
  EXPECT_EQ(Refreshed("c").code(), Code::kFleetRemoved);
  std::vector<std::string> names;
  for (const auto& member : Must(At("b").Members())) names.push_back(member.name);
  EXPECT_EQ(names, (std::vector<std::string>{"a", "b"}));
}

TEST_F(LeaveTest, SecretsOfWhoLeftOpenNothingThatIsWrittenLater) {
  const RootKeyring kept = members_["c"].keyring.Clone();
  Must(At("a").RemoveMember("c"));
  MustOk(Refreshed("b"));
  const size_t before = CountOpen(members_["a"].machine, kept);
  Insert("a", "four");
  Insert("b", "five");
  RefreshAllBut("c");
  EXPECT_EQ(CountOpen(members_["a"].machine, kept), before);
  ResealAll("a");
  EXPECT_EQ(CountOpen(members_["a"].machine, kept), 1U) << "the generation's record alone";
  MustOk(Refreshed("b"));
  EXPECT_EQ(CountOpen(members_["b"].machine, kept), 1U);
}

TEST_F(LeaveTest, ResealingChangesNothingThatAnybodySees) {
  const ObjectPtr before = Insert("a", "ready");
  MustOk(Refreshed("b"));
  const auto key = Must(At("b").OpenKey(*Must(At("b").Get(before->id))));
  Must(At("a").RemoveMember("c"));
  MustOk(Refreshed("b"));
  const uint64_t epoch = At("b").epoch();
  // While others change something.
  Must(At("a").Reseal(4));
  EXPECT_EQ(At("b").Reseal(4).code(), Code::kStoreMoved);
  Insert("b", "four");
  EXPECT_EQ(At("a").Reseal(4).code(), Code::kStoreMoved);
  MustOk(Refreshed("a"));
  ResealAll("a");
  const uint64_t changed = At("b").epoch();
  EXPECT_GT(changed, epoch);
  MustOk(Refreshed("b"));
  EXPECT_EQ(At("b").epoch(), changed) << "no caller's cache is old";
  const ObjectPtr after = Must(At("b").Get(before->id));
  EXPECT_EQ(after->version, before->version);
  EXPECT_EQ(Must(At("b").OpenKey(*after)), key) << "the key that was ready still is";
  EXPECT_EQ(At("b").generation().older_rows, 0U);
  // A change for the version that somebody saw is one for the version that there is.
  EXPECT_TRUE(At("b").Update(before->id, after->attributes, before->version).ok());
  EXPECT_EQ(Must(At("b").Reseal(4)), 0U);
  EXPECT_EQ(members_["b"].keyring.oldest, 2U);
  for (const char* name : {"a", "b"}) {
    Stop(name);
    Start(name);
    EXPECT_EQ(Labels(name).size(), 5U);
  }
}

TEST_F(LeaveTest, WhoWasStoppedMeanwhileCatchesUp) {
  Enter("d");
  RefreshAll();
  Stop("b");
  Must(At("a").RemoveMember("c"));
  ResealAll("a");
  Must(At("a").RemoveMember("d"));
  Must(At("a").Reseal(4));
  Insert("a", "four");
  Start("b");
  EXPECT_EQ(members_["b"].keyring.newest(), 1U);
  MustOk(Refreshed("b"));
  EXPECT_EQ(members_["b"].keyring.newest(), 3U);
  EXPECT_EQ(members_["b"].keyring.secrets.size(), 3U) << "rows are still of the second one";
  EXPECT_EQ(Labels("b").size(), 4U);
  ResealAll("b");
  EXPECT_EQ(members_["b"].keyring.secrets.size(), 2U);
  Stop("b");
  Start("b");
  EXPECT_EQ(Refreshed("d").code(), Code::kFleetRemoved);
}

TEST_F(LeaveTest, StopBetweenTheStepsIsMendedByTheNextStart) {
  // Of the one that was asked: the commit is there, and its own file is not written.
  members_["a"].fail_save = true;
  Must(At("a").RemoveMember("c"));
  Insert("a", "four");
  Stop("a");
  EXPECT_EQ(members_["a"].keyring.newest(), 1U);
  members_["a"].fail_save = false;
  Start("a");
  EXPECT_EQ(members_["a"].keyring.newest(), 2U);
  EXPECT_EQ(Labels("a").size(), 4U);
  // Of another one: its file cannot be written, so it takes nothing in.
  members_["b"].fail_save = true;
  EXPECT_EQ(Refreshed("b").code(), Code::kStoreFull);
  EXPECT_EQ(Labels("b").size(), 3U);
  members_["b"].fail_save = false;
  // Or it is written, and the process ends before the rows are there.
  members_["b"].keyring.secrets.emplace(2, members_["a"].keyring.secrets.at(2).Clone());
  Stop("b");
  Start("b");
  MustOk(Refreshed("b"));
  EXPECT_EQ(Labels("b").size(), 4U);
}

TEST_F(LeaveTest, LostReplyOfTheRemovalIsFoundOut) {
  bool lost = false;
  etcd_->set_faults([&](uint64_t) {
    return std::exchange(lost, true) ? MemoryEtcd::Fault::kNone : MemoryEtcd::Fault::kLostReply;
  });
  Must(At("a").RemoveMember("c"));
  EXPECT_TRUE(lost);
  EXPECT_EQ(members_["a"].keyring.newest(), 2U);
  Insert("a", "four");
  MustOk(Refreshed("b"));
  EXPECT_EQ(Labels("b").size(), 4U);
}

TEST_F(LeaveTest, TwoLeaveAtOnce) {
  Enter("d");
  RefreshAll();
  Must(At("a").RemoveMember("c"));
  // b has not heard of it.
  const auto second = Must(At("b").RemoveMember("d"));
  EXPECT_EQ(second.generation, 3U);
  EXPECT_EQ(Must(At("b").Members()).size(), 2U);
  MustOk(Refreshed("a"));
  EXPECT_EQ(members_["a"].keyring.newest(), 3U);
  EXPECT_EQ(Refreshed("c").code(), Code::kFleetRemoved);
}

TEST_F(LeaveTest, WhoJoinsLaterHasEverything) {
  Must(At("a").RemoveMember("c"));
  Must(At("a").Reseal(4));
  Enter("d");
  EXPECT_EQ(members_["d"].keyring.newest(), 2U);
  EXPECT_EQ(Labels("d").size(), 3U);
  Insert("d", "four");
  // And who left may come back, as a new member.
  Stop("c");
  Enter("c");
  EXPECT_EQ(Labels("c").size(), 4U);
  Must(At("c").RemoveMember("d"));
  EXPECT_EQ(Refreshed("d").code(), Code::kFleetRemoved);
  MustOk(Refreshed("b"));
}

TEST_F(LeaveTest, RemovalsThatCannotBeAreRefused) {
  EXPECT_EQ(At("a").RemoveMember("nobody").code(), Code::kMemberUnknown);
  EXPECT_EQ(At("a").RemoveMember("a").code(), Code::kMemberSelf);
  wire::FleetMember without_key = RecordOf("b");
  without_key.key.reset();
  MustOk(At("a").PutMember(without_key));
  EXPECT_EQ(At("a").RemoveMember("c").code(), Code::kMemberWithoutKey);
  EXPECT_EQ(At("a").generation().generation, 1U);
  MustOk(Refreshed("b"));
  MustOk(At("b").AnnounceMember());
  Must(At("a").RemoveMember("c"));
  Must(At("a").RemoveMember("b"));
  EXPECT_EQ(At("a").RemoveMember("a").code(), Code::kMemberSelf) << "and the last one stays";
  const auto alone = Must(ObjectStore::OpenWith(store::MakeMemoryStore(), WitnessOf(NewMachine()),
                                                Root(), /*create=*/true));
  EXPECT_EQ(alone->RemoveMember("a").code(), Code::kWrongState);
}

// Who left has the secrets of before, and may own etcd.
TEST_F(LeaveTest, HeadThatWhoLeftSealsIsRefused) {
  Must(At("a").RemoveMember("c"));
  MustOk(Refreshed("b"));
  auto snapshot = etcd_->Take();
  const keys::KeyGenerations old(Root());
  for (auto& [key, value] : snapshot.values) {
    if (!AsText(key).ends_with("0/head")) continue;
    keys::Head forged =
        Must(keys::OpenHead(keys::KeyGenerations(members_["b"].keyring), value.bytes));
    forged.epoch += 5;
    forged.generation = 1;
    value.bytes = Must(keys::SealHead(old, forged));
    value.modified = ++snapshot.revision;
  }
  etcd_->Put(snapshot);
  EXPECT_EQ(Refreshed("b").code(), Code::kStoreRolledBack);
  EXPECT_EQ(Labels("b").size(), 3U);
}

// The members' tags are over whole rows: with the old key another row of the same AEAD tag could be
// made, and shown to who copies everything.
TEST_F(LeaveTest, RowThatWhoLeftSealsInThePlaceOfAnotherIsRefused) {
  Must(At("a").RemoveMember("c"));
  auto snapshot = etcd_->Take();
  const keys::KeyGenerations old(Root());
  keys::RowSealer sealer(old);
  size_t forged = 0;
  for (auto& [key, value] : snapshot.values) {
    if (AsText(key).find("/row/") == std::string_view::npos) continue;
    const store::RowId row = Must(ByteReader(ByteSpan(key).last(32)).TakeArray<32>());
    const auto opened = sealer.Open(row, value.bytes);
    if (!opened.ok() || opened->header.key.type != keys::RecordType::kPolicy) continue;
    value.bytes = Must(sealer.Seal(row, opened->header, opened->body));
    value.modified = ++snapshot.revision;
    ++forged;
  }
  ASSERT_EQ(forged, 1U);
  etcd_->Put(snapshot);
  Machine machine = NewMachine();
  machine.witness->mark = members_["a"].machine.witness->mark;
  const auto store = StoreOf(machine);
  MustOk(store->Adopt(*Must(store->Fetch(/*all=*/true))));
  EXPECT_EQ(ObjectStore::OpenWith(StoreOf(machine), WitnessOf(machine), members_["a"].keyring,
                                  /*create=*/false)
                .code(),
            Code::kStoreCorrupt);
}

}  // namespace
}  // namespace keyclave::fleet
