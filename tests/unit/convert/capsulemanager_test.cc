#include "tests/unit/convert/convert_checks.h"

namespace keyclave::ctl::convert {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::string kEnclave = Repeated("6d", 32);

Options Known() {
  Options options;
  options.parties["MILL"] = {"tls.san", "mill.example"};
  return options;
}

ClaimSet Caller(const std::string& tee, const std::string& san = "mill.example") {
  ClaimSet claims;
  claims.Set("tee", tee);
  claims.Set("measurement", tee == "sgx" ? kEnclave : Repeated("03", 48));
  claims.Set("signer", Repeated("99", 32));
  claims.Set("debug", false);
  claims.Set("tls.san", std::vector<std::string>{san}, attest::Origin::kTransport);
  const char* registers[] = {"tdx.mrseam",     "tdx.mrsignerseam", "tdx.mrtd",
                             "tdx.mrconfigid", "tdx.mrowner",      "tdx.mrownerconfig"};
  for (size_t i = 0; i < 6 && tee == "tdx"; ++i)
    claims.Set(registers[i], Repeated("0" + std::to_string(i + 1), 48));
  return claims;
}

// A rule whose one constraint is this.
Converted WithConstraint(const std::string& constraint) {
  const nlohmann::json policy = {
      {"data_uuid", "d"},
      {"rules",
       {{{"rule_id", "r"},
         {"grantee_party_ids", {"MILL"}},
         {"columns", {"*"}},
         {"op_constraints", {{{"op_name", "*"}, {"constraints", {constraint}}}}},
         {"global_constraints", {"r.env.tee.sgx.mr_enclave == \"" + kEnclave + "\""}}}}}};
  auto list = Convert("capsulemanager", policy.dump(), "p.json", Known());
  EXPECT_TRUE(list.ok()) << list.error().Text();
  return list.ok() ? list->front() : Converted{.name = {}, .text = {}, .findings = {}};
}

bool Accepts(const std::string& constraint) {
  return Allows(WithConstraint(constraint), Caller("sgx"), Operation::kRelease);
}

TEST(CapsuleManager, MeasuredEnclaveOfAKnownParty) {
  const Converted policy = Only("capsulemanager", "training.json", Known());
  EXPECT_EQ(policy.name, "harvest-2031");
  EXPECT_TRUE(Allows(policy, Caller("sgx"), Operation::kRelease));
  EXPECT_FALSE(Allows(policy, Caller("sgx", "orchard.example"), Operation::kRelease));
  EXPECT_FALSE(
      Allows(policy, With(Caller("sgx"), "measurement", Repeated("6e", 32)), Operation::kRelease));
  EXPECT_FALSE(
      Allows(policy, With(Caller("sgx"), "signer", Repeated("7e", 32)), Operation::kRelease));
  EXPECT_FALSE(Allows(policy, With(Caller("sgx"), "debug", true), Operation::kRelease));
}

// Lesson 9: the party is what the request says of itself there. Without a certificate by which it
// is known here nobody is it.
TEST(CapsuleManager, PartiesAreNotBelieved) {
  const Converted policy = Only("capsulemanager", "training.json");
  EXPECT_EQ(policy.text, std::nullopt);
  EXPECT_FALSE(Allows(policy, Caller("sgx"), Operation::kRelease));
}

TEST(CapsuleManager, ColumnsOperationsAndAttributesAreLeftOut) {
  const Converted policy = Only("capsulemanager", "own_word.json", Known());
  EXPECT_EQ(policy.text, std::nullopt);
  EXPECT_THAT(Places(policy, Finding::Kind::kLeftOut),
              ElementsAre("rules[0].columns", "rules[1].op_constraints[0]",
                          "rules[2].op_constraints[0].constraints[0]", "rules[0].op_constraints[0]",
                          "rules[1].op_constraints[0]", "rules[2].op_constraints[0]"));
  Options options = Known();
  options.operation_names["OP_SQL"] = {"decrypt"};
  const Converted named = Only("capsulemanager", "own_word.json", options);
  EXPECT_TRUE(Allows(named, Caller("sgx"), Operation::kDecrypt));
  EXPECT_FALSE(Allows(named, Caller("sgx"), Operation::kRelease));
}

TEST(CapsuleManager, JoinedRegistersOfATd) {
  const std::string registers = Repeated("01", 48) + Repeated("02", 48) + Repeated("03", 48) +
                                Repeated("04", 48) + Repeated("05", 48) + Repeated("06", 48);
  nlohmann::json policy = nlohmann::json::parse(Example("capsulemanager", "training.json"));
  policy["rules"][0]["global_constraints"] = {"r.env.tee.tdx.mr_plat == \"" + registers + "\""};
  policy["rules"][0]["op_constraints"] = {
      {{"op_name", "*"}, {"constraints", nlohmann::json::array()}}};
  const auto list = Convert("capsulemanager", policy.dump(), "p.json", Known());
  ASSERT_TRUE(list.ok()) << list.error().Text();
  EXPECT_TRUE(Allows(list->front(), Caller("tdx"), Operation::kRelease));
  EXPECT_FALSE(Allows(list->front(), With(Caller("tdx"), "tdx.mrowner", Repeated("aa", 48)),
                      Operation::kRelease));
  EXPECT_FALSE(Allows(list->front(), Caller("sgx"), Operation::kRelease));
  EXPECT_EQ(WithConstraint("r.env.tee.tdx.mr_plat == \"" + Repeated("01", 48) + "\"").text,
            std::nullopt);
}

TEST(CapsuleManager, ExpressionsMeanWhatTheyMean) {
  const std::string signer = "r.env.tee.sgx.mr_signer == \"" + Repeated("99", 32) + "\"";
  const std::string other = "r.env.tee.sgx.mr_signer == \"" + Repeated("98", 32) + "\"";
  EXPECT_TRUE(Accepts(signer));
  EXPECT_FALSE(Accepts(other));
  EXPECT_TRUE(Accepts("\"" + Repeated("99", 32) + "\" == r.env.tee.sgx.mr_signer"));
  EXPECT_TRUE(Accepts("!(" + other + ")"));
  EXPECT_FALSE(Accepts("!(" + signer + ")"));
  EXPECT_FALSE(Accepts("r.env.tee.sgx.mr_signer != \"" + Repeated("99", 32) + "\""));
  EXPECT_TRUE(Accepts(other + " || " + signer));
  EXPECT_FALSE(Accepts(other + " && " + signer));
  // && binds closer than ||.
  EXPECT_TRUE(Accepts(signer + " || " + other + " && " + other));
  EXPECT_FALSE(Accepts("(" + signer + " || " + other + ") && " + other));
  EXPECT_TRUE(Accepts("!(" + other + " || " + other + ")"));
  EXPECT_FALSE(Accepts("!(" + other + " || " + signer + ")"));
  EXPECT_TRUE(Accepts("r.env.tee.platform == \"sgx\""));
  EXPECT_TRUE(Accepts("r.env.tee.platform != \"tdx\""));
  EXPECT_FALSE(Accepts("r.env.tee.platform == \"tdx\""));
  EXPECT_TRUE(Accepts("r.env.tee.platform != \"csv\""));
  EXPECT_TRUE(Accepts("r[\"env\"][\"tee\"].platform == \"sgx\""));
  EXPECT_TRUE(Accepts("true && 3 >= 2"));
  EXPECT_FALSE(Accepts("false"));
  EXPECT_FALSE(Accepts("!true"));
  EXPECT_FALSE(Accepts("2 >= 3"));
  EXPECT_TRUE(Accepts("  "));  // the enforcer passes over blank constraints
}

TEST(CapsuleManager, WhatIsNotReadLetsNobodyIn) {
  for (const char* constraint : {"r.env.request_time <= 5",
                                 "r.op == \"OP_PSI\"",
                                 "r.initiator_party_id == \"MILL\"",
                                 "r.env.tee.csv.mr_boot == \"00\"",
                                 "r.env.tee.platform == \"csv\"",
                                 "r.env.tee.platform == r.attrs.platform",
                                 "r.env.tee.platform",
                                 "r.attrs.flag",
                                 "!r.env.tee.platform == \"tdx\"",
                                 "r.env.tee.platform == \"sgx\" == true",
                                 "(r.env.tee.platform == \"sgx\") == true",
                                 "r.env.tee.platform.len() > 2",
                                 "\"sgx\" in r.env.tee.platform",
                                 "`sgx` == r.env.tee.platform",
                                 "if true { true }",
                                 "r.env.tee.platform == \"sgx\" /* x */",
                                 "r.env.tee.platform == \"sgx\";",
                                 "r.env.tee.platform == \"\\x73gx\"",
                                 "true ||",
                                 "(true",
                                 "true)",
                                 "\"",
                                 "1.5 >= 1",
                                 "99999999999999999999 >= 1",
                                 "r..env == \"x\"",
                                 "r[ == \"x\"",
                                 "\"1\" >= 0"}) {
    const Converted policy = WithConstraint(constraint);
    EXPECT_EQ(policy.text, std::nullopt) << constraint << "\n" << policy.text.value_or("");
    EXPECT_THAT(Places(policy, Finding::Kind::kLeftOut),
                testing::Contains("rules[0].op_constraints[0].constraints[0]"))
        << constraint;
  }
}

// Lesson 10: an empty list allows nothing.
TEST(CapsuleManager, EmptyListsAllowNothing) {
  for (const char* member : {"grantee_party_ids", "columns", "op_constraints"}) {
    nlohmann::json policy = nlohmann::json::parse(Example("capsulemanager", "training.json"));
    policy["rules"][0][member] = nlohmann::json::array();
    const auto list = Convert("capsulemanager", policy.dump(), "p.json", Known());
    ASSERT_TRUE(list.ok()) << list.error().Text();
    EXPECT_EQ(list->front().text, std::nullopt) << member;
    policy["rules"][0].erase(member);
    const auto absent = Convert("capsulemanager", policy.dump(), "p.json", Known());
    ASSERT_TRUE(absent.ok()) << absent.error().Text();
    EXPECT_EQ(absent->front().text, std::nullopt) << member;
  }
}

TEST(CapsuleManager, RefusesWhatIsNoPolicy) {
  for (const char* text :
       {"", "[]", "{}", R"({"data_uuid": "d"})", R"({"data_uuid": "", "rules": []})",
        R"({"data_uuid": "d", "rules": [{"rule": 1}]})", R"({"data_uuid": "d", "rules": [1]})",
        R"({"data_uuid": "d", "rules": [{"columns": "*"}]})",
        R"({"data_uuid": "d", "rules": [{"op_constraints": {}}]})",
        R"({"data_uuid": "d", "rules": [{"op_constraints": [{"constraints": []}]}]})",
        R"({"policy": {"data_uuid": "d", "rules": []}, "extra": 1})"}) {
    EXPECT_FALSE(Convert("capsulemanager", text, "p.json", Known()).ok()) << text;
  }
  Options options = Known();
  options.parties["MILL"] = {"measurement", "aa"};
  EXPECT_EQ(
      Convert("capsulemanager", Example("capsulemanager", "training.json"), "p", options).code(),
      Code::kInvalidArgument);
}

}  // namespace
}  // namespace keyclave::ctl::convert
