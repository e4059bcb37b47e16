// CKA_WRAP_TEMPLATE, CKA_UNWRAP_TEMPLATE, CKA_DERIVE_TEMPLATE (pkcs11-base-v3.2 §5.18.3 to
// §5.18.5).

#include "enclave/keys/key_templates.h"

#include "tests/unit/mech/mech_testing.h"

namespace keyclave::keys {
namespace {

using mech::CodeOf;
using mech::Get;
using wire::AttributeList;

AttributeList KeyWith(uint64_t type, const AttributeList& value) {
  AttributeList key;
  key.SetUlong(CKA_CLASS, CKO_SECRET_KEY);
  key.Set(type, wire::Encode(value));
  return key;
}

AttributeList Two(bool extractable, std::string_view label) {
  AttributeList list;
  list.SetBool(CKA_EXTRACTABLE, extractable);
  list.SetText(CKA_LABEL, label);
  return list;
}

TEST(KeyTemplates, AreAddedToTheCallers) {
  const AttributeList key = KeyWith(CKA_UNWRAP_TEMPLATE, Two(false, "kept"));
  AttributeList requested;
  requested.SetBool(CKA_TOKEN, true);
  const AttributeList both = Get(WithKeysTemplate(requested, key, CKA_UNWRAP_TEMPLATE));
  EXPECT_EQ(both.items.size(), 3U);
  EXPECT_EQ(both.Bool(CKA_EXTRACTABLE), false);
  EXPECT_EQ(both.Text(CKA_LABEL), "kept");
  requested.SetBool(CKA_EXTRACTABLE, false);
  EXPECT_EQ(Get(WithKeysTemplate(requested, key, CKA_UNWRAP_TEMPLATE)).items.size(), 3U);
  requested.SetBool(CKA_EXTRACTABLE, true);
  EXPECT_EQ(CodeOf(WithKeysTemplate(requested, key, CKA_UNWRAP_TEMPLATE)), "TemplateInconsistent");
  // Another one than was asked for says nothing.
  EXPECT_EQ(Get(WithKeysTemplate(requested, key, CKA_DERIVE_TEMPLATE)), requested);
}

TEST(KeyTemplates, WrapOnlyWhatMatchesThem) {
  const AttributeList wrapping = KeyWith(CKA_WRAP_TEMPLATE, Two(true, "leaves"));
  EXPECT_TRUE(CheckWrapTemplate(wrapping, Two(true, "leaves")).ok());
  EXPECT_EQ(CheckWrapTemplate(wrapping, Two(true, "stays")).code(), Code::kWrapTemplateMismatch);
  EXPECT_EQ(CheckWrapTemplate(wrapping, {}).code(), Code::kWrapTemplateMismatch);
  EXPECT_TRUE(CheckWrapTemplate({}, {}).ok());
  EXPECT_TRUE(CheckWrapTemplate(KeyWith(CKA_WRAP_TEMPLATE, {}), {}).ok());
}

}  // namespace
}  // namespace keyclave::keys
