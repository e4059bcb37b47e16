#include "tests/unit/convert/convert_checks.h"

namespace keyclave::ctl::convert {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kHarbour = "https://harbour.weu.attest.azure.net";

std::string Machine(const std::string& measurement, const std::string& more = "") {
  return R"({"x-ms-attestation-type": "sevsnpvm", "x-ms-sevsnpvm-is-debuggable": false,
             "x-ms-sevsnpvm-hostdata": ")" +
         Repeated("5c", 32) + R"(", "x-ms-sevsnpvm-launchmeasurement": ")" + measurement + "\"" +
         more + "}";
}

Converted OfText(const std::string& text, const Options& options = {}) {
  auto list = Convert("azure-skr", text, "policy.json", options);
  EXPECT_TRUE(list.ok()) << list.error().Text();
  return list.ok() ? list->front() : Converted{.name = {}, .text = {}, .findings = {}};
}

TEST(AzureSkr, MeasuredMachineMayAndOthersMayNot) {
  const Converted policy = Only("azure-skr", "measured_vm.json");
  const ClaimSet good = TokenClaims(kHarbour, Machine(Repeated("3a", 48)));
  EXPECT_TRUE(Allows(policy, good, Operation::kRelease));
  EXPECT_FALSE(Allows(policy, good, Operation::kSign));
  EXPECT_FALSE(
      Allows(policy, TokenClaims("https://other.weu.attest.azure.net", Machine(Repeated("3a", 48))),
             Operation::kRelease));
  EXPECT_FALSE(Allows(policy, With(good, "debug", true), Operation::kRelease));
  EXPECT_FALSE(Allows(policy, With(good, "token.bound", false), Operation::kRelease));
  EXPECT_FALSE(Allows(policy, With(good, "host_data", Repeated("5d", 32)), Operation::kRelease));
  EXPECT_FALSE(
      Allows(policy, TokenClaims(kHarbour, Machine(Repeated("3b", 48))), Operation::kRelease));
  EXPECT_THAT(Places(policy, Finding::Kind::kLeftOut), IsEmpty());
}

TEST(AzureSkr, NestedAlternativesStayTogether) {
  const Converted policy = Only("azure-skr", "measured_vm.json");
  const std::string second = Repeated("4b", 48);
  EXPECT_FALSE(Allows(policy, TokenClaims(kHarbour, Machine(second)), Operation::kRelease));
  EXPECT_FALSE(Allows(policy,
                      TokenClaims(kHarbour, Machine(second, R"(, "x-ms-sevsnpvm-guestsvn": 3)")),
                      Operation::kRelease));
  EXPECT_TRUE(Allows(policy,
                     TokenClaims(kHarbour, Machine(second, R"(, "x-ms-sevsnpvm-guestsvn": 4)")),
                     Operation::kRelease));
}

TEST(AzureSkr, ImmutableIsLocked) {
  const Converted policy = Only("azure-skr", "envelope.json");
  ASSERT_TRUE(policy.text.has_value());
  const auto parsed = authz::Policy::Parse(*policy.text, "converted");
  ASSERT_TRUE(parsed.ok()) << parsed.error().Text();
  EXPECT_TRUE(parsed->locked());
  EXPECT_TRUE(
      Allows(policy, TokenClaims(kHarbour, Machine(Repeated("3a", 48))), Operation::kRelease));
  EXPECT_FALSE(authz::Policy::Parse(*Only("azure-skr", "measured_vm.json").text, "p")->locked());
}

// The service says the same of a machine with a vTPM, one level below: another claim there.
TEST(AzureSkr, ClaimsOfAnotherLevelAreOtherClaims) {
  const std::string guest = R"({"x-ms-attestation-type": "azurevm", "x-ms-isolation-tee": )" +
                            Machine(Repeated("3a", 48)) + "}";
  EXPECT_FALSE(Allows(Only("azure-skr", "measured_vm.json"), TokenClaims(kHarbour, guest),
                      Operation::kRelease));
}

TEST(AzureSkr, WithoutMeasurementOnlyWhenSaid) {
  const Converted refused = Only("azure-skr", "guest_with_vtpm.json");
  EXPECT_EQ(refused.text, std::nullopt);
  EXPECT_THAT(Places(refused, Finding::Kind::kLeftOut), ElementsAre("anyOf[0]"));
  Options options;
  options.allow_unattested = true;
  const Converted policy = Only("azure-skr", "guest_with_vtpm.json", options);
  const auto guest = [](const std::string& status, const std::string& debug) {
    return TokenClaims("https://quay.neu.attest.azure.net",
                       R"({"x-ms-attestation-type": "azurevm", "x-ms-isolation-tee": {
            "x-ms-attestation-type": "sevsnpvm", "x-ms-compliance-status": ")" +
                           status + R"(", "x-ms-sevsnpvm-is-debuggable": )" + debug + "}}");
  };
  EXPECT_TRUE(Allows(policy, guest("azure-compliant-cvm", "false"), Operation::kRelease));
  EXPECT_FALSE(Allows(policy, guest("not-compliant", "false"), Operation::kRelease));
  EXPECT_FALSE(Allows(policy, guest("azure-compliant-cvm", "true"), Operation::kRelease));
  ClaimSet nothing;
  EXPECT_FALSE(Allows(policy, nothing, Operation::kRelease));
}

TEST(AzureSkr, EnclaveAtLeastThisNewAndNeverInDebugMode) {
  const Converted policy = Only("azure-skr", "enclave.json");
  const auto enclave = [](int svn, const std::string& debug) {
    return TokenClaims("https://pier.eus.attest.azure.net",
                       R"({"x-ms-attestation-type": "sgx", "x-ms-sgx-mrsigner": ")" +
                           Repeated("7e", 32) + R"(", "x-ms-sgx-product-id": 7, "x-ms-sgx-svn": )" +
                           std::to_string(svn) + R"(, "x-ms-sgx-is-debuggable": )" + debug + "}");
  };
  EXPECT_FALSE(Allows(policy, enclave(2, "false"), Operation::kRelease));
  EXPECT_TRUE(Allows(policy, enclave(3, "false"), Operation::kRelease));
  EXPECT_TRUE(Allows(policy, enclave(9, "false"), Operation::kRelease));
  EXPECT_FALSE(Allows(policy, enclave(3, "true"), Operation::kRelease));
  EXPECT_THAT(Places(policy, Finding::Kind::kLeftOut), ElementsAre("anyOf[1]"));
}

TEST(AzureSkr, WhatCannotBeCarriedIsLeftOutWithWhatNeedsIt) {
  const Converted policy = Only("azure-skr", "half_carried.json");
  EXPECT_THAT(Places(policy, Finding::Kind::kLeftOut),
              ElementsAre("anyOf[0].allOf[1]", "anyOf[1].allOf[1].anyOf[0]", "anyOf[0]"));
  const std::string dock = "https://dock.sea.attest.azure.net";
  // The first authority's own measurement is not enough: its other condition is unknown here.
  EXPECT_FALSE(Allows(policy, TokenClaims(dock, Machine(Repeated("3a", 48))), Operation::kRelease));
  const auto td = [&](const std::string& rtmr1) {
    return TokenClaims(dock, R"({"x-ms-attestation-type": "tdxvm", "tdx_td_attributes_debug": false,
        "tdx_mrtd": ")" + Repeated("4b", 48) +
                                 R"(", "tdx_rtmr1": ")" + rtmr1 + "\"}");
  };
  EXPECT_TRUE(Allows(policy, td(Repeated("3a", 48)), Operation::kRelease));
  EXPECT_FALSE(Allows(policy, td(Repeated("aa", 48)), Operation::kRelease));
}

TEST(AzureSkr, OtherOperationsInPlaceOfRelease) {
  Options options;
  options.operations = {"sign", "decrypt"};
  options.name = "quay";
  const Converted policy = Only("azure-skr", "key_show.json", options);
  EXPECT_EQ(policy.name, "quay");
  const ClaimSet enclave = TokenClaims(
      "https://pier.eus.attest.azure.net",
      R"({"x-ms-attestation-type": "sgx", "x-ms-sgx-mrsigner": ")" + Repeated("7e", 32) +
          R"(", "x-ms-sgx-product-id": 7, "x-ms-sgx-svn": 3,
                                               "x-ms-sgx-is-debuggable": false})");
  EXPECT_TRUE(Allows(policy, enclave, Operation::kSign));
  EXPECT_FALSE(Allows(policy, enclave, Operation::kRelease));
  options.operations = {"manage"};
  EXPECT_EQ(Convert("azure-skr", "{}", "p.json", options).code(), Code::kInvalidArgument);
}

TEST(AzureSkr, OlderNamesAreTheInstancesWordNotTheServices) {
  const Converted policy =
      OfText(R"({"version": "1.0.0", "anyOf": [{"authority": "https://a.example",
      "allOf": [{"claim": "sgx-mrenclave", "equals": ")" +
             Repeated("6d", 32) + "\"}]}]}");
  EXPECT_EQ(policy.text, std::nullopt);
  EXPECT_THAT(Places(policy, Finding::Kind::kLeftOut), Contains("anyOf[0].allOf[0]"));
}

TEST(AzureSkr, ValuesThatTheClaimCannotHave) {
  for (const char* value : {"\"no hexadecimal\"", "\"\"", "5", "true", "\"abc\""}) {
    const Converted policy = OfText(
        R"({"version": "1.0.0", "anyOf": [{"authority": "https://a.example", "allOf": [
            {"claim": "x-ms-sgx-mrenclave", "equals": )" +
        std::string(value) + "}]}]}");
    EXPECT_EQ(policy.text, std::nullopt) << value;
  }
}

TEST(AzureSkr, LineBreaksAreRefused) {
  const auto broken =
      Convert("azure-skr",
              R"({"version": "1.0.0", "anyOf": [{"authority": "https://a.example\n  - x: y",
                  "allOf": [{"claim": "x-ms-sgx-svn", "equals": 1}]}]})",
              "p.json", {});
  EXPECT_EQ(broken.code(), Code::kMalformed);
}

TEST(AzureSkr, QuotationMarksAreKept) {
  const std::string issuer = "https://a.example\"}, tee: {is: simulated";
  const Converted policy = OfText(
      R"({"version": "1.0.0", "anyOf": [{"authority": "https://a.example\"}, tee: {is: simulated",
          "allOf": [{"claim": "x-ms-sgx-mrenclave", "equals": ")" +
      Repeated("6d", 32) + "\"}]}]}");
  const ClaimSet claims =
      TokenClaims(issuer, R"({"x-ms-attestation-type": "sgx", "x-ms-sgx-is-debuggable": false,
                  "x-ms-sgx-mrenclave": ")" +
                              Repeated("6d", 32) + "\"}");
  EXPECT_TRUE(Allows(policy, claims, Operation::kRelease));
  EXPECT_FALSE(
      Allows(policy, With(claims, "token.issuer", "https://a.example"), Operation::kRelease));
}

TEST(AzureSkr, RefusesWhatTheGrammarDoesNotHave) {
  const std::string condition = R"({"claim": "x-ms-sgx-svn", "equals": 1})";
  const auto policy = [](const std::string& authority) {
    return R"({"version": "1.0.0", "anyOf": [)" + authority + "]}";
  };
  const std::string head = R"({"authority": "https://a.example", )";
  for (const std::string& text :
       {std::string(), std::string("{}"), std::string("[]"), std::string(R"({"version": "1.0.0"})"),
        R"({"version": "9", "anyOf": [)" + head + R"("allOf": [)" + condition + "]}]}", policy(""),
        policy("{}"), policy(head + R"("allOf": []})"), policy(head + R"("noneOf": []})"),
        policy(head + R"("allOf": [)" + condition + R"(], "anyOf": [)" + condition + "]}"),
        policy(head + R"("allOf": [{"claim": "a"}]})"),
        policy(head + R"("allOf": [{"claim": "a", "equals": {}}]})"),
        policy(head + R"("allOf": [{"claim": "a", "equals": null}]})"),
        policy(head + R"("allOf": [{"claim": "a", "equals": 1, "less": 2}]})"),
        policy(head + R"("allOf": [{"claim": "a", "equals": 1, "equals": 2}]})"),
        policy(head + R"("allOf": [)" + condition + R"(]}, {"x": 1)") + "}",
        std::string(R"({"data": "%%%"})"), std::string(R"({"data": "e30", "immutable": "yes"})")}) {
    const auto converted = Convert("azure-skr", text, "p.json", {});
    ASSERT_FALSE(converted.ok()) << text;
    EXPECT_EQ(converted.code(), Code::kMalformed) << text;
  }
  const auto two = Convert("azure-skr",
                           R"({"version": "1.0.0", "allOf": [)" + head + R"("allOf": [)" +
                               condition + "]}, " + head + R"("allOf": [)" + condition + "]}]}",
                           "p.json", {});
  ASSERT_FALSE(two.ok());
  EXPECT_THAT(two.error().Text(), HasSubstr("two authorities"));
}

}  // namespace
}  // namespace keyclave::ctl::convert
