// Finding by template, paging, references, visibility, and all of it from many threads.
#include <thread>

#include "enclave/keys/key_cache.h"
#include "enclave/keys/object_index.h"
#include "tests/unit/keys/fixture.h"

namespace keyclave::keys {
namespace {

class Finding : public testing::Test {
 protected:
  void SetUp() override {
    store_ = Must(ObjectStore::OpenWith(
        store::MakeMemoryStore(),
        std::make_unique<fakes::MemoryWitness>(std::make_shared<fakes::WitnessControl>()),
        TestSecret(), true));
    token_ = Must(store_->CreateToken(TestToken("first"), TestPolicy("p", 1)));
    second_ = Must(store_->CreateToken(TestToken("second"), TestPolicy("p", 1)));
  }
  ObjectPtr Insert(std::string_view label, std::string_view id,
                   uint64_t object_class = CKO_SECRET_KEY) {
    return InsertIn(token_, label, id, object_class);
  }
  ObjectPtr InsertIn(const Token& token, std::string_view label, std::string_view id,
                     uint64_t object_class) {
    return Must(store_->Insert(One(TestObject(token, label, id, object_class)))).front();
  }
  std::vector<ObjectPtr> Find(const wire::AttributeList& match,
                              const ObjectStore::Visible& visible = Everything) {
    const auto found = store_->Find(token_.id, match, std::nullopt, 10'000, visible);
    return {found.begin(), found.end()};
  }
  Result<ObjectPtr> Resolve(const wire::ObjectRef& ref,
                            const ObjectStore::Visible& visible = Everything) {
    return store_->Resolve(ref, visible);
  }
  static wire::ObjectRef Named(std::optional<std::string> label,
                               std::optional<std::string_view> id = std::nullopt,
                               std::optional<uint64_t> object_class = std::nullopt) {
    wire::ObjectRef ref;
    ref.token_label = "first";
    ref.label = std::move(label);
    if (id.has_value()) ref.cka_id = ToBytes(*id);
    ref.object_class = object_class;
    return ref;
  }

  std::unique_ptr<ObjectStore> store_;
  Token token_;
  Token second_;
};

TEST_F(Finding, TemplateOfIdLabelOrBothGivesExactMatches) {
  Insert("web", "01");
  Insert("web", "02");
  Insert("mail", "01");
  InsertIn(second_, "web", "01", CKO_SECRET_KEY);
  wire::AttributeList match;
  EXPECT_EQ(Find(match).size(), 3U);
  match.SetText(CKA_LABEL, "web");
  EXPECT_EQ(Find(match).size(), 2U);
  match.SetText(CKA_ID, "01");
  EXPECT_EQ(Find(match).size(), 1U);
  match.Remove(CKA_LABEL);
  EXPECT_EQ(Find(match).size(), 2U);
  match.SetText(CKA_ID, "0");
  EXPECT_TRUE(Find(match).empty()) << "a prefix is no match";
  match.SetText(CKA_ID, "");
  EXPECT_TRUE(Find(match).empty());
  EXPECT_TRUE(store_->Find({}, {}, std::nullopt, 10, Everything).empty()) << "no such token";
}

TEST_F(Finding, UniqueIdFindsItsObjectOnly) {
  const ObjectPtr object = Insert("web", "01");
  Insert("web", "02");
  wire::AttributeList match;
  match.SetText(CKA_UNIQUE_ID, ToHex(object->id));
  ASSERT_EQ(Find(match).size(), 1U);
  EXPECT_EQ(Find(match).front()->id, object->id);
  EXPECT_TRUE(store_->Find(second_.id, match, std::nullopt, 10, Everything).empty());
  EXPECT_TRUE(store_->Find(token_.id, match, object->id, 10, Everything).empty());
  EXPECT_TRUE(Find(match, [](const Object&) { return false; }).empty());
  match.SetText(CKA_LABEL, "mail");
  EXPECT_TRUE(Find(match).empty());
  for (const char* text : {"", "zz", "00", "0123456789abcdef0123456789abcdef00"}) {
    wire::AttributeList wrong;
    wrong.SetText(CKA_UNIQUE_ID, text);
    EXPECT_TRUE(Find(wrong).empty()) << text;
  }
}

TEST_F(Finding, AnObjectInUseIsOneForAllAndWhatIsFoundIsOnesOwn) {
  const ObjectPtr object = Insert("web", "01", CKO_PRIVATE_KEY);
  EXPECT_EQ(Must(store_->Get(object->id)), object);
  EXPECT_EQ(Must(Resolve(Named("web"))), object);
  const ObjectPtr found = Find({}).front();
  EXPECT_NE(found, object);
  EXPECT_EQ(found->id, object->id);
  EXPECT_EQ(found->attributes, object->attributes);
  const ObjectPtr next = Must(store_->Update(object->id, object->attributes));
  EXPECT_EQ(Must(store_->Get(object->id)), next) << "never the version before";
  EXPECT_EQ(Must(Resolve(Named("web"))), next);
}

TEST_F(Finding, PagesAreOrderedByIdWithoutGapsOrRepeats) {
  constexpr size_t kObjects = 700;  // more than one internal batch
  for (size_t i = 0; i < kObjects; ++i) Insert("same", std::to_string(i % 3));
  for (const size_t page : {size_t{1}, size_t{7}, size_t{256}, size_t{1000}}) {
    for (const bool by_label : {false, true}) {
      wire::AttributeList match;
      if (by_label) match.SetText(CKA_LABEL, "same");
      std::vector<wire::ObjectId> ids;
      std::optional<wire::ObjectId> after;
      while (true) {
        const auto found = store_->Find(token_.id, match, after, page, Everything);
        EXPECT_LE(found.size(), page);
        for (const auto& object : found) ids.push_back(object->id);
        if (found.size() < page) break;
        after = ids.back();
      }
      EXPECT_EQ(ids.size(), kObjects);
      EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
      EXPECT_EQ(std::set<wire::ObjectId>(ids.begin(), ids.end()).size(), kObjects);
    }
  }
  EXPECT_TRUE(store_->Find(token_.id, {}, std::nullopt, 0, Everything).empty());
}

TEST_F(Finding, PageIsFullEvenIfMostObjectsAreNotVisible) {
  for (size_t i = 0; i < 1000; ++i) Insert("same", i % 100 == 0 ? "seen" : "hidden");
  const auto visible = [](const Object& object) {
    return object.attributes.Text(CKA_ID) == "seen";
  };
  EXPECT_EQ(store_->Find(token_.id, {}, std::nullopt, 10, visible).size(), 10U);
  EXPECT_EQ(Find({}, visible).size(), 10U);
}

TEST_F(Finding, SearchByIdLooksAtItsMatchesOnly) {
  for (size_t i = 0; i < 3000; ++i) Insert("key " + std::to_string(i), std::to_string(i));
  size_t looked = 0;
  const auto counting = [&](const Object&) {
    ++looked;
    return true;
  };
  wire::AttributeList match;
  match.SetText(CKA_ID, "1234");
  EXPECT_EQ(Find(match, counting).size(), 1U);
  EXPECT_EQ(Must(Resolve(Named("key 77"), counting))->attributes.Text(CKA_ID), "77");
  EXPECT_EQ(looked, 2U);
}

TEST_F(Finding, IndexOffersNoMoreThanItsMatches) {
  ObjectTable table;
  ObjectIndex index;
  for (uint8_t i = 0; i < 100; ++i) {
    Object object;
    object.id = {i};
    object.attributes.SetText(CKA_LABEL, i % 2 == 0 ? "even" : "odd");
    if (i % 10 == 0) object.attributes.SetText(CKA_ID, "");
    object.attributes.SetUlong(CKA_CLASS, i == 7 ? CKO_PRIVATE_KEY : CKO_DATA);
    index.Add(table, table.Add(object));
  }
  wire::AttributeList match;
  const auto candidates = [&](std::optional<wire::ObjectId> after = std::nullopt) {
    return index.Candidates(table, match, after, 1000);
  };
  match.SetText(CKA_LABEL, "odd");
  EXPECT_EQ(candidates().size(), 50U);
  EXPECT_EQ(candidates(wire::ObjectId{97}).size(), 1U);
  match.SetText(CKA_ID, "");
  EXPECT_EQ(candidates().size(), 50U) << "the label is narrower";
  match.Remove(CKA_LABEL);
  EXPECT_EQ(candidates().size(), 10U);
  match.SetUlong(CKA_CLASS, CKO_PRIVATE_KEY);
  EXPECT_EQ(candidates().size(), 1U) << "an empty id is shared";
  match.SetText(CKA_LABEL, "even");
  EXPECT_EQ(candidates().size(), 50U);
  match = {};
  EXPECT_EQ(candidates(wire::ObjectId{98}).size(), 1U);
  EXPECT_EQ(index.CountUnderPolicy(""), 100U);
  for (const Slot slot : candidates()) {
    index.Remove(table, slot);
    table.Remove(slot);
  }
  EXPECT_EQ(index.size(), 0U);
  EXPECT_TRUE(candidates().empty());
  match.SetText(CKA_LABEL, "even");
  EXPECT_TRUE(candidates().empty());
  EXPECT_TRUE(index.UnderPolicy("").empty());
}

TEST_F(Finding, ReferenceWithoutClassPrefersTheKeyToUse) {
  Insert("web", "01", CKO_CERTIFICATE);
  EXPECT_EQ(Must(Resolve(Named("web")))->Class(), CKO_CERTIFICATE);
  Insert("web", "01", CKO_PUBLIC_KEY);
  EXPECT_EQ(Must(Resolve(Named("web")))->Class(), CKO_PUBLIC_KEY);
  const ObjectPtr key = Insert("web", "01", CKO_PRIVATE_KEY);
  EXPECT_EQ(Must(Resolve(Named("web"))), key);
  EXPECT_EQ(Must(Resolve(Named({}, "01"))), key);
  EXPECT_EQ(Must(Resolve(Named("web", "01", CKO_CERTIFICATE)))->Class(), CKO_CERTIFICATE);
  EXPECT_EQ(Resolve(Named("web", "01", CKO_DATA)).code(), Code::kObjectNotFound);
}

TEST_F(Finding, ReferenceThatFitsSeveralIsAmbiguous) {
  const ObjectPtr one = Insert("web", "01", CKO_PRIVATE_KEY);
  Insert("web", "02", CKO_PRIVATE_KEY);
  Insert("cert", "03", CKO_CERTIFICATE);
  Insert("cert", "04", CKO_CERTIFICATE);
  EXPECT_EQ(Resolve(Named("web")).code(), Code::kObjectAmbiguous);
  EXPECT_EQ(Resolve(Named("cert")).code(), Code::kObjectAmbiguous);
  EXPECT_EQ(Resolve(Named({})).code(), Code::kObjectAmbiguous);
  EXPECT_EQ(Must(Resolve(Named("web", "01"))), one);
  const auto only_one = [&](const Object& object) { return object.id == one->id; };
  EXPECT_EQ(Must(Resolve(Named("web"), only_one)), one) << "what is not visible is absent";
  EXPECT_EQ(Resolve(Named("web"), [](const Object&) { return false; }).code(),
            Code::kObjectNotFound);
}

TEST_F(Finding, ReferenceByIdMustFitInEveryPart) {
  const ObjectPtr object = Insert("web", "01", CKO_PRIVATE_KEY);
  wire::ObjectRef ref;
  ref.id = object->id;
  EXPECT_EQ(Must(Resolve(ref)), object);
  ref.token_label = "first";
  EXPECT_EQ(Must(Resolve(ref)), object);
  ref.token_label = "second";
  EXPECT_EQ(Resolve(ref).code(), Code::kObjectNotFound);
  ref.token_label.reset();
  ref.label = "mail";
  EXPECT_EQ(Resolve(ref).code(), Code::kObjectNotFound);
  ref.label.reset();
  EXPECT_EQ(Resolve(ref, [](const Object&) { return false; }).code(), Code::kObjectNotFound);
  (*ref.id)[0] ^= 1;
  EXPECT_EQ(Resolve(ref).code(), Code::kObjectNotFound);
}

TEST_F(Finding, ReferenceWithoutTokenSearchesAllAndAnUnknownTokenIsSaid) {
  const ObjectPtr object = InsertIn(second_, "web", "01", CKO_PRIVATE_KEY);
  wire::ObjectRef ref;
  ref.label = "web";
  EXPECT_EQ(Must(Resolve(ref)), object);
  Insert("web", "01", CKO_PRIVATE_KEY);
  EXPECT_EQ(Resolve(ref).code(), Code::kObjectAmbiguous);
  ref.token_serial = second_.Serial();
  EXPECT_EQ(Must(Resolve(ref)), object);
  ref.token_serial = "0000000000000000";
  EXPECT_EQ(Resolve(ref).code(), Code::kTokenNotFound);
}

TEST_F(Finding, ManyThreadsReadAndWriteAtOnce) {
  constexpr int kWriters = 2;
  constexpr int kRounds = 60;
  std::atomic<int> writing{kWriters};
  std::vector<std::thread> threads;
  for (int w = 0; w < kWriters; ++w) {
    threads.emplace_back([&, w] {
      for (int i = 0; i < kRounds; ++i) {
        const uint64_t session = i % 3 == 0 ? 100U + static_cast<uint64_t>(w) : 0U;
        const ObjectPtr object =
            Must(store_->Insert(One(
                     TestObject(token_, "shared", std::to_string(i % 5), CKO_SECRET_KEY, session))))
                .front();
        EXPECT_EQ(Must(store_->OpenKey(*object))->secret().size(), 32U);
        if (i % 4 == 0) Must(store_->Update(object->id, object->attributes));
        if (i % 2 == 0) MustOk(store_->Remove(object->id));
        if (i % 20 == 0)
          MustOk(store_->PutPolicy(w == 0 ? token_.id : second_.id,
                                   TestPolicy("p", static_cast<uint64_t>(i) + 2)));
      }
      store_->RemoveSessionObjects(100U + static_cast<uint64_t>(w));
      --writing;
    });
  }
  for (int r = 0; r < 2; ++r) {
    threads.emplace_back([&] {
      wire::AttributeList match;
      match.SetText(CKA_LABEL, "shared");
      uint64_t epoch = 0;
      while (writing > 0) {
        EXPECT_GE(store_->epoch(), epoch);
        epoch = store_->epoch();
        for (const ObjectPtr& object : Find(match)) {
          const auto key = store_->OpenKey(*object);
          if (!key.ok()) {
            EXPECT_EQ(key.code(), Code::kObjectNotFound);
          }
        }
        static_cast<void>(Resolve(Named("shared", "1")).ok());
        EXPECT_EQ(store_->Tokens().size(), 2U);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Find({}).size(), store_->object_count());
  EXPECT_EQ(store_->CountUnderPolicy(token_.id, "p"), store_->object_count());
}

std::shared_ptr<const mech::Key> MakeKey() {
  return std::make_shared<const mech::Key>(CKO_SECRET_KEY, CKK_AES, nullptr, SecretBytes(16));
}

TEST(KeyCacheTest, IsBoundedAndDropsTheLeastRecentlyUsed) {
  KeyCache cache(64);  // four per shard; the last byte of the id chooses the shard
  const auto id = [](uint8_t number) { return wire::ObjectId{number}; };
  for (uint8_t i = 0; i < 4; ++i) cache.Insert(id(i), 1, MakeKey());
  EXPECT_NE(cache.Find(id(0), 1), nullptr);
  cache.Insert(id(4), 1, MakeKey());
  EXPECT_EQ(cache.size(), 4U);
  EXPECT_EQ(cache.Find(id(1), 1), nullptr) << "the least recently used one left";
  for (const int kept : {0, 2, 3, 4})
    EXPECT_NE(cache.Find(id(static_cast<uint8_t>(kept)), 1), nullptr) << kept;
}

TEST(KeyCacheTest, HoldsOneVersionAndLetsGoOfWhatIsErased) {
  KeyCache cache(64);
  auto key = MakeKey();
  const std::weak_ptr<const mech::Key> watch = key;
  cache.Insert({1}, 1, std::move(key));
  EXPECT_EQ(cache.Find({1}, 2), nullptr);
  EXPECT_NE(cache.Find({1}, 1), nullptr);
  cache.Insert({1}, 2, MakeKey());
  EXPECT_TRUE(watch.expired());
  EXPECT_EQ(cache.Find({1}, 1), nullptr);
  EXPECT_EQ(cache.size(), 1U);
  cache.Erase({1});
  cache.Erase({1});
  EXPECT_EQ(cache.size(), 0U);
}

}  // namespace
}  // namespace keyclave::keys
