// Tokens and their policies in the object store.

#include "tests/unit/keys/object_store_fixture.h"

namespace keyclave::keys {
namespace {

TEST_F(ObjectStoreTest, TokensHaveSlotsSerialsAndUniqueLabels) {
  const Token second = Must(store_->CreateToken(TestToken("second"), TestPolicy("q", 1)));
  EXPECT_EQ(token_.slot, 0U);
  EXPECT_EQ(second.slot, 1U);
  EXPECT_EQ(second.default_policy, "q");
  EXPECT_EQ(second.Serial(), ToHex(second.id).substr(0, 16));
  EXPECT_EQ(store_->CreateToken(TestToken("second"), TestPolicy("q", 1)).code(),
            Code::kTokenExists);
  Reopen();
  ASSERT_EQ(store_->Tokens().size(), 2U);
  EXPECT_EQ(store_->Tokens()[1].label, "second");
  EXPECT_EQ(store_->Tokens()[1].created, 1'700'000'000);
  MustOk(store_->DeleteToken(token_.id));
  EXPECT_EQ(store_->FindToken(token_.id).code(), Code::kTokenNotFound);
  EXPECT_EQ(Must(store_->CreateToken(TestToken("third"), TestPolicy("p", 1))).slot, 0U);
  EXPECT_EQ(Must(store_->FindToken(second.id)).slot, 1U);
}

TEST_F(ObjectStoreTest, TokensAreFoundByLabelSerialOrBoth) {
  EXPECT_EQ(Must(store_->FindTokenByName({}, {})).id, token_.id) << "the only one";
  const Token second = Must(store_->CreateToken(TestToken("second"), TestPolicy("q", 1)));
  EXPECT_EQ(store_->FindTokenByName({}, {}).code(), Code::kTokenNotFound);
  EXPECT_EQ(Must(store_->FindTokenByName("second", {})).id, second.id);
  EXPECT_EQ(Must(store_->FindTokenByName({}, token_.Serial())).id, token_.id);
  EXPECT_EQ(Must(store_->FindTokenByName("second", second.Serial())).id, second.id);
  EXPECT_EQ(store_->FindTokenByName("second", token_.Serial()).code(), Code::kTokenNotFound);
  EXPECT_EQ(store_->FindTokenByName("secon", {}).code(), Code::kTokenNotFound);
}

TEST_F(ObjectStoreTest, TokenChangesAreKept) {
  Token changed = token_;
  changed.label = "renamed";
  changed.slot = 77;  // not the caller's to change
  changed.user_pin = {ToBytes("salt"), ToBytes("verifier"), 10, 1};
  MustOk(store_->UpdateToken(changed));
  Reopen();
  const Token now = Must(store_->FindToken(token_.id));
  EXPECT_EQ(now.label, "renamed");
  EXPECT_EQ(now.slot, 0U);
  EXPECT_EQ(now.user_pin.verifier, ToBytes("verifier"));
  EXPECT_EQ(now.user_pin.tries_left, 10U);
}

TEST_F(ObjectStoreTest, TokenChangesThatCannotBeAreRefused) {
  Must(store_->CreateToken(TestToken("second"), TestPolicy("q", 1)));
  Token changed = token_;
  changed.label = "second";
  EXPECT_EQ(store_->UpdateToken(changed).code(), Code::kTokenExists);
  changed = token_;
  changed.default_policy = "none";
  EXPECT_EQ(store_->UpdateToken(changed).code(), Code::kPolicyNotFound);
  changed = token_;
  changed.id = {};
  EXPECT_EQ(store_->UpdateToken(changed).code(), Code::kTokenNotFound);
}
// lesson 12: a key and its policy are sealed together.
TEST_F(ObjectStoreTest, NewPolicyVersionSealsItsObjectsAnew) {
  MustOk(store_->PutPolicy(token_.id, TestPolicy("other", 1)));
  const ObjectPtr mine = Insert("mine", "01");
  const ObjectPtr session = Insert("session", "02", CKO_SECRET_KEY, 9);
  NewObject fresh = TestObject(token_, "others", "03");
  fresh.object.policy = "other";
  const ObjectPtr others = Must(store_->Insert(One(std::move(fresh)))).front();
  const Document next = TestPolicy("p", 2, "# changed\n");
  MustOk(store_->PutPolicy(token_.id, next));
  for (const ObjectPtr& object : {mine, session}) {
    const ObjectPtr now = Must(store_->Get(object->id));
    EXPECT_EQ(now->version, 2U);
    EXPECT_EQ(*now->attributes.Find(kCkaPolicyDigest), ToBytes(next.digest));
  }
  EXPECT_EQ(Must(store_->Get(others->id))->version, 1U);
  EXPECT_EQ(Material(*mine), MaterialOf("mine/01"));
  EXPECT_EQ(Material(*session), MaterialOf("session/02"));
  Reopen();
  EXPECT_EQ(*Must(store_->Get(mine->id))->attributes.Find(kCkaPolicyDigest), ToBytes(next.digest));
  EXPECT_EQ(Must(store_->FindPolicy(token_.id, "p")).version, 2U);
  EXPECT_EQ(Must(store_->FindPolicy(token_.id, "p")).text, next.text);
  EXPECT_EQ(store_->Policies(token_.id).size(), 2U);
}

TEST_F(ObjectStoreTest, PolicyVersionsOnlyRise) {
  MustOk(store_->PutPolicy(token_.id, TestPolicy("p", 5)));
  for (const uint64_t version : {5U, 4U, 1U, 0U})
    EXPECT_EQ(store_->PutPolicy(token_.id, TestPolicy("p", version)).code(), Code::kPolicyVersion);
  Document wrong_digest = TestPolicy("p", 6);
  wrong_digest.digest[0] ^= 1;
  EXPECT_EQ(store_->PutPolicy(token_.id, wrong_digest).code(), Code::kInvalidArgument);
  EXPECT_EQ(store_->PutPolicy({}, TestPolicy("p", 6)).code(), Code::kTokenNotFound);
  EXPECT_EQ(store_->FindPolicy(token_.id, "none").code(), Code::kPolicyNotFound);
  EXPECT_EQ(Must(store_->FindPolicy(token_.id, "p")).version, 5U);
}

TEST_F(ObjectStoreTest, ClearedTokenKeepsItselfAndItsDefaultPolicy) {
  MustOk(store_->PutPolicy(token_.id, TestPolicy("other", 1)));
  Insert("key", "01");
  Insert("session", "02", CKO_SECRET_KEY, 9);
  const Token second = Must(store_->CreateToken(TestToken("second"), TestPolicy("q", 1)));
  Must(store_->Insert(One(TestObject(second, "stays", "01"))));
  MustOk(store_->ClearToken(token_.id));
  const auto check = [&] {
    EXPECT_EQ(store_->object_count(), 1U);
    EXPECT_TRUE(FindAll().empty());
    ASSERT_EQ(store_->Policies(token_.id).size(), 1U);
    EXPECT_EQ(store_->Policies(token_.id).front().name, "p");
    EXPECT_EQ(Must(store_->FindToken(token_.id)).label, "first");
  };
  check();
  Reopen();
  check();
  MustOk(store_->PutPolicy(token_.id, TestPolicy("other", 1)));  // the name is free again
  Reopen();
  EXPECT_EQ(store_->Policies(token_.id).size(), 2U);
}

TEST_F(ObjectStoreTest, DeletedTokenTakesEverythingWithIt) {
  const ObjectPtr object = Insert("key", "01");
  Insert("session", "02", CKO_SECRET_KEY, 9);
  MustOk(store_->DeleteToken(token_.id));
  const auto check = [&] {
    EXPECT_TRUE(store_->Tokens().empty());
    EXPECT_TRUE(store_->Policies(token_.id).empty());
    EXPECT_EQ(store_->object_count(), 0U);
    EXPECT_EQ(store_->Get(object->id).code(), Code::kObjectNotFound);
    EXPECT_EQ(store_->DeleteToken(token_.id).code(), Code::kTokenNotFound);
    EXPECT_EQ(store_->ClearToken(token_.id).code(), Code::kTokenNotFound);
    EXPECT_EQ(store_->Insert(One(TestObject(token_, "x", "x"))).code(), Code::kTokenNotFound);
  };
  check();
  Reopen();
  check();
}

}  // namespace
}  // namespace keyclave::keys
