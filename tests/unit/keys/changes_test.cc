// Changes of attributes, copies, and searches.

#include "enclave/keys/attributes.h"
#include "tests/unit/mech/mech_testing.h"

namespace keyclave::keys {
namespace {

using mech::CodeOf;
using mech::Get;
using wire::AttributeList;

AttributeList Bool(uint64_t type, bool value) {
  AttributeList list;
  list.SetBool(type, value);
  return list;
}
AttributeList Text(uint64_t type, std::string_view value) {
  AttributeList list;
  list.SetText(type, value);
  return list;
}

AttributeList SecretKey(const AttributeList& requested = {}) {
  AttributeList size;
  size.SetUlong(CKA_VALUE_LEN, 16);
  const mech::NewKey made =
      Get(mech::FamilyOf(CKM_AES_KEY_GEN).generate(mech::Mech(CKM_AES_KEY_GEN), size));
  return Get(CompleteTemplate(requested, made.attributes, Origin::kGenerated, CKM_AES_KEY_GEN));
}

std::string Change(const AttributeList& object, const AttributeList& changes, bool copy = false,
                   bool security_officer = false) {
  return CodeOf(ApplyChanges(object, changes, copy, security_officer));
}

TEST(ApplyChangesTest, SensitiveOnlyRisesExtractableOnlyFalls) {
  AttributeList open = Bool(CKA_SENSITIVE, false);
  open.SetBool(CKA_EXTRACTABLE, true);
  const AttributeList key = SecretKey(open);
  const AttributeList closed =
      Get(ApplyChanges(Get(ApplyChanges(key, Bool(CKA_SENSITIVE, true), false)),
                       Bool(CKA_EXTRACTABLE, false), false));
  EXPECT_EQ(closed.Bool(CKA_SENSITIVE), true);
  EXPECT_EQ(closed.Bool(CKA_EXTRACTABLE), false);
  // What it once was is not forgotten.
  EXPECT_EQ(closed.Bool(CKA_ALWAYS_SENSITIVE), false);
  EXPECT_EQ(closed.Bool(CKA_NEVER_EXTRACTABLE), false);
  for (const bool copy : {false, true}) {
    EXPECT_EQ(Change(closed, Bool(CKA_SENSITIVE, false), copy), "AttributeReadOnly");
    EXPECT_EQ(Change(closed, Bool(CKA_EXTRACTABLE, true), copy), "AttributeReadOnly");
    EXPECT_EQ(Change(closed, Bool(CKA_SENSITIVE, true), copy), "ok");
    EXPECT_EQ(Change(closed, Bool(CKA_EXTRACTABLE, false), copy), "ok");
    EXPECT_EQ(Change(key, Bool(CKA_WRAP_WITH_TRUSTED, true), copy), "ok");
  }
}

TEST(ApplyChangesTest, OrdinaryAttributesChange) {
  AttributeList changes = Text(CKA_LABEL, "new");
  changes.SetText(CKA_ID, "id");
  changes.SetBool(CKA_ENCRYPT, false);
  changes.SetText(CKA_START_DATE, "20260101");
  const AttributeList before = SecretKey();
  const AttributeList after = Get(ApplyChanges(before, changes, false));
  EXPECT_EQ(after.Text(CKA_LABEL), "new");
  EXPECT_EQ(after.Text(CKA_ID), "id");
  EXPECT_EQ(after.Bool(CKA_ENCRYPT), false);
  EXPECT_EQ(after.items.size(), before.items.size());
}

TEST(ApplyChangesTest, FixedAttributesDoNot) {
  const AttributeList key = SecretKey();
  for (const uint64_t type :
       {CKA_CLASS, CKA_KEY_TYPE, CKA_VALUE_LEN, CKA_KEY_GEN_MECHANISM, CKA_MODULUS_BITS}) {
    AttributeList changes;
    changes.SetUlong(type, 1);
    EXPECT_EQ(Change(key, changes),
              type == CKA_MODULUS_BITS ? "TemplateInconsistent" : "AttributeReadOnly");
  }
  for (const uint64_t type : {CKA_LOCAL, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE, CKA_TOKEN,
                              CKA_PRIVATE, CKA_MODIFIABLE}) {
    EXPECT_EQ(Change(key, Bool(type, true)), "AttributeReadOnly") << AttributeName(type);
  }
  for (const uint64_t type : {CKA_VALUE, CKA_UNIQUE_ID, CKA_ALLOWED_MECHANISMS}) {
    EXPECT_EQ(Change(key, Text(type, "")), "AttributeReadOnly") << AttributeName(type);
  }
  EXPECT_EQ(Change(key, Text(kCkaPolicy, "weaker")), "AttributeReadOnly");
  EXPECT_EQ(Change(key, Text(kCkaPolicy, "weaker"), true), "AttributeReadOnly");
  EXPECT_EQ(Change(key, Text(CKA_SUBJECT, "")), "TemplateInconsistent");
  EXPECT_EQ(Change(key, Text(CKA_SENSITIVE, "")), "AttributeValueInvalid");
  AttributeList twice = Text(CKA_LABEL, "a");
  twice.items.push_back(twice.items.front());
  EXPECT_EQ(Change(key, twice), "TemplateInconsistent");
}

TEST(ApplyChangesTest, ACopyMayMoveButNotBecomePublic) {
  AttributeList key = SecretKey();
  key.SetText(CKA_UNIQUE_ID, "unique");
  AttributeList changes = Bool(CKA_TOKEN, true);
  changes.SetBool(CKA_MODIFIABLE, false);
  const AttributeList copy = Get(ApplyChanges(key, changes, true));
  EXPECT_EQ(copy.Bool(CKA_TOKEN), true);
  EXPECT_EQ(copy.Bool(CKA_MODIFIABLE), false);
  EXPECT_FALSE(copy.Has(CKA_UNIQUE_ID));
  EXPECT_EQ(Change(key, Bool(CKA_PRIVATE, false), true), "TemplateInconsistent");
  EXPECT_EQ(Change(SecretKey(Bool(CKA_PRIVATE, false)), Bool(CKA_PRIVATE, true), true), "ok");
}

TEST(ApplyChangesTest, ObjectsCanForbidIt) {
  const AttributeList fixed = SecretKey(Bool(CKA_MODIFIABLE, false));
  EXPECT_EQ(Change(fixed, Text(CKA_LABEL, "x")), "ActionProhibited");
  EXPECT_EQ(Change(fixed, Text(CKA_LABEL, "x"), true), "ok");
  const AttributeList single = SecretKey(Bool(CKA_COPYABLE, false));
  EXPECT_EQ(Change(single, {}, true), "ActionProhibited");
  EXPECT_EQ(Change(single, Text(CKA_LABEL, "x")), "ok");
  EXPECT_EQ(Change(single, Bool(CKA_COPYABLE, true)), "AttributeReadOnly");
  EXPECT_EQ(Change(SecretKey(), Bool(CKA_COPYABLE, false)), "ok");
}

TEST(ApplyChangesTest, OnlyTheSecurityOfficerTrusts) {
  const AttributeList key = SecretKey();
  EXPECT_EQ(Change(key, Bool(CKA_TRUSTED, true)), "AttributeReadOnly");
  EXPECT_EQ(Change(key, Bool(CKA_TRUSTED, true), false, true), "ok");
  EXPECT_EQ(Change(key, Bool(CKA_TRUSTED, false)), "ok");
}

TEST(ApplyChangesTest, PublicKeyInfoMustStayTheKeysOwn) {
  AttributeList made = mech::NewEcPair(mech::kP256).attributes;
  made.SetUlong(CKA_CLASS, CKO_PRIVATE_KEY);
  const AttributeList key =
      Get(CompleteTemplate({}, made, Origin::kGenerated, CKM_EC_KEY_PAIR_GEN));
  AttributeList same;
  same.Set(CKA_PUBLIC_KEY_INFO, *made.Find(CKA_PUBLIC_KEY_INFO));
  EXPECT_EQ(Change(key, same), "ok");
  EXPECT_EQ(Change(key, Text(CKA_PUBLIC_KEY_INFO, "other")), "AttributeValueInvalid");
}

TEST(MatchesTest, EveryAttributeExactly) {
  const AttributeList key = SecretKey(Text(CKA_LABEL, "label"));
  EXPECT_TRUE(Matches(key, {}));
  EXPECT_TRUE(Matches(key, Text(CKA_LABEL, "label")));
  EXPECT_FALSE(Matches(key, Text(CKA_LABEL, "labe")));
  EXPECT_FALSE(Matches(key, Text(CKA_LABEL, "")));
  EXPECT_TRUE(Matches(key, Text(CKA_ID, "")));
  EXPECT_FALSE(Matches(key, Text(CKA_SUBJECT, "")));
  AttributeList both = Text(CKA_LABEL, "label");
  both.SetUlong(CKA_CLASS, CKO_SECRET_KEY);
  EXPECT_TRUE(Matches(key, both));
  both.SetUlong(CKA_CLASS, CKO_PRIVATE_KEY);
  EXPECT_FALSE(Matches(key, both));
}

TEST(MatchesTest, SecretsNeverMatch) {
  AttributeList key = SecretKey();
  key.SetText(CKA_VALUE, "must not be here");
  EXPECT_FALSE(Matches(key, Text(CKA_VALUE, "must not be here")));
  AttributeList data;
  data.SetUlong(CKA_CLASS, CKO_DATA);
  data.SetText(CKA_VALUE, "open");
  EXPECT_TRUE(Matches(data, Text(CKA_VALUE, "open")));
}

TEST(AttributeNamesTest, SecretsAndNames) {
  EXPECT_TRUE(IsSecretAttribute(CKA_VALUE, CKO_SECRET_KEY));
  EXPECT_TRUE(IsSecretAttribute(CKA_VALUE, CKO_PRIVATE_KEY));
  EXPECT_FALSE(IsSecretAttribute(CKA_VALUE, CKO_DATA));
  EXPECT_FALSE(IsSecretAttribute(CKA_VALUE, CKO_CERTIFICATE));
  for (const uint64_t type : {CKA_PRIVATE_EXPONENT, CKA_PRIME_1, CKA_PRIME_2, CKA_EXPONENT_1,
                              CKA_EXPONENT_2, CKA_COEFFICIENT}) {
    EXPECT_TRUE(IsSecretAttribute(type, CKO_PRIVATE_KEY));
    EXPECT_FALSE(IsSecretAttribute(type, CKO_PUBLIC_KEY));
  }
  EXPECT_FALSE(IsSecretAttribute(CKA_MODULUS, CKO_PRIVATE_KEY));
  EXPECT_EQ(AttributeName(CKA_LABEL), "CKA_LABEL");
  EXPECT_EQ(AttributeName(kCkaPolicy), "CKA_KEYCLAVE_POLICY");
  EXPECT_EQ(AttributeName(0xce534351), "0xce534351");
}

}  // namespace
}  // namespace keyclave::keys
