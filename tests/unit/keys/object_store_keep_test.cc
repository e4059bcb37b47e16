// Session objects that are kept, with policies, in one commit.
#include "tests/fakes/lasting_store.h"
#include "tests/unit/keys/object_store_fixture.h"

namespace keyclave::keys {
namespace {

constexpr uint64_t kSession = 7;

NewPolicy Put(const Document& document) { return {document, {}, {}}; }

std::vector<NewPolicy> Puts(const std::vector<Document>& documents) {
  std::vector<NewPolicy> puts;
  for (const Document& document : documents) puts.push_back(Put(document));
  return puts;
}

Object Under(const ObjectPtr& object, std::string policy) {
  Object wanted = *object;
  wanted.policy = std::move(policy);
  return wanted;
}

// A sealed store in memory that can be told to fail, and opened again.
class FaultyStore {
 public:
  FaultyStore() {
    store = Open(true);
    token = Must(store->CreateToken(TestToken("t"), TestPolicy("p", 1)));
  }
  std::unique_ptr<ObjectStore> Open(bool create) {
    return Must(ObjectStore::OpenWith(
        fakes::MakeFaultStore(std::make_unique<fakes::LastingStore>(inner), faults),
        std::make_unique<fakes::MemoryWitness>(witness), TestSecret(), create));
  }
  ObjectPtr Fresh(std::string_view label) const {
    return Must(store->Insert(One(TestObject(token, label, "1", CKO_SECRET_KEY, kSession))))
        .front();
  }

  const std::shared_ptr<store::Store> inner = store::MakeMemoryStore();
  const std::shared_ptr<fakes::FaultControl> faults = std::make_shared<fakes::FaultControl>();
  const std::shared_ptr<fakes::WitnessControl> witness = std::make_shared<fakes::WitnessControl>();
  std::unique_ptr<ObjectStore> store;
  Token token;
};

TEST_F(ObjectStoreTest, KeptObjectsAndPoliciesAreThereAfterReopening) {
  const ObjectPtr one = Insert("one", "1", CKO_SECRET_KEY, kSession);
  const ObjectPtr two = Insert("two", "2", CKO_CERTIFICATE, kSession);
  const ObjectPtr other = Insert("other", "3", CKO_SECRET_KEY, kSession);
  const auto kept = Must(store_->Keep(token_.id, Puts({TestPolicy("p", 2), TestPolicy("new", 1)}),
                                      {Under(one, "new"), Under(two, "p")}));
  ASSERT_EQ(kept.size(), 2U);
  EXPECT_NE(kept[0]->id, one->id);
  EXPECT_EQ(store_->Get(one->id).code(), Code::kObjectNotFound) << "it is no session object now";
  EXPECT_TRUE(store_->Get(other->id).ok());
  store_->RemoveSessionObjects(kSession);
  Reopen();
  const auto found = FindAll();
  ASSERT_EQ(found.size(), 2U);
  const ObjectPtr key = Must(store_->Get(kept[0]->id));
  EXPECT_EQ(key->policy, "new");
  EXPECT_EQ(key->attributes.Text(CKA_LABEL), "one");
  EXPECT_EQ(key->attributes.Text(CKA_UNIQUE_ID), ToHex(key->id));
  EXPECT_TRUE(key->attributes.IsTrue(CKA_TOKEN));
  EXPECT_EQ(*key->attributes.Find(kCkaPolicyDigest), ToBytes(TestPolicy("new", 1).digest));
  EXPECT_EQ(Material(*key), MaterialOf("one/1"));
  EXPECT_EQ(Must(store_->FindPolicy(token_.id, "p")).version, 2U);
}

TEST_F(ObjectStoreTest, AnObjectThatWasChangedInItsSessionIsKeptAndChangedAgain) {
  ObjectPtr object = Insert("one", "1", CKO_SECRET_KEY, kSession);
  object = Must(store_->Update(object->id, object->attributes));
  ASSERT_EQ(object->version, 2U);
  const ObjectPtr kept = Must(store_->Keep(token_.id, {}, {Under(object, "p")})).front();
  wire::AttributeList renamed = kept->attributes;
  renamed.SetText(CKA_LABEL, "renamed");
  EXPECT_TRUE(store_->Update(kept->id, renamed, kept->version).ok());
  Reopen();
  EXPECT_EQ(Must(store_->Get(kept->id))->attributes.Text(CKA_LABEL), "renamed");
  EXPECT_EQ(Material(*kept), MaterialOf("one/1"));
}

TEST_F(ObjectStoreTest, OnlySessionObjectsOfTheTokenAreKept) {
  const ObjectPtr lasting = Insert("lasting", "1");
  const ObjectPtr fresh = Insert("fresh", "2", CKO_SECRET_KEY, kSession);
  const auto keep = [&](const wire::TokenId& token, const Object& object) {
    return store_->Keep(token, Puts({TestPolicy("new", 1)}), {object}).code();
  };
  EXPECT_EQ(keep(token_.id, Under(lasting, "p")), Code::kObjectNotFound);
  EXPECT_EQ(keep(token_.id, Under(fresh, "nowhere")), Code::kPolicyNotFound);
  Object stale = Under(fresh, "p");
  stale.version = 9;
  EXPECT_EQ(keep(token_.id, stale), Code::kObjectChanged);
  const Token second = Must(store_->CreateToken(TestToken("second"), TestPolicy("p", 1)));
  EXPECT_EQ(keep(second.id, Under(fresh, "p")), Code::kObjectNotFound);
  EXPECT_EQ(keep(RandomArray<16>(), Under(fresh, "p")), Code::kTokenNotFound);
  Document false_digest = TestPolicy("new", 1);
  false_digest.digest[0] ^= 1;
  EXPECT_EQ(store_->Keep(token_.id, Puts({false_digest}), {}).code(), Code::kInvalidArgument);
  EXPECT_EQ(store_->FindPolicy(token_.id, "new").code(), Code::kPolicyNotFound)
      << "nothing was done by halves";
  EXPECT_TRUE(store_->Get(fresh->id).ok());
}

TEST_F(ObjectStoreTest, APolicyReplacesTheVersionThatWasLookedAtOrNone) {
  NewPolicy second = Put(TestPolicy("p", 2));
  second.former = 0;
  std::vector<NewPolicy> puts = {second};
  EXPECT_EQ(store_->Keep(token_.id, puts, {}).code(), Code::kObjectChanged);
  puts.front().former = 1;
  EXPECT_TRUE(store_->Keep(token_.id, puts, {}).ok());
  EXPECT_EQ(store_->Keep(token_.id, puts, {}).code(), Code::kObjectChanged);
  puts.front().former = 2;
  EXPECT_EQ(store_->Keep(token_.id, puts, {}).code(), Code::kPolicyVersion);
}

TEST_F(ObjectStoreTest, AKeptParentIsNamedByItsNewId) {
  const ObjectPtr parent = Insert("parent", "1", CKO_SECRET_KEY, kSession);
  const ObjectPtr lasting = Insert("lasting", "2");
  NewObject child = TestObject(token_, "child", "3", CKO_SECRET_KEY, kSession);
  Bytes parents = ToBytes(lasting->id);
  parents.insert(parents.end(), parent->id.begin(), parent->id.end());
  child.object.attributes.Set(kCkaParents, parents);
  const ObjectPtr made = Must(store_->Insert(One(std::move(child)))).front();
  const auto kept = Must(store_->Keep(token_.id, {}, {Under(made, "p"), Under(parent, "p")}));
  Bytes wanted = ToBytes(lasting->id);
  wanted.insert(wanted.end(), kept[1]->id.begin(), kept[1]->id.end());
  EXPECT_EQ(*kept[0]->attributes.Find(kCkaParents), wanted);
}

TEST(ObjectStoreKeep, ACommitThatFailsLeavesNothing) {
  using Fault = fakes::FaultControl::CommitFault;
  for (const Fault fault : {Fault::kBefore, Fault::kTorn}) {
    FaultyStore faulty;
    const ObjectPtr one = faulty.Fresh("one");
    const ObjectPtr two = faulty.Fresh("two");
    faulty.faults->next_commit = fault;
    const auto kept =
        faulty.store->Keep(faulty.token.id, Puts({TestPolicy("p", 2), TestPolicy("new", 1)}),
                           {Under(one, "new"), Under(two, "p")});
    EXPECT_EQ(kept.code(), Code::kStoreIo);
    EXPECT_EQ(Must(faulty.store->FindPolicy(faulty.token.id, "p")).version, 1U);
    EXPECT_TRUE(faulty.store->Get(one->id).ok()) << "the caller may try again";
    EXPECT_EQ(faulty.store->object_count(), 2U);
    if (fault != Fault::kBefore) continue;
    ASSERT_TRUE(faulty.store
                    ->Keep(faulty.token.id, Puts({TestPolicy("p", 2), TestPolicy("new", 1)}),
                           {Under(one, "new"), Under(two, "p")})
                    .ok());
    faulty.store.reset();
    faulty.store = faulty.Open(false);
    EXPECT_EQ(faulty.store->object_count(), 2U);
  }
}

// The answer was lost, and the vault found out what had become of it: all of it was done.
TEST(ObjectStoreKeep, ACommitWhoseAnswerIsLostIsWhole) {
  FaultyStore faulty;
  const ObjectPtr one = faulty.Fresh("one");
  const ObjectPtr two = faulty.Fresh("two");
  faulty.faults->next_commit = fakes::FaultControl::CommitFault::kAfter;
  const auto kept = faulty.store->Keep(faulty.token.id, Puts({TestPolicy("new", 1)}),
                                       {Under(one, "new"), Under(two, "new")});
  ASSERT_TRUE(kept.ok()) << kept.error().Text();
  faulty.store.reset();
  faulty.store = faulty.Open(false);
  EXPECT_EQ(faulty.store->object_count(), 2U);
  EXPECT_EQ(faulty.store->CountUnderPolicy(faulty.token.id, "new"), 2U);
}

}  // namespace
}  // namespace keyclave::keys
