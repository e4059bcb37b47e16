#include "tests/unit/convert/convert_checks.h"

namespace keyclave::ctl::convert {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kIssuer = "https://as.example";
const std::string kHead = "package policy\ndefault allow = false\n";

Options ForResource(const std::string& resource) {
  Options options;
  options.resource = resource;
  options.issuer = kIssuer;
  return options;
}

// A token about one machine: its evidence and its status.
ClaimSet Machine(const std::string& evidence, const std::string& status = "affirming") {
  return TokenClaims(kIssuer,
                     R"({"eat_profile": "tag:github.com,2024:confidential-containers/Trustee",
                         "iat": 1790000000, "submods": {"cpu0": {"ear.status": ")" +
                         status + R"(", "ear.veraison.annotated-evidence": )" + evidence + "}}}");
}
std::string Snp(const std::string& measurement) {
  return R"({"snp": {"policy_debug_allowed": "0", "measurement": ")" + measurement + "\"}}";
}
std::string Td(const std::string& mrtd) {
  return R"({"tdx": {"quote": {"body": {"mr_td": ")" + mrtd +
         R"("}}, "td_attributes": {"debug": false}}})";
}

Converted OfText(const std::string& text, const Options& options = ForResource("night/keys/one")) {
  auto list = Convert("trustee", text, "policy.rego", options);
  EXPECT_TRUE(list.ok()) << list.error().Text() << "\n" << text;
  return list.ok() ? list->front() : Converted{.name = {}, .text = {}, .findings = {}};
}

TEST(Trustee, MeasuredMachineForItsResource) {
  const Converted night = Only("trustee", "measured.rego", ForResource("night/keys/two"));
  EXPECT_EQ(night.name, "night-keys-two");
  const ClaimSet snp = Machine(Snp(Repeated("3a", 48)));
  EXPECT_TRUE(Allows(night, snp, Operation::kRelease));
  EXPECT_TRUE(Allows(night, snp, Operation::kRead));
  EXPECT_FALSE(Allows(night, snp, Operation::kSign));
  EXPECT_FALSE(Allows(night, Machine(Snp(Repeated("3b", 48))), Operation::kRelease));
  EXPECT_FALSE(Allows(night, Machine(Snp(Repeated("3a", 48)), "warning"), Operation::kRelease));
  EXPECT_FALSE(
      Allows(night, With(snp, "token.issuer", "https://else.example"), Operation::kRelease));
  const ClaimSet td = Machine(Td(Repeated("4b", 48)), "warning");
  EXPECT_FALSE(Allows(night, td, Operation::kRelease));
  const Converted day = Only("trustee", "measured.rego", ForResource("day/keys/one"));
  EXPECT_TRUE(Allows(day, td, Operation::kRelease));
  EXPECT_FALSE(Allows(day, snp, Operation::kRelease));
  EXPECT_EQ(Only("trustee", "measured.rego", ForResource("noon/keys/one")).text, std::nullopt);
}

// For callers of `keyclave kbs`: what the TEE itself says, and release in JWE.
TEST(Trustee, RawEvidenceIsThatOfTheTee) {
  Options options;
  options.resource = "day/keys/one";
  options.raw_evidence = true;
  const Converted day = Only("trustee", "measured.rego", options);
  ASSERT_TRUE(day.text.has_value());
  EXPECT_THAT(*day.text, HasSubstr("    wrap: [jwe]\n"));
  ClaimSet td;
  td.Set("tee", std::string("tdx"), attest::Origin::kAttested);
  td.Set("measurement", Repeated("4b", 48), attest::Origin::kAttested);
  td.Set("debug", false, attest::Origin::kAttested);
  td.Set("tcb_status", std::string("up-to-date"), attest::Origin::kAttested);
  EXPECT_TRUE(Allows(day, td, Operation::kRelease));
  EXPECT_FALSE(Allows(day, td, Operation::kRead));
  EXPECT_FALSE(Allows(day, With(td, "tee", "sev-snp"), Operation::kRelease));
  EXPECT_FALSE(Allows(day, With(td, "debug", true), Operation::kRelease));
  EXPECT_FALSE(Allows(day, Machine(Td(Repeated("4b", 48))), Operation::kRelease)) << "a token";
  // Nobody has appraised such evidence.
  options.resource = "night/keys/one";
  const Converted night = Only("trustee", "measured.rego", options);
  EXPECT_EQ(night.text, std::nullopt);
  EXPECT_THAT(Places(night, Finding::Kind::kLeftOut), testing::Contains("measured.rego:15"));
  options.issuer = kIssuer;
  EXPECT_FALSE(Convert("trustee", kHead, "p.rego", options).ok());
  Options alone;
  alone.raw_evidence = true;
  EXPECT_FALSE(Convert("aecs", "", "p", alone).ok());
}

TEST(Trustee, WithoutResourceNothingIsAssumed) {
  EXPECT_EQ(Only("trustee", "measured.rego").text, std::nullopt);
}

TEST(Trustee, AffirmedOnlyWhenSaid) {
  EXPECT_EQ(Only("trustee", "affirmed.rego", ForResource("a/b/c")).text, std::nullopt);
  Options options = ForResource("a/b/c");
  options.allow_unattested = true;
  const Converted policy = Only("trustee", "affirmed.rego", options);
  EXPECT_TRUE(Allows(policy, Machine(Snp(Repeated("01", 48)), "warning"), Operation::kRelease));
  EXPECT_FALSE(Allows(policy, Machine(R"({"sample": {"svn": "1"}})"), Operation::kRelease));
  EXPECT_FALSE(
      Allows(policy, With(Machine(Snp(Repeated("01", 48))), "debug", true), Operation::kRelease));
}

TEST(Trustee, RulesThatCannotBeCarriedAreLeftOut) {
  const Converted policy = Only("trustee", "half_carried.rego", ForResource("a/b/c"));
  EXPECT_THAT(Places(policy, Finding::Kind::kLeftOut),
              ElementsAre("half_carried.rego:7", "half_carried.rego:5"));
  EXPECT_FALSE(Allows(policy, Machine(Snp(Repeated("3a", 48))), Operation::kRelease));
  const ClaimSet enclave = Machine(R"({"sgx": {"body": {"mr_enclave": ")" + Repeated("6d", 32) +
                                   R"(", "attributes": {"flags": "0500000000000000"}}}})");
  EXPECT_TRUE(Allows(policy, enclave, Operation::kRelease));
  EXPECT_FALSE(
      Allows(policy, With(enclave, "measurement", Repeated("6e", 32)), Operation::kRelease));
}

// token.ear_status is the worst of all submodules': it proves cpu0's only where it is the best.
TEST(Trustee, TheWorstStatusIsNotTheMachinesOwn) {
  const std::string measured =
      "  input.submods.cpu0[\"ear.veraison.annotated-evidence\"].snp.measurement == \"" +
      Repeated("3a", 48) + "\"\n";
  const auto rule = [&](const std::string& status) {
    return OfText(kHead + "allow if {\n" + measured + "  " + status + "\n}\n");
  };
  for (const char* status : {"input.submods.cpu0[\"ear.status\"] == \"warning\"",
                             "input.submods.cpu0[\"ear.status\"] == \"none\"",
                             "input.submods.cpu0[\"ear.status\"] != \"affirming\"",
                             "input.submods.gpu0[\"ear.status\"] == \"affirming\"",
                             "not input.submods.cpu0[\"ear.status\"] == \"affirming\"",
                             "input.submods.cpu0[\"ear.status\"] == 2"}) {
    EXPECT_EQ(rule(status).text, std::nullopt) << status;
  }
  const Converted policy = rule("input.submods.cpu0[\"ear.status\"] != \"warning\"");
  EXPECT_TRUE(Allows(policy, Machine(Snp(Repeated("3a", 48))), Operation::kRelease));
  EXPECT_FALSE(Allows(policy, Machine(Snp(Repeated("3a", 48)), "warning"), Operation::kRelease));
}

TEST(Trustee, NewerInput) {
  const Converted policy =
      OfText(kHead +
             "allow if {\n  input.trust_context.attestation_summary.verification_result == true\n"
             "  input.trust_context.attestation_summary.issuer == \"https://as.example\"\n"
             "  input.trust_context.attestation_summary.claims.submods.cpu0[\"ear.veraison."
             "annotated-evidence\"].snp.measurement == \"" +
             Repeated("3a", 48) + "\"\n}\n");
  EXPECT_TRUE(Allows(policy, Machine(Snp(Repeated("3a", 48))), Operation::kRelease));
  EXPECT_FALSE(Allows(policy, Machine(Snp(Repeated("3a", 48)), "warning"), Operation::kRelease));
  EXPECT_THAT(Places(policy, Finding::Kind::kLeftOut), IsEmpty());
}

TEST(Trustee, SegmentsOfTheResource) {
  const std::string rule =
      "  input.submods.cpu0[\"ear.veraison.annotated-evidence\"].snp.measurement == \"" +
      Repeated("3a", 48) + "\"\n}\n";
  const auto allowed = [&](const std::string& condition) {
    return OfText(kHead + "allow if {\n  " + condition + "\n" + rule).text.has_value();
  };
  EXPECT_TRUE(allowed("data[\"resource-path\"][0] == \"night\""));
  EXPECT_TRUE(allowed("data[\"resource-path\"][2] != \"two\""));
  EXPECT_FALSE(allowed("data[\"resource-path\"][2] == \"two\""));
  EXPECT_FALSE(allowed("data[\"resource-path\"][7] == \"one\""));
  EXPECT_FALSE(allowed("data[\"resource-path\"] == \"night/keys/one/more\""));
  EXPECT_FALSE(allowed("data.plugin != \"resource\""));
  EXPECT_FALSE(allowed("data.query.a == \"b\""));
  EXPECT_TRUE(allowed("not data.plugin == \"nebula-ca\""));
}

TEST(Trustee, RefusesOtherStatementsWithTheirLine) {
  const std::string rule = kHead + "allow if {\n";
  const struct {
    std::string text;
    int line;
  } cases[] = {{Example("trustee", "bad_function.rego"), 6},
               {Example("trustee", "bad_default.rego"), 2},
               {kHead + "allow\n", 3},
               {kHead + "allow := false\n", 3},
               {kHead + "allow if { }\n", 3},
               {kHead + "deny if {\n  data.plugin == \"resource\"\n}\n", 3},
               {rule + "  some i\n}\n", 4},
               {rule + "  x := input.a\n}\n", 4},
               {rule + "  count(input.submods) > 0\n}\n", 4},
               {rule + "  input.a == \"b\" with input as {}\n}\n", 4},
               {rule + "  input.a[_] == \"b\"\n}\n", 4},
               {rule + "  input.a == `b`\n}\n", 4},
               {rule + "  input.a == \"\\u0062\"\n}\n", 4},
               {rule + "  data.plugin == \"resource\"\n} else = true\n", 5},
               {rule + "  data.plugin == \"resource\"\n} {\n  true\n}\n", 5},
               {rule + "  data.plugin == \"resource\"\n", 5},
               {kHead + "import data.lib\n", 3},
               {kHead + "input = data.plugin\n", 3},
               {kHead + "p = data.plugin\np = data.query\n", 4},
               {"package kbs\n", 1},
               {kHead + "\xff\n", 3}};
  for (const auto& one : cases) {
    const auto converted = Convert("trustee", one.text, "p.rego", ForResource("a/b/c"));
    ASSERT_FALSE(converted.ok()) << one.text;
    EXPECT_EQ(converted.code(), Code::kUnsupported) << one.text;
    EXPECT_THAT(converted.error().Text(), HasSubstr("p.rego:" + std::to_string(one.line) + ":"))
        << one.text;
  }
  EXPECT_FALSE(Convert("trustee", "package policy\n", "p.rego", {}).ok());
  EXPECT_FALSE(Convert("trustee", "", "p.rego", {}).ok());
}

}  // namespace
}  // namespace keyclave::ctl::convert
