#include "enclave/authz/wrap_forms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace keyclave::authz {
namespace {

using testing::HasSubstr;
using testing::Not;

Result<WrapForms> Parse(const std::string& list) {
  KC_ASSIGN(const YamlValue root, ParseYaml("wrap: " + list + "\n", "p.yaml"));
  KC_ASSIGN(YamlMap map, root.AsMap());
  KC_ASSIGN(const YamlValue wrap, map.Require("wrap"));
  return ParseWrapForms(wrap);
}

void ExpectRefused(const std::string& list, const std::string& part) {
  const auto parsed = Parse(list);
  ASSERT_FALSE(parsed.ok()) << list;
  EXPECT_THAT(parsed.error().Text(), HasSubstr(part));
  EXPECT_THAT(parsed.error().Text(), HasSubstr("p.yaml:1"));
}

TEST(WrapForms, NamesEveryForm) {
  for (size_t i = 0; i < kWrapFormCount; ++i) {
    const auto form = static_cast<WrapForm>(i);
    const std::string name(WrapFormName(form));
    EXPECT_EQ(ParseWrapForm(name), form);
    const auto parsed = Parse("[" + name + "]");
    ASSERT_TRUE(parsed.ok()) << name;
    EXPECT_TRUE(parsed->Has(form));
    EXPECT_EQ(parsed->Text(), name);
  }
  EXPECT_EQ(ParseWrapForm("hpke"), std::nullopt);  // a name for two
}

TEST(WrapForms, HpkeIsBothKems) {
  const auto parsed = Parse("[rsa-oaep-sha256, hpke]");
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->Text(), "rsa-oaep-sha256, hpke-p256, hpke-x25519");
}

TEST(WrapForms, JweIsBothAlgorithms) {
  const auto parsed = Parse("[jwe]");
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->Text(), "jwe-rsa-oaep-256, jwe-ecdh-es-a256kw");
}

TEST(WrapForms, PrintsWhatItParses) {
  const WrapForms forms = WrapForms::RecipientBound();
  const auto again = Parse("[" + forms.Text() + "]");
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(*again, forms);
}

// The numbers are those of the wire.
TEST(WrapForms, KeepTheirNumbers) {
  EXPECT_EQ(static_cast<int>(WrapForm::kTokenKey), 6);
  EXPECT_EQ(static_cast<int>(WrapForm::kJweRsaOaep256), 7);
  EXPECT_EQ(static_cast<int>(WrapForm::kJweEcdhEsA256Kw), 8);
}

TEST(WrapForms, DefaultLeavesOutKeysOfTheTokenAndWhatRelayedEvidenceGets) {
  const WrapForms forms = WrapForms::RecipientBound();
  EXPECT_FALSE(forms.Has(WrapForm::kTokenKey));
  EXPECT_FALSE(forms.Has(WrapForm::kJweRsaOaep256));
  EXPECT_FALSE(forms.Has(WrapForm::kJweEcdhEsA256Kw));
  EXPECT_TRUE(forms.Has(WrapForm::kHpkeX25519));
  EXPECT_TRUE(forms.Has(WrapForm::kRsaAesKeyWrapSha256));
}

TEST(WrapForms, RefusesWhatItDoesNotKnow) {
  ExpectRefused("[]", "releases nothing");
  ExpectRefused("hpke", "list");
  ExpectRefused("[hpke-p384]", "no such form");
  ExpectRefused("[{hpke: true}]", "");
  ExpectRefused("[\"\"]", "no such form");
  ExpectRefused("[hpke, hpke]", "named twice");
  ExpectRefused("[hpke-p256, hpke]", "named twice");
}

// Lesson 43: the oldest wrapping is nobody's default, and here nobody's choice.
TEST(WrapForms, HasNoFormWithSha1) {
  ExpectRefused("[rsa-oaep]", "no such form");
  ExpectRefused("[rsa-oaep-sha1]", "no such form");
  ExpectRefused("[rsa-aes-key-wrap]", "no such form");
  EXPECT_THAT(WrapForms::RecipientBound().Text(), Not(HasSubstr("sha1")));
}

}  // namespace
}  // namespace keyclave::authz
