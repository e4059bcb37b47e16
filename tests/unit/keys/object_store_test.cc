#include "enclave/keys/object_store.h"

#include <filesystem>

#include "tests/unit/keys/object_store_fixture.h"

namespace keyclave::keys {
namespace {

TEST_F(ObjectStoreTest, InsertSetsWhatIsTheStores) {
  const ObjectPtr object = Insert("key", "01");
  EXPECT_EQ(object->attributes.Text(CKA_UNIQUE_ID), ToHex(object->id));
  EXPECT_EQ(object->attributes.Text(kCkaPolicy), "p");
  EXPECT_EQ(*object->attributes.Find(kCkaPolicyDigest), ToBytes(TestPolicy("p", 1).digest));
  EXPECT_TRUE(object->attributes.IsTrue(CKA_TOKEN));
  EXPECT_TRUE(object->has_material);
  EXPECT_EQ(object->version, 1U);
  EXPECT_EQ(object->policy, "p");
  EXPECT_EQ(store_->CountUnderPolicy(token_.id, "p"), 1U);
}

TEST_F(ObjectStoreTest, InsertIsAllOrNone) {
  std::vector<NewObject> objects;
  objects.push_back(TestObject(token_, "good", "01"));
  objects.push_back(TestObject(token_, "bad", "02"));
  objects.back().object.policy = "none";
  EXPECT_EQ(store_->Insert(std::move(objects)).code(), Code::kPolicyNotFound);
  objects.clear();
  objects.push_back(TestObject(token_, "good", "01"));
  objects.push_back(TestObject(Token(), "bad", "02"));
  EXPECT_EQ(store_->Insert(std::move(objects)).code(), Code::kTokenNotFound);
  EXPECT_EQ(store_->object_count(), 0U);
  Reopen();
  EXPECT_EQ(store_->object_count(), 0U);
}

TEST_F(ObjectStoreTest, PolicyIsTheTemplatesOrTheTokensDefault) {
  MustOk(store_->PutPolicy(token_.id, TestPolicy("other", 1)));
  NewObject fresh = TestObject(token_, "key", "01");
  fresh.object.attributes.SetText(kCkaPolicy, "other");
  EXPECT_EQ(Must(store_->Insert(One(std::move(fresh)))).front()->policy, "other");
  fresh = TestObject(token_, "key", "02");
  fresh.object.attributes.SetText(kCkaPolicy, "none");
  EXPECT_EQ(store_->Insert(One(std::move(fresh))).code(), Code::kPolicyNotFound);
}

TEST_F(ObjectStoreTest, AThousandObjectsAreThereAfterReopening) {
  std::map<wire::ObjectId, wire::AttributeList> made;
  for (int batch = 0; batch < 20; ++batch) {
    std::vector<NewObject> objects;
    for (int i = 0; i < 50; ++i) {
      const std::string name = std::to_string(batch * 50 + i);
      objects.push_back(TestObject(token_, "key " + name, name));
    }
    for (const ObjectPtr& object : Must(store_->Insert(std::move(objects))))
      made[object->id] = object->attributes;
  }
  Reopen();
  EXPECT_EQ(store_->object_count(), 1000U);
  EXPECT_EQ(store_->CountUnderPolicy(token_.id, "p"), 1000U);
  for (const auto& [id, attributes] : made) {
    const ObjectPtr object = Must(store_->Get(id));
    EXPECT_EQ(object->attributes, attributes);
    EXPECT_EQ(object->token, token_.id);
    EXPECT_EQ(Material(*object),
              MaterialOf(attributes.Text(CKA_LABEL) + "/" + attributes.Text(CKA_ID)));
  }
}

TEST_F(ObjectStoreTest, UpdateReplacesAttributesAndIndexAndKeepsTheKey) {
  const ObjectPtr before = Insert("old", "01");
  wire::AttributeList attributes = before->attributes;
  attributes.SetText(CKA_LABEL, "new");
  attributes.Remove(CKA_UNIQUE_ID);
  attributes.SetBool(CKA_TOKEN, false);
  const ObjectPtr after = Must(store_->Update(before->id, attributes));
  EXPECT_EQ(after->version, 2U);
  EXPECT_EQ(after->attributes.Text(CKA_UNIQUE_ID), ToHex(before->id));
  EXPECT_TRUE(after->attributes.IsTrue(CKA_TOKEN));
  wire::AttributeList match;
  match.SetText(CKA_LABEL, "old");
  EXPECT_TRUE(FindAll(match).empty());
  match.SetText(CKA_LABEL, "new");
  EXPECT_EQ(FindAll(match).size(), 1U);
  EXPECT_EQ(before->attributes.Text(CKA_LABEL), "old") << "who holds the old one keeps it";
  Reopen();
  EXPECT_EQ(Must(store_->Get(before->id))->version, 2U);
  EXPECT_EQ(Material(*after), MaterialOf("old/01"));
  EXPECT_EQ(store_->CountUnderPolicy(token_.id, "p"), 1U);
}

TEST_F(ObjectStoreTest, UpdateMovesAnObjectToAnotherPolicy) {
  const Document other = TestPolicy("other", 1);
  MustOk(store_->PutPolicy(token_.id, other));
  const ObjectPtr object = Insert("key", "01");
  wire::AttributeList attributes = object->attributes;
  attributes.Set(kCkaPolicyDigest, Bytes(32));  // not the caller's to say
  EXPECT_EQ(*Must(store_->Update(object->id, attributes))->attributes.Find(kCkaPolicyDigest),
            ToBytes(TestPolicy("p", 1).digest));
  attributes.SetText(kCkaPolicy, "other");
  Must(store_->Update(object->id, attributes));
  attributes.SetText(kCkaPolicy, "none");
  EXPECT_EQ(store_->Update(object->id, attributes).code(), Code::kPolicyNotFound);
  Reopen();
  const ObjectPtr moved = Must(store_->Get(object->id));
  EXPECT_EQ(moved->policy, "other");
  EXPECT_EQ(*moved->attributes.Find(kCkaPolicyDigest), ToBytes(other.digest));
  EXPECT_EQ(store_->CountUnderPolicy(token_.id, "p"), 0U);
  EXPECT_EQ(store_->CountUnderPolicy(token_.id, "other"), 1U);
  EXPECT_EQ(Material(*moved), MaterialOf("key/01"));
  EXPECT_EQ(store_->Update({}, attributes).code(), Code::kObjectNotFound);
}

TEST_F(ObjectStoreTest, RemovedObjectsAreGoneForGood) {
  const ObjectPtr object = Insert("key", "01");
  const ObjectPtr other = Insert("key", "02");
  MustOk(store_->Remove(object->id));
  const auto expect_gone = [&] {
    EXPECT_EQ(store_->Get(object->id).code(), Code::kObjectNotFound);
    EXPECT_EQ(store_->Remove(object->id).code(), Code::kObjectNotFound);
    EXPECT_EQ(store_->ReadMaterial(*object).code(), Code::kObjectNotFound);
    EXPECT_EQ(store_->OpenKey(*object).code(), Code::kObjectNotFound);
    EXPECT_EQ(FindAll().size(), 1U);
    EXPECT_TRUE(store_->Get(other->id).ok());
  };
  expect_gone();
  Reopen();
  expect_gone();
}

TEST_F(ObjectStoreTest, SessionObjectsLiveInMemoryAndEndWithTheirSession) {
  const ObjectPtr mine = Insert("mine", "01", CKO_SECRET_KEY, 1);
  const ObjectPtr other = Insert("other", "02", CKO_SECRET_KEY, 2);
  const ObjectPtr kept = Insert("kept", "03");
  EXPECT_FALSE(mine->attributes.IsTrue(CKA_TOKEN));
  EXPECT_EQ(mine->session, 1U);
  EXPECT_EQ(Material(*mine), MaterialOf("mine/01"));
  EXPECT_EQ(Must(store_->OpenKey(*mine))->secret().size(), 32U);
  wire::AttributeList attributes = mine->attributes;
  attributes.SetText(CKA_LABEL, "renamed");
  EXPECT_EQ(Must(store_->Update(mine->id, attributes))->attributes.Text(CKA_LABEL), "renamed");
  EXPECT_EQ(Material(*mine), MaterialOf("mine/01"));
  store_->RemoveSessionObjects(1);
  store_->RemoveSessionObjects(1);
  store_->RemoveSessionObjects(0);  // token objects are no session's
  EXPECT_EQ(store_->Get(mine->id).code(), Code::kObjectNotFound);
  EXPECT_EQ(store_->ReadMaterial(*mine).code(), Code::kObjectNotFound);
  EXPECT_TRUE(store_->Get(other->id).ok());
  MustOk(store_->Remove(other->id));
  Reopen();
  EXPECT_EQ(store_->object_count(), 1U);
  EXPECT_TRUE(store_->Get(kept->id).ok());
}

TEST_F(ObjectStoreTest, SessionObjectsDoNotTouchTheVault) {
  auto faults = std::make_shared<fakes::FaultControl>();
  auto store = Must(ObjectStore::OpenWith(
      fakes::MakeFaultStore(store::MakeMemoryStore(), faults),
      std::make_unique<fakes::MemoryWitness>(std::make_shared<fakes::WitnessControl>()),
      TestSecret(), true));
  const Token token = Must(store->CreateToken(TestToken("t"), TestPolicy("p", 1)));
  const uint64_t commits = faults->commits;
  const ObjectPtr object =
      Must(store->Insert(One(TestObject(token, "s", "1", CKO_SECRET_KEY, 4)))).front();
  Must(store->Update(object->id, object->attributes));
  Must(store->OpenKey(*object));
  MustOk(store->Remove(object->id));
  store->RemoveSessionObjects(4);
  EXPECT_EQ(faults->commits, commits);
  EXPECT_EQ(faults->reads, 0U);
}

TEST_F(ObjectStoreTest, EpochRisesWithEveryChangeAndDoesNotRepeatAcrossRestarts) {
  std::vector<uint64_t> seen{store_->epoch()};
  const auto moved = [&] {
    EXPECT_GT(store_->epoch(), seen.back());
    seen.push_back(store_->epoch());
  };
  const ObjectPtr object = Insert("key", "01");
  moved();
  Insert("session", "02", CKO_SECRET_KEY, 9);
  moved();
  Must(store_->Update(object->id, object->attributes));
  moved();
  MustOk(store_->PutPolicy(token_.id, TestPolicy("p", 2)));
  moved();
  MustOk(store_->UpdateToken(token_));
  moved();
  store_->RemoveSessionObjects(9);
  moved();
  MustOk(store_->Remove(object->id));
  moved();
  MustOk(store_->ClearToken(token_.id));
  moved();
  EXPECT_EQ(store_->Get(object->id).code(), Code::kObjectNotFound);
  EXPECT_EQ(store_->epoch(), seen.back()) << "reading moves nothing";
  for (int restart = 0; restart < 5; ++restart) {
    Reopen();
    EXPECT_THAT(seen, testing::Not(testing::Contains(store_->epoch())));
    seen.push_back(store_->epoch());
  }
}

TEST_F(ObjectStoreTest, FailedChangesLeaveEverythingAsItWas) {
  auto faults = std::make_shared<fakes::FaultControl>();
  faults->code = Code::kStoreFull;
  auto store = Must(ObjectStore::OpenWith(
      fakes::MakeFaultStore(store::MakeMemoryStore(), faults),
      std::make_unique<fakes::MemoryWitness>(std::make_shared<fakes::WitnessControl>()),
      TestSecret(), true));
  const Token token = Must(store->CreateToken(TestToken("t"), TestPolicy("p", 1)));
  const ObjectPtr object = Must(store->Insert(One(TestObject(token, "key", "1")))).front();
  const uint64_t epoch = store->epoch();
  const auto expect_full = [&](const Status& status) {
    EXPECT_FALSE(status.ok());
    if (!status.ok()) {
      EXPECT_EQ(status.code(), Code::kStoreFull);
    }
  };
  const auto to_status = [](auto result) -> Status {
    if (!result.ok()) return result.error();
    return Done{};
  };
  const auto fail_next = [&] { faults->next_commit = fakes::FaultControl::CommitFault::kBefore; };
  fail_next();
  expect_full(to_status(store->Insert(One(TestObject(token, "more", "2")))));
  fail_next();
  expect_full(to_status(store->Update(object->id, object->attributes)));
  fail_next();
  expect_full(store->Remove(object->id));
  fail_next();
  expect_full(store->PutPolicy(token.id, TestPolicy("p", 2)));
  fail_next();
  expect_full(store->ClearToken(token.id));
  fail_next();
  expect_full(store->DeleteToken(token.id));
  fail_next();
  expect_full(to_status(store->CreateToken(TestToken("u"), TestPolicy("p", 1))));
  EXPECT_EQ(store->epoch(), epoch);
  EXPECT_EQ(store->object_count(), 1U);
  EXPECT_EQ(Must(store->Get(object->id)), object);
  EXPECT_EQ(Must(store->FindPolicy(token.id, "p")).version, 1U);
  EXPECT_EQ(store->Tokens().size(), 1U);
  EXPECT_TRUE(store->OpenKey(*object).ok()) << "what is there stays usable";
  MustOk(store->Remove(object->id));
}

TEST_F(ObjectStoreTest, KeysAreReadOnceAndThenComeFromTheCache) {
  auto faults = std::make_shared<fakes::FaultControl>();
  auto store = Must(ObjectStore::OpenWith(
      fakes::MakeFaultStore(store::MakeMemoryStore(), faults),
      std::make_unique<fakes::MemoryWitness>(std::make_shared<fakes::WitnessControl>()),
      TestSecret(), true));
  const Token token = Must(store->CreateToken(TestToken("t"), TestPolicy("p", 1)));
  const ObjectPtr object = Must(store->Insert(One(TestObject(token, "key", "1")))).front();
  const auto first = Must(store->OpenKey(*object));
  EXPECT_EQ(faults->reads, 1U);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(Must(store->OpenKey(*object)), first);
  EXPECT_EQ(faults->reads, 1U);
  EXPECT_EQ(ToHex(first->secret().Expose(SecretAccess())), MaterialOf("key/1"));
  const ObjectPtr next = Must(store->Update(object->id, object->attributes));
  EXPECT_NE(Must(store->OpenKey(*next)), first) << "another version is another key";
}

TEST_F(ObjectStoreTest, ObjectsThatAreNoKeysHaveNone) {
  for (const uint64_t object_class : {CKO_CERTIFICATE, CKO_DATA}) {
    const ObjectPtr object = Insert("thing", "01", object_class);
    EXPECT_FALSE(object->has_material);
    EXPECT_EQ(store_->OpenKey(*object).code(), Code::kObjectNotFound);
    EXPECT_TRUE(Must(store_->ReadMaterial(*object)).empty());
  }
}

}  // namespace
}  // namespace keyclave::keys
