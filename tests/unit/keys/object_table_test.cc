// Objects at rest: what comes back is what went in, and what many have in common is there once.
#include "enclave/keys/object_table.h"

#include "tests/unit/keys/fixture.h"

namespace keyclave::keys {
namespace {

// One of many keys that differ in what keys differ in.
Object Pair(uint64_t number, uint64_t object_class) {
  Object object;
  object.id = RandomArray<16>();
  object.token = {0x11};
  object.policy = "p";
  object.version = 1 + number % 3;
  object.has_material = object_class == CKO_PRIVATE_KEY;
  object.attributes.SetUlong(CKA_CLASS, object_class);
  object.attributes.SetUlong(CKA_KEY_TYPE, CKK_EC);
  object.attributes.SetText(CKA_LABEL, "key " + std::to_string(number));
  object.attributes.SetText(CKA_ID, "id " + std::to_string(number));
  object.attributes.SetText(CKA_UNIQUE_ID, ToHex(object.id));
  object.attributes.SetBool(CKA_PRIVATE, object.has_material);
  object.attributes.Set(kCkaPolicyDigest, Sha256(AsBytes("p")));
  object.attributes.Set(CKA_SUBJECT, {});
  return object;
}

void ExpectSame(const Object& a, const Object& b) {
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.token, b.token);
  EXPECT_EQ(a.policy, b.policy);
  EXPECT_EQ(a.inherited, b.inherited);
  EXPECT_EQ(a.attributes, b.attributes);
  EXPECT_EQ(a.has_material, b.has_material);
  EXPECT_EQ(a.session, b.session);
  EXPECT_EQ(a.version, b.version);
}

TEST(ObjectTable, GivesBackEveryPartOfEveryObject) {
  std::vector<Object> objects;
  for (uint64_t i = 0; i < 500; ++i)
    objects.push_back(Pair(i, i % 2 == 0 ? CKO_PRIVATE_KEY : CKO_PUBLIC_KEY));
  objects[1].inherited = {"a", "b"};
  objects[2].session = 7;
  objects[3].attributes.SetText(CKA_UNIQUE_ID, "another's");
  objects[4].attributes = {};
  size_t next = 5;
  for (const size_t size : std::initializer_list<size_t>{0, 1, 2, 254, 255, 256, 100'000})
    objects[next++].attributes.Set(CKA_VALUE, Bytes(size, 0x5a));
  ObjectTable table;
  std::vector<Slot> slots;
  for (const Object& object : objects) slots.push_back(table.Add(object));
  for (size_t i = 0; i < objects.size(); ++i) ExpectSame(*table.At(slots[i]).Awake(), objects[i]);
}

TEST(ObjectTable, AnswersForSingleAttributesWithoutTheWholeObject) {
  ObjectTable table;
  const Object object = Pair(12, CKO_PRIVATE_KEY);
  const RestingObject& resting = table.At(table.Add(object));
  for (const wire::Attribute& attribute : object.attributes.items) {
    if (attribute.type == CKA_UNIQUE_ID) continue;
    const auto value = resting.Find(attribute.type);
    ASSERT_TRUE(value.has_value()) << attribute.type;
    EXPECT_TRUE(Equal(*value, attribute.value)) << attribute.type;
  }
  EXPECT_FALSE(resting.Find(CKA_VALUE).has_value());
  EXPECT_FALSE(resting.Find(CKA_UNIQUE_ID).has_value()) << "it is the id";
  EXPECT_EQ(resting.Ulong(CKA_CLASS), CKO_PRIVATE_KEY);
  EXPECT_EQ(resting.Ulong(CKA_PRIVATE), std::nullopt) << "not a number";
}

TEST(ObjectTable, ObjectsOfAKindShareIt) {
  KindTable kinds;
  const Object first = Pair(1, CKO_PRIVATE_KEY);
  const Kind& kind = kinds.Take(first);
  EXPECT_EQ(&kinds.Take(Pair(2, CKO_PRIVATE_KEY)), &kind);
  Object other = Pair(3, CKO_PRIVATE_KEY);
  const auto expect_another = [&](const Object& object) {
    const Kind& another = kinds.Take(object);
    EXPECT_NE(&another, &kind);
    kinds.Release(another);
  };
  expect_another(Pair(4, CKO_PUBLIC_KEY));
  other.policy = "q";
  expect_another(other);
  other = first;
  other.token = {0x12};
  expect_another(other);
  other = first;
  other.session = 1;
  expect_another(other);
  other = first;
  other.inherited = {"q"};
  expect_another(other);
  other = first;
  other.attributes.SetBool(CKA_SIGN, true);
  expect_another(other);
  other.attributes.Remove(CKA_SIGN);
  other.attributes.SetBool(CKA_PRIVATE, false);
  expect_another(other);
  EXPECT_EQ(kinds.size(), 1U) << "those without objects are gone";
  kinds.Release(kind);
  EXPECT_EQ(kinds.size(), 1U);
  kinds.Release(kind);
  EXPECT_EQ(kinds.size(), 0U);
}

TEST(ObjectTable, FindsWhatIsThereAndReusesWhatWasGivenUp) {
  ObjectTable table;
  std::map<wire::ObjectId, Slot> there;
  std::vector<wire::ObjectId> gone;
  for (uint64_t i = 0; i < 3000; ++i) {
    const Object object = Pair(i, CKO_PUBLIC_KEY);
    there[object.id] = table.Add(object);
    if (i % 3 != 0) continue;
    const auto removed = there.begin();
    gone.push_back(removed->first);
    table.Remove(removed->second);
    there.erase(removed);
  }
  EXPECT_EQ(table.size(), there.size());
  for (const auto& [id, slot] : there) {
    EXPECT_EQ(table.Find(id), slot);
    EXPECT_EQ(table.At(slot).id(), id);
    EXPECT_LE(slot, 2000U) << "slots are used again";
  }
  for (const wire::ObjectId& id : gone) EXPECT_EQ(table.Find(id), std::nullopt);
  std::vector<wire::ObjectId> in_order;
  for (const Slot slot : table.Slots()) in_order.push_back(table.At(slot).id());
  EXPECT_TRUE(std::is_sorted(in_order.begin(), in_order.end()));
}

// Ids are random, but nothing rests on it.
TEST(ObjectTable, TellsIdsWithOnePrefixApart) {
  ObjectTable table;
  for (uint8_t i = 0; i < 100; ++i) {
    Object object = Pair(i, CKO_PUBLIC_KEY);
    object.id = {1, 2, 3, 4, static_cast<uint8_t>(99 - i)};
    table.Add(object);
  }
  for (uint8_t i = 0; i < 100; ++i) {
    const wire::ObjectId id{1, 2, 3, 4, i};
    ASSERT_TRUE(table.Find(id).has_value());
    EXPECT_EQ(table.At(*table.Find(id)).id(), id);
  }
  EXPECT_EQ(table.Find({1, 2, 3, 4, 100}), std::nullopt);
}

}  // namespace
}  // namespace keyclave::keys
