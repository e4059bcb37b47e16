#include "tests/unit/keys/object_store_fixture.h"

namespace keyclave::keys {
namespace {

// Versions of the key `www`, and what goes with them.
class ObjectVersionsTest : public ObjectStoreTest {
 protected:
  ObjectPtr Add(std::optional<uint64_t> version, bool staged = false,
                uint64_t object_class = CKO_PRIVATE_KEY, const std::string& label = "www") {
    NewObject fresh = TestObject(token_, label, std::to_string(++count_));
    wire::AttributeList& attributes = fresh.object.attributes;
    attributes.SetUlong(CKA_CLASS, object_class);
    if (version) attributes.SetUlong(kCkaVersion, *version);
    if (staged) attributes.SetBool(kCkaStaged, true);
    return Must(store_->Insert(One(std::move(fresh)))).front();
  }
  void PutIntoService(const ObjectPtr& object) {
    wire::AttributeList attributes = object->attributes;
    attributes.SetBool(kCkaStaged, false);
    Must(store_->Update(object->id, std::move(attributes)));
  }
  // The ids of what a search by the label finds.
  std::vector<wire::ObjectId> Found(bool versions = false) {
    wire::AttributeList match;
    match.SetText(CKA_LABEL, "www");
    std::vector<wire::ObjectId> ids;
    for (const auto& object : store_->Find(token_.id, match, {}, 100, Everything, versions))
      ids.push_back(object->id);
    return ids;
  }
  Result<ObjectPtr> ByLabel() {
    wire::ObjectRef ref;
    ref.token_label = token_.label;
    ref.label = "www";
    return store_->Resolve(ref, Everything);
  }
  int count_ = 0;
};

TEST_F(ObjectVersionsTest, TheLabelMeansTheHighestInService) {
  const ObjectPtr first = Add({});
  EXPECT_EQ(Must(ByLabel())->id, first->id);
  const ObjectPtr second = Add(2, /*staged=*/true);
  EXPECT_EQ(Must(ByLabel())->id, first->id);
  EXPECT_EQ(Found(), std::vector{first->id});
  PutIntoService(second);
  EXPECT_EQ(Must(ByLabel())->id, second->id);
  EXPECT_EQ(Found(), std::vector{second->id});
  const ObjectPtr third = Add(3, /*staged=*/true);
  EXPECT_EQ(Must(ByLabel())->id, second->id);
  EXPECT_EQ(Found(/*versions=*/true).size(), 3U);
  Reopen();
  EXPECT_EQ(Must(ByLabel())->id, second->id);
  MustOk(store_->Remove(second->id));
  EXPECT_EQ(Must(ByLabel())->id, first->id);
  MustOk(store_->Remove(third->id));
  EXPECT_EQ(Found(), std::vector{first->id});
}

TEST_F(ObjectVersionsTest, PublicKeysAndCertificatesGoWithTheirVersion) {
  Add({});
  const ObjectPtr old = Add({}, false, CKO_CERTIFICATE);
  const ObjectPtr key = Add(2, /*staged=*/true);
  const ObjectPtr half = Add(2, false, CKO_PUBLIC_KEY);
  const ObjectPtr certificate = Add(2, false, CKO_CERTIFICATE);
  const ObjectPtr data = Add({}, false, CKO_DATA);
  const auto has = [&](const ObjectPtr& object) {
    const auto found = Found();
    return std::find(found.begin(), found.end(), object->id) != found.end();
  };
  EXPECT_TRUE(has(old) && has(data));
  EXPECT_FALSE(has(key) || has(half) || has(certificate));
  PutIntoService(key);
  EXPECT_FALSE(has(old));
  EXPECT_TRUE(has(key) && has(half) && has(certificate) && has(data));
}

TEST_F(ObjectVersionsTest, AnIdAndANumberNameWhatTheySay) {
  Add({});
  const ObjectPtr second = Add(2);
  const ObjectPtr third = Add(3);
  wire::ObjectRef ref;
  ref.label = "www";
  ref.cka_id = *second->attributes.Find(CKA_ID);
  EXPECT_EQ(Must(store_->Resolve(ref, Everything))->id, second->id);
  wire::AttributeList match;
  match.SetText(CKA_LABEL, "www");
  match.SetUlong(kCkaVersion, 2);
  ASSERT_EQ(store_->Find(token_.id, match, {}, 100, Everything).size(), 1U);
  EXPECT_EQ(Must(ByLabel())->id, third->id);
}

TEST_F(ObjectVersionsTest, TwoOfOneNumberAreAmbiguous) {
  Add(2);
  Add(2);
  EXPECT_EQ(ByLabel().code(), Code::kObjectAmbiguous);
}

TEST_F(ObjectVersionsTest, OtherLabelsAreOtherKeys) {
  const ObjectPtr www = Add({});
  Add(7, false, CKO_PRIVATE_KEY, "api");
  EXPECT_EQ(Must(ByLabel())->id, www->id);
}

}  // namespace
}  // namespace keyclave::keys
