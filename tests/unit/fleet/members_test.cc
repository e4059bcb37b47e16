// Several object stores over one etcd: what one changes the others have, and all of them have the
// same in the end.
#include <random>
#include <thread>

#include "tests/unit/fleet/fixture.h"

namespace keyclave::fleet {
namespace {

using keys::Must;
using keys::ObjectPtr;
using keys::ObjectStore;
using Fault = MemoryEtcd::Fault;

// Everything that a member knows and others must know, too.
std::string Dump(ObjectStore& store) {
  std::string all;
  for (const keys::Token& token : store.Tokens()) {
    all += "token " + ToHex(wire::Encode(token)) + "\n";
    for (const keys::Document& policy : store.Policies(token.id))
      all += " policy " + ToHex(wire::Encode(policy)) + "\n";
    for (const auto type : {keys::RecordType::kSet, keys::RecordType::kApproval}) {
      for (const keys::TokenRecord& record : store.TokenRecords(token.id, type))
        all += " record " + ToHex(record.id) + " " + ToHex(record.body) + "\n";
    }
    for (const auto& object : store.Find(token.id, {}, std::nullopt, 100'000,
                                         [](const auto& one) { return one.session == 0; })) {
      all += " object " + ToHex(object->id) + " " + std::to_string(object->version) + " " +
             ToHex(wire::Encode(object->attributes));
      if (object->has_material)
        all += " " + ToHex(Must(store.ReadMaterial(*object)).Expose(SecretAccess()));
      const auto usage = store.FindUsage({object->id, "p", 1, {}});
      all += " " + std::to_string(usage.has_value() ? usage->uses : 0) + "\n";
    }
  }
  return all;
}

class MembersTest : public FleetTest {
 protected:
  void SetUp() override {
    machine_a_ = Found();
    a_ = Must(Open(machine_a_));
    token_ = Must(a_->CreateToken(keys::TestToken("first"), keys::TestPolicy("p", 1)));
    machine_b_ = Join(machine_a_);
    b_ = Must(Open(machine_b_));
  }
  ObjectPtr Insert(ObjectStore& store, std::string_view label, uint64_t session = 0) {
    return Must(store.Insert(
                    keys::One(keys::TestObject(token_, label, "id", CKO_SECRET_KEY, session))))
        .front();
  }
  void ExpectSame() {
    for (ObjectStore* store : {a_.get(), b_.get()}) ASSERT_TRUE(store->Refresh().ok());
    EXPECT_EQ(Dump(*a_), Dump(*b_));
  }

  Machine machine_a_;
  Machine machine_b_;
  std::unique_ptr<ObjectStore> a_;
  std::unique_ptr<ObjectStore> b_;
  keys::Token token_;
};

TEST_F(MembersTest, WhatOneMakesAnotherUses) {
  const ObjectPtr made = Insert(*a_, "key");
  EXPECT_EQ(b_->Get(made->id).code(), Code::kObjectNotFound);
  EXPECT_TRUE(Must(b_->Refresh()));
  EXPECT_FALSE(Must(b_->Refresh())) << "nothing more";
  const ObjectPtr found = Must(b_->Get(made->id));
  EXPECT_EQ(ToHex(Must(b_->ReadMaterial(*found)).Expose(SecretAccess())),
            ToHex(Sha256(AsBytes("key/id"))));
  EXPECT_TRUE(b_->OpenKey(*found).ok());
}

TEST_F(MembersTest, EveryKindOfChangeArrives) {
  const ObjectPtr kept = Insert(*a_, "kept");
  const ObjectPtr changed = Insert(*a_, "changed");
  const ObjectPtr removed = Insert(*a_, "removed");
  ExpectSame();
  wire::AttributeList attributes = changed->attributes;
  attributes.SetText(CKA_LABEL, "another");
  Must(a_->Update(changed->id, attributes));
  EXPECT_TRUE(a_->Remove(removed->id).ok());
  EXPECT_TRUE(a_->PutPolicy(token_.id, keys::TestPolicy("p", 2)).ok());
  EXPECT_TRUE(a_->PutPolicy(token_.id, keys::TestPolicy("q", 1)).ok());
  EXPECT_TRUE(a_->SetOwners(token_.id, {}).ok());
  EXPECT_TRUE(a_->AdvanceSequence(token_.id, 5).ok());
  EXPECT_TRUE(a_->ChangeTokenRecords(token_.id, {{keys::RecordType::kSet, {1}, Bytes{1}},
                                                 {keys::RecordType::kApproval, {2}, Bytes{2}}})
                  .ok());
  const keys::Token second =
      Must(a_->CreateToken(keys::TestToken("second"), keys::TestPolicy("p", 1)));
  EXPECT_TRUE(a_->EditUsages({{{kept->id, "p", 1, {}},
                               [](keys::Usage& usage) -> Status {
                                 usage.uses = 17;
                                 return Done{};
                               }}})
                  .ok());
  const uint64_t rules = b_->RulesGeneration(token_.id);
  const uint64_t epoch = b_->epoch();
  ExpectSame();
  EXPECT_NE(b_->RulesGeneration(token_.id), rules);
  EXPECT_GT(b_->epoch(), epoch);
  EXPECT_EQ(b_->FindUsage({kept->id, "p", 1, {}})->uses, 17U);
  EXPECT_TRUE(a_->ChangeTokenRecords(token_.id, {}, {{keys::RecordType::kSet, {1}, {}}}).ok());
  EXPECT_TRUE(a_->ClearToken(token_.id).ok());
  EXPECT_TRUE(a_->DeleteToken(second.id).ok());
  ExpectSame();
  EXPECT_EQ(b_->object_count(), 0U);
  EXPECT_EQ(b_->CountUsages(kept->id).of_all, 0U);
  b_.reset();
  b_ = Must(Open(machine_b_));
  EXPECT_EQ(Dump(*a_), Dump(*b_)) << "the copy has it, too";
}

TEST_F(MembersTest, SessionObjectsStayWithTheirMemberAndFollowItsTokens) {
  const ObjectPtr mine = Insert(*b_, "mine", /*session=*/3);
  EXPECT_TRUE(a_->PutPolicy(token_.id, keys::TestPolicy("p", 2)).ok());
  ASSERT_TRUE(b_->Refresh().ok());
  EXPECT_EQ(*Must(b_->Get(mine->id))->attributes.Find(kCkaPolicyDigest),
            ToBytes(keys::TestPolicy("p", 2).digest));
  EXPECT_TRUE(a_->DeleteToken(token_.id).ok());
  ASSERT_TRUE(b_->Refresh().ok());
  EXPECT_EQ(b_->Get(mine->id).code(), Code::kObjectNotFound);
}

TEST_F(MembersTest, WhatASessionKeepsIsDecidedAfterWhatTheOthersDid) {
  keys::Object mine = *Insert(*b_, "mine", /*session=*/3);
  const auto keep = [&](const keys::Document& policy, uint64_t former) {
    std::vector<keys::NewPolicy> policies;
    policies.push_back({policy, {}, former});
    mine.policy = policy.name;
    return b_->Keep(token_.id, std::move(policies), {mine}).code();
  };
  // Another member was first, and b_ does not know it yet.
  EXPECT_TRUE(a_->PutPolicy(token_.id, keys::TestPolicy("q", 1)).ok());
  EXPECT_EQ(keep(keys::TestPolicy("q", 1), 0), Code::kObjectChanged);
  EXPECT_TRUE(b_->Get(mine.id).ok());
  EXPECT_TRUE(a_->PutPolicy(token_.id, keys::TestPolicy("r", 1)).ok());
  std::vector<keys::NewPolicy> second;
  second.push_back({keys::TestPolicy("q", 2), {}, 1});
  const auto kept = b_->Keep(token_.id, std::move(second), {mine});
  ASSERT_TRUE(kept.ok()) << kept.error().Text();
  ExpectSame();
  EXPECT_EQ(Must(a_->Get(kept->front()->id))->policy, "q");
}

TEST_F(MembersTest, WhatDependsOnWhatTheOthersDidIsDecidedAfterwards) {
  ASSERT_TRUE(a_->CreateToken(keys::TestToken("same"), keys::TestPolicy("p", 1)).ok());
  EXPECT_EQ(b_->CreateToken(keys::TestToken("same"), keys::TestPolicy("p", 1)).code(),
            Code::kTokenExists);
  ASSERT_TRUE(a_->AdvanceSequence(token_.id, 9).ok());
  EXPECT_EQ(b_->AdvanceSequence(token_.id, 9).code(), Code::kSequence) << "used once";
  ASSERT_TRUE(a_->PutPolicy(token_.id, keys::TestPolicy("p", 3)).ok());
  EXPECT_EQ(b_->PutPolicy(token_.id, keys::TestPolicy("p", 2)).code(), Code::kPolicyVersion);
  const ObjectPtr object = Insert(*a_, "key");
  ASSERT_TRUE(b_->Refresh().ok());
  ASSERT_TRUE(a_->Update(object->id, object->attributes).ok());
  EXPECT_EQ(b_->Update(object->id, object->attributes, object->version).code(),
            Code::kObjectChanged);
  ASSERT_TRUE(a_->Remove(object->id).ok());
  EXPECT_EQ(b_->Remove(object->id).code(), Code::kObjectNotFound);
  ExpectSame();
}

TEST_F(MembersTest, AMemberThatIsCutOffReadsAndSignsAndChangesNothing) {
  const ObjectPtr before = Insert(*a_, "before");
  ASSERT_TRUE(b_->Refresh().ok());
  etcd_->set_away(true);
  EXPECT_EQ(b_->Refresh().code(), Code::kStoreUnreachable);
  EXPECT_TRUE(b_->OpenKey(*Must(b_->Get(before->id))).ok()) << "never opened before";
  const auto refused = b_->Insert(keys::One(keys::TestObject(token_, "late", "id")));
  EXPECT_EQ(refused.code(), Code::kStoreUnreachable);
  EXPECT_TRUE(b_->Insert(keys::One(keys::TestObject(token_, "s", "id", CKO_SECRET_KEY, 4))).ok())
      << "a session's own";
  etcd_->set_away(false);
  Insert(*a_, "meanwhile");
  ExpectSame();
  EXPECT_TRUE(b_->Insert(keys::One(keys::TestObject(token_, "late", "id"))).ok())
      << "at once, when it is known to be back";
  ExpectSame();
}

TEST_F(MembersTest, AStartReadsOnlyWhatHasChangedSince) {
  for (int i = 0; i < 30; ++i) Insert(*a_, "key" + std::to_string(i));
  ASSERT_TRUE(b_->Refresh().ok());
  b_.reset();
  Insert(*a_, "while it was away");
  const auto store = StoreOf(machine_b_);
  EXPECT_EQ(Must(store->Fetch(false))->rows.size(), 1U);
}

// Random changes by both at once, over a network that loses requests and replies.
TEST_F(MembersTest, AllHaveTheSameInTheEnd) {
  std::mt19937_64 faults(20261123);
  etcd_->set_faults([&](uint64_t /*number*/) {
    switch (faults() % 24) {
      case 0: return Fault::kLostRequest;
      case 1: return Fault::kLostReply;
      default: return Fault::kNone;
    }
  });
  const auto change = [&](ObjectStore& store, uint64_t seed) {
    std::mt19937_64 random(seed);
    for (int i = 0; i < 150; ++i) {
      const auto all = store.Find(token_.id, {}, std::nullopt, 1000, keys::Everything);
      const ObjectPtr some = all.empty() ? nullptr : ObjectPtr(all[random() % all.size()]);
      const std::string label = std::to_string(seed) + "/" + std::to_string(i);
      static_cast<void>(store.Refresh().ok());  // as the daemon does all the time
      switch (some == nullptr ? 0 : random() % 6) {
        case 1: static_cast<void>(store.Remove(some->id).ok()); break;
        case 2: {
          wire::AttributeList attributes = some->attributes;
          attributes.SetText(CKA_LABEL, label);
          static_cast<void>(store.Update(some->id, attributes).ok());
          break;
        }
        case 3:
          static_cast<void>(store
                                .EditUsages({{{some->id, "p", 1, {}},
                                              [](keys::Usage& usage) -> Status {
                                                ++usage.uses;
                                                return Done{};
                                              }}})
                                .ok());
          break;
        case 4:
          if (i % 10 == 0) {
            const auto policy = Must(store.FindPolicy(token_.id, "p"));
            static_cast<void>(
                store.PutPolicy(token_.id, keys::TestPolicy("p", policy.version + 1)).ok());
          }
          break;
        default:
          static_cast<void>(store.Insert(keys::One(keys::TestObject(token_, label, "id"))).ok());
      }
    }
  };
  std::thread other([&] { change(*b_, 2); });
  change(*a_, 1);
  other.join();
  etcd_->set_faults({});
  ExpectSame();
  EXPECT_GT(a_->object_count(), 20U);
  const Machine third = Join(machine_a_);
  EXPECT_EQ(Dump(*Must(Open(third))), Dump(*a_));
  a_.reset();
  a_ = Must(Open(machine_a_));
  EXPECT_EQ(Dump(*a_), Dump(*b_));
}

TEST_F(MembersTest, ThereIsOneStoreOfAnEnclave) {
  EXPECT_EQ(StoreOf(machine_a_)->Publish().code(), Code::kStoreExists);
}

}  // namespace
}  // namespace keyclave::fleet
