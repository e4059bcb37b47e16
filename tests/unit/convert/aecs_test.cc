#include "tests/unit/convert/convert_checks.h"

namespace keyclave::ctl::convert {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

ClaimSet Enclave(const std::string& measurement, const std::string& signer = Repeated("11", 32)) {
  ClaimSet claims;
  claims.Set("tee", std::string("sgx"));
  claims.Set("measurement", measurement);
  claims.Set("signer", signer);
  claims.Set("product_id", std::string("12"));
  claims.Set("svn", int64_t{3});
  claims.Set("debug", false);
  return claims;
}

std::string Secret(const std::string& spec) {
  return "kind: SecretPolicy\nsecrets:\n- spec:\n    name: k\n" + spec;
}

const std::string kRow =
    "    policy:\n      enclaveMatchAnyRules:\n      - mrenclave: " + Repeated("6d", 32) + "\n";

TEST(Aecs, RowsArePermitsAndReadonlyIsLocked) {
  const auto list = Convert("aecs", Example("aecs", "secrets.yaml"), "secrets.yaml", {});
  ASSERT_TRUE(list.ok()) << list.error().Text();
  ASSERT_THAT(*list, SizeIs(2));
  const Converted& key = (*list)[0];
  ASSERT_TRUE(key.text.has_value());
  EXPECT_TRUE(authz::Policy::Parse(*key.text, "p")->locked());
  EXPECT_TRUE(Allows(key, Enclave(Repeated("6d", 32)), Operation::kRelease));
  EXPECT_FALSE(Allows(key, Enclave(Repeated("6e", 32)), Operation::kRelease));
  EXPECT_FALSE(Allows(key, Enclave(Repeated("6d", 32)), Operation::kSign));
  // The second row: another measurement of this signer, product and version.
  const ClaimSet signed_by = Enclave(Repeated("6e", 32), Repeated("7e", 32));
  EXPECT_TRUE(Allows(key, signed_by, Operation::kRelease));
  EXPECT_FALSE(Allows(key, With(signed_by, "svn", int64_t{2}), Operation::kRelease));
  EXPECT_FALSE(Allows(key, With(signed_by, "product_id", std::string("13")), Operation::kRelease));
  EXPECT_FALSE(Allows(key, With(signed_by, "debug", true), Operation::kRelease));
  EXPECT_FALSE(Allows(key, With(signed_by, "tee", std::string("tdx")), Operation::kRelease));
  const Converted& settings = (*list)[1];
  ASSERT_TRUE(settings.text.has_value());
  EXPECT_FALSE(authz::Policy::Parse(*settings.text, "p")->locked());
  EXPECT_TRUE(Allows(settings, Enclave(Repeated("6d", 32)), Operation::kRead));
  EXPECT_FALSE(Allows(settings, Enclave(Repeated("6d", 32)), Operation::kRelease));
}

TEST(Aecs, NeverExportIsUseOnly) {
  const Converted policy = Only("aecs", "never_export.yaml");
  const ClaimSet good = Enclave(Repeated("6d", 32));
  EXPECT_TRUE(Allows(policy, good, Operation::kEncrypt));
  EXPECT_TRUE(Allows(policy, good, Operation::kDecrypt));
  EXPECT_FALSE(Allows(policy, good, Operation::kRelease));
  EXPECT_FALSE(Allows(policy, good, Operation::kRead));
  EXPECT_FALSE(Allows(policy, Enclave(Repeated("6e", 32)), Operation::kDecrypt));
  Options options;
  options.operations = {"release"};
  EXPECT_EQ(Only("aecs", "never_export.yaml", options).text, std::nullopt);
}

TEST(Aecs, RowsThatNameNobodyAreLeftOut) {
  const Converted policy = Only("aecs", "anybody.yaml");
  EXPECT_EQ(policy.text, std::nullopt);
  EXPECT_THAT(Places(policy, Finding::Kind::kLeftOut), SizeIs(3));
}

TEST(Aecs, EmptyFieldsAreSaid) {
  const Converted policy = Only("aecs", "never_export.yaml");
  std::vector<std::string> said;
  for (const Finding& finding : policy.findings) {
    if (finding.kind == Finding::Kind::kAttention) said.push_back(finding.what);
  }
  EXPECT_THAT(said, ElementsAre(HasSubstr("mrsigner is empty"), HasSubstr("prodID is empty"),
                                HasSubstr("minIsvSvn is empty")));
}

// Lesson 40: there an unknown type becomes RSA, and what is not known is passed over.
TEST(Aecs, RefusesWhatItDoesNotKnow) {
  const std::string type = "    type: SECRET_TYPE_RSA_KEY_PAIR\n";
  for (const std::string& text :
       {Example("aecs", "bad_type.yaml"), Secret(kRow), Secret(type),
        Secret(type + kRow + "    colour: red\n"), Secret(type + kRow + "        mrowner: aa\n"),
        Secret(type + kRow + "    readonly: maybe\n"), Secret(type + kRow + "    share: some\n"),
        Secret(type + kRow + "        minIsvSvn: \"03\"\n"),
        Secret(type + kRow + "        prodID: \"70000\"\n"),
        Secret(type + kRow + "        prodID: -1\n"),
        Secret(type + "    policy:\n      enclaveMatchAnyRules:\n      - mrenclave: abcd\n"),
        Secret(type +
               "    policy:\n      type: POLICY_TYPE_OPEN\n      enclaveMatchAnyRules:\n      - "
               "mrenclave: " +
               Repeated("6d", 32) + "\n"),
        std::string("kind: Policy\nsecrets: []\n"),
        std::string("kind: SecretPolicy\nsecrets: []\n"), std::string("kind: SecretPolicy\n"),
        std::string("["), std::string()}) {
    EXPECT_FALSE(Convert("aecs", text, "p.yaml", {}).ok()) << text;
  }
}

TEST(Aecs, NothingForNobody) {
  const auto none = Convert(
      "aecs", Secret("    type: SECRET_TYPE_AES256_KEY\n    policy: {enclaveMatchAnyRules: []}\n"),
      "p.yaml", {});
  ASSERT_TRUE(none.ok()) << none.error().Text();
  EXPECT_EQ(none->front().text, std::nullopt);
  const auto unbound = Convert("aecs",
                               Secret("    type: SECRET_TYPE_AES256_KEY\n    policy: {type: "
                                      "POLICY_TYPE_UNBOUND, enclaveMatchAnyRules: "
                                      "[{mrenclave: " +
                                      Repeated("6d", 32) + "}]}\n"),
                               "p.yaml", {});
  ASSERT_TRUE(unbound.ok()) << unbound.error().Text();
  EXPECT_EQ(unbound->front().text, std::nullopt);
}

TEST(Aecs, DataIsNotInTheResult) {
  const auto list = Convert("aecs", Example("aecs", "anybody.yaml"), "p.yaml", {});
  ASSERT_TRUE(list.ok());
  for (const Finding& finding : list->front().findings)
    EXPECT_THAT(finding.what + finding.where, testing::Not(HasSubstr("not-read")));
}

}  // namespace
}  // namespace keyclave::ctl::convert
