#include "pkcs11/args.h"

#include <gtest/gtest.h>

#include <limits>

namespace keyclave::pkcs11 {
namespace {

TEST(InBytes, TakesNullOnlyWithoutLength) {
  EXPECT_TRUE(InBytes(nullptr, 0).ok());
  EXPECT_EQ(InBytes(nullptr, 1).code(), Code::kP11ArgumentsBad);
  const CK_BYTE bytes[] = {1, 2, 3};
  EXPECT_EQ(ToHex(*InBytes(bytes, 3)), "010203");
  EXPECT_TRUE(InBytes(bytes, 0)->empty());
}

TEST(CopyStruct, TakesExactlyTheStructureWhereverItIsAligned) {
  std::array<uint8_t, 1 + sizeof(CK_VERSION)> buffer{9, 2, 40};
  const auto version =
      CopyStruct<CK_VERSION>(buffer.data() + 1, sizeof(CK_VERSION), Code::kMechanismParamInvalid);
  ASSERT_TRUE(version.ok());
  EXPECT_EQ(version->major, 2);
  EXPECT_EQ(version->minor, 40);
  for (const CK_ULONG size : {CK_ULONG{0}, sizeof(CK_VERSION) - 1, sizeof(CK_VERSION) + 1}) {
    EXPECT_EQ(CopyStruct<CK_VERSION>(buffer.data(), size, Code::kMechanismParamInvalid).code(),
              Code::kMechanismParamInvalid);
  }
  EXPECT_EQ(
      CopyStruct<CK_VERSION>(nullptr, sizeof(CK_VERSION), Code::kMechanismParamInvalid).code(),
      Code::kMechanismParamInvalid);
}

TEST(Template, BecomesAnAttributeList) {
  CK_BBOOL yes = CK_TRUE;
  char label[] = "web";
  const CK_ATTRIBUTE attributes[] = {
      {CKA_TOKEN, &yes, 1}, {CKA_LABEL, label, 3}, {CKA_ID, nullptr, 0}};
  const auto list = FromTemplate(attributes, 3);
  ASSERT_TRUE(list.ok());
  EXPECT_TRUE(list->IsTrue(CKA_TOKEN));
  EXPECT_EQ(list->Text(CKA_LABEL), "web");
  EXPECT_TRUE(list->Has(CKA_ID));
  EXPECT_TRUE(FromTemplate(nullptr, 0).ok());
}

TEST(Template, RefusesWhatCannotBeRead) {
  CK_BYTE byte = 0;
  EXPECT_EQ(FromTemplate(nullptr, 1).code(), Code::kP11ArgumentsBad);
  const CK_ATTRIBUTE null_value{CKA_LABEL, nullptr, 1};
  EXPECT_EQ(FromTemplate(&null_value, 1).code(), Code::kAttributeValueInvalid);
  for (const CK_ULONG length : {CK_ULONG{wire::kMaxField + 1}, CK_UNAVAILABLE_INFORMATION,
                                std::numeric_limits<CK_ULONG>::max() / 2}) {
    const CK_ATTRIBUTE huge{CKA_LABEL, &byte, length};
    EXPECT_EQ(FromTemplate(&huge, 1).code(), Code::kAttributeValueInvalid);
  }
  const std::vector<CK_ATTRIBUTE> many(257, CK_ATTRIBUTE{CKA_LABEL, &byte, 1});
  EXPECT_EQ(FromTemplate(many.data(), many.size()).code(), Code::kP11ArgumentsBad);
  EXPECT_EQ(FromTemplate(many.data(), CK_UNAVAILABLE_INFORMATION).code(), Code::kP11ArgumentsBad);
}

// Base §4.1.1, cases 5 and 6.
TEST(Template, ATypeStandsTwiceOnlyWithOneValue) {
  CK_BYTE byte = 0;
  CK_BYTE other = 1;
  const CK_ATTRIBUTE same[] = {
      {CKA_ID, &byte, 1}, {CKA_LABEL, &other, 1}, {CKA_ID, &byte, 1}, {CKA_ID, &byte, 1}};
  const auto list = FromTemplate(same, 4);
  ASSERT_TRUE(list.ok());
  EXPECT_EQ(list->items.size(), 2U);
  const CK_ATTRIBUTE different[] = {{CKA_ID, &byte, 1}, {CKA_ID, &other, 1}};
  EXPECT_EQ(FromTemplate(different, 2).code(), Code::kTemplateInconsistent);
  const CK_ATTRIBUTE longer[] = {{CKA_ID, &byte, 1}, {CKA_ID, nullptr, 0}};
  EXPECT_EQ(FromTemplate(longer, 2).code(), Code::kTemplateInconsistent);
}

TEST(NestedTemplate, TravelsThereAndBack) {
  CK_BBOOL no = CK_FALSE;
  CK_ULONG type = CKK_AES;
  CK_ATTRIBUTE inner[] = {{CKA_EXTRACTABLE, &no, 1}, {CKA_KEY_TYPE, &type, sizeof(type)}};
  const CK_ATTRIBUTE outer{CKA_UNWRAP_TEMPLATE, inner, sizeof(inner)};
  const auto list = FromTemplate(&outer, 1);
  ASSERT_TRUE(list.ok());
  const auto decoded = wire::Decode<wire::AttributeList>(*list->Find(CKA_UNWRAP_TEMPLATE));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->Ulong(CKA_KEY_TYPE), CKK_AES);

  CK_ATTRIBUTE query{CKA_UNWRAP_TEMPLATE, nullptr, 0};
  ASSERT_TRUE(PutAttribute(query, *list->Find(CKA_UNWRAP_TEMPLATE)).ok());
  EXPECT_EQ(query.ulValueLen, sizeof(inner));
  CK_BBOOL got_bool = CK_TRUE;
  CK_ULONG got_type = 0;
  CK_ATTRIBUTE got[] = {{0, &got_bool, 1}, {0, &got_type, sizeof(got_type)}};
  CK_ATTRIBUTE full{CKA_UNWRAP_TEMPLATE, got, sizeof(got)};
  ASSERT_TRUE(PutAttribute(full, *list->Find(CKA_UNWRAP_TEMPLATE)).ok());
  EXPECT_EQ(got[0].type, CKA_EXTRACTABLE);
  EXPECT_EQ(got_bool, CK_FALSE);
  EXPECT_EQ(got_type, CKK_AES);
}

// 3.2 §4, "Template Attributes": types first, then lengths, then values; and parts of it by type.
TEST(NestedTemplate, IsReadByPlaceOrByType) {
  wire::AttributeList list;
  list.SetBool(CKA_EXTRACTABLE, false);
  list.SetUlong(CKA_KEY_TYPE, CKK_AES);
  const Bytes value = wire::Encode(list);
  const CK_ULONG none = CK_UNAVAILABLE_INFORMATION;
  CK_ATTRIBUTE inner[] = {{none, nullptr, 0}, {none, nullptr, 0}};
  CK_ATTRIBUTE outer{CKA_UNWRAP_TEMPLATE, inner, sizeof(inner)};
  ASSERT_TRUE(PutAttribute(outer, value).ok());
  EXPECT_EQ(inner[0].type, CKA_EXTRACTABLE);
  EXPECT_EQ(inner[1].type, CKA_KEY_TYPE);
  EXPECT_EQ(inner[1].ulValueLen, sizeof(CK_ULONG));
  EXPECT_EQ(inner[1].pValue, nullptr);

  CK_BBOOL extractable = CK_TRUE;
  CK_ULONG type = 0;
  CK_ATTRIBUTE turned[] = {{CKA_KEY_TYPE, &type, sizeof(type)}, {CKA_EXTRACTABLE, &extractable, 1}};
  outer = {CKA_UNWRAP_TEMPLATE, turned, sizeof(turned)};
  ASSERT_TRUE(PutAttribute(outer, value).ok());
  EXPECT_EQ(type, CKK_AES);
  EXPECT_EQ(extractable, CK_FALSE);
  type = 0;
  outer = {CKA_UNWRAP_TEMPLATE, turned, sizeof(CK_ATTRIBUTE)};
  ASSERT_TRUE(PutAttribute(outer, value).ok());
  EXPECT_EQ(type, CKK_AES);
  EXPECT_EQ(outer.ulValueLen, sizeof(CK_ATTRIBUTE));

  turned[0] = {CKA_LABEL, &type, sizeof(type)};
  EXPECT_EQ(PutAttribute(outer, value).code(), Code::kP11BufferTooSmall);
  EXPECT_EQ(outer.ulValueLen, CK_UNAVAILABLE_INFORMATION);
}

TEST(NestedTemplate, RefusesBrokenAndBottomlessOnes) {
  CK_ATTRIBUTE self{CKA_WRAP_TEMPLATE, nullptr, sizeof(CK_ATTRIBUTE)};
  self.pValue = &self;
  EXPECT_EQ(FromTemplate(&self, 1).code(), Code::kTemplateInconsistent);
  CK_ATTRIBUTE inner{CKA_LABEL, nullptr, 0};
  for (const CK_ULONG size : {CK_ULONG{1}, sizeof(CK_ATTRIBUTE) - 1, sizeof(CK_ATTRIBUTE) + 1}) {
    const CK_ATTRIBUTE cut{CKA_WRAP_TEMPLATE, &inner, size};
    EXPECT_EQ(FromTemplate(&cut, 1).code(), Code::kAttributeValueInvalid);
  }
}

TEST(PutAttribute, FollowsTheTwoCallConvention) {
  const Bytes value = {1, 2, 3};
  CK_ATTRIBUTE query{CKA_ID, nullptr, 99};
  EXPECT_TRUE(PutAttribute(query, value).ok());
  EXPECT_EQ(query.ulValueLen, 3U);
  CK_BYTE room[4] = {7, 7, 7, 7};
  CK_ATTRIBUTE small{CKA_ID, room, 2};
  EXPECT_EQ(PutAttribute(small, value).code(), Code::kP11BufferTooSmall);
  EXPECT_EQ(small.ulValueLen, CK_UNAVAILABLE_INFORMATION);
  EXPECT_EQ(room[0], 7);
  CK_ATTRIBUTE fits{CKA_ID, room, 4};
  EXPECT_TRUE(PutAttribute(fits, value).ok());
  EXPECT_EQ(fits.ulValueLen, 3U);
  EXPECT_EQ(ToHex(room), "01020307");
}

TEST(Padded, FillsWithBlanksAndCutsBetweenCharacters) {
  std::array<CK_UTF8CHAR, 6> field{};
  PutPadded(field, "abc");
  EXPECT_EQ(AsText(field), "abc   ");
  PutPadded(field, "abcdefgh");
  EXPECT_EQ(AsText(field), "abcdef");
  PutPadded(field, "abcde\xc3\xbc");  // the ü does not fit whole
  EXPECT_EQ(AsText(field), "abcde ");
}

TEST(Padded, ReadsBackAndRefusesWhatIsNotUtf8) {
  EXPECT_EQ(*FromPadded(AsBytes("web server      ")), "web server");
  EXPECT_EQ(*FromPadded(AsBytes("    ")), "");
  EXPECT_EQ(*FromPadded(AsBytes("")), "");
  EXPECT_EQ(FromPadded(AsBytes("web\xff    ")).code(), Code::kP11ArgumentsBad);
  EXPECT_EQ(FromPadded(AsBytes("web\xc3    ")).code(), Code::kP11ArgumentsBad);
}

}  // namespace
}  // namespace keyclave::pkcs11
