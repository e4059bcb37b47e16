// What tokens of attestation services say, for how long, and for which session.

#include <gtest/gtest.h>

#include "attest/appraise.h"
#include "tests/unit/attest/token_checks.h"

namespace keyclave::attest {
namespace {

using test::FakeToken;

std::string Text(const ClaimSet& claims, std::string_view name) {
  const Claim* claim = claims.Find(name);
  return claim == nullptr ? "absent" : ToText(claim->value);
}

TEST(Token, FamiliesSayTheSameThingsInTheirOwnWords) {
  const std::map<std::string, std::string> tees = {
      {"ita", "tdx"}, {"maa", "sgx"}, {"google", "tdx"}, {"trustee", "sev-snp"}};
  for (const auto& [family, tee] : tees) {
    const FakeToken service({.family = family, .audience = "keyclave"});
    const auto claims = CheckToken(service);
    ASSERT_TRUE(claims.ok()) << family << ": " << claims.error().Text();
    EXPECT_EQ(Text(*claims, "tee"), "token");
    EXPECT_EQ(Text(*claims, "token.family"), family);
    EXPECT_EQ(Text(*claims, "token.tee"), tee);
    EXPECT_EQ(Text(*claims, "measurement"), service.Measurement());
    EXPECT_EQ(Text(*claims, "debug"), "false") << family;
    EXPECT_EQ(Text(*claims, "token.issuer"), "https://attestation.test");
    EXPECT_EQ(Text(*claims, "token.audience"), "[keyclave]");
    EXPECT_EQ(Text(*claims, "token.expires"), FormatTime(kTokenNow + 300));
    EXPECT_EQ(Text(*claims, "token.expired"), "false");
    EXPECT_EQ(Text(*claims, "token.bound"), "true");
    const auto debug =
        CheckToken(service.Evidence(TokenReportData(), kTokenNow, true), service.OwnTrust());
    ASSERT_TRUE(debug.ok());
    EXPECT_EQ(Text(*debug, "debug"), "true") << family;
  }
}

TEST(Token, TimesHoldGiveOrTakeTheSkew) {
  const FakeToken service;
  const Bytes token = TokenOf(service);
  const auto at = [&](UnixTime now) {
    const auto claims = CheckToken(token, service.OwnTrust(), now);
    return claims.ok() ? std::nullopt : std::optional(claims.code());
  };
  EXPECT_EQ(at(kTokenNow - 60), std::nullopt);
  EXPECT_EQ(at(kTokenNow - 61), Code::kEvidenceTime);
  EXPECT_EQ(at(kTokenNow + 359), std::nullopt);
  EXPECT_EQ(at(kTokenNow + 360), Code::kEvidenceTime);
  TokenIssuer strict = service.Issuer();
  strict.skew = 0;
  EXPECT_TRUE(CheckToken(token, Believing(strict), kTokenNow + 299).ok());
  EXPECT_EQ(CheckToken(token, Believing(strict), kTokenNow + 300).code(), Code::kEvidenceTime);
}

TEST(Token, AnExpiredFileSaysSo) {
  const FakeToken service;
  const Bytes token = TokenOf(service);
  const auto late =
      CheckToken(token, service.OwnTrust(), kTokenNow + 100'000, ExpectedBinding::None());
  ASSERT_TRUE(late.ok()) << late.error().Text();
  EXPECT_EQ(Text(*late, "token.expired"), "true");
  // Not valid yet is another matter.
  EXPECT_EQ(CheckToken(token, service.OwnTrust(), kTokenNow - 100, ExpectedBinding::None()).code(),
            Code::kEvidenceTime);
}

TEST(Token, WithoutAnEndItIsGoodForMinutes) {
  const FakeToken service({.family = "trustee", .lifetime = 0});
  const Bytes token = TokenOf(service);
  EXPECT_TRUE(CheckToken(token, service.OwnTrust(), kTokenNow + 359).ok());
  EXPECT_EQ(CheckToken(token, service.OwnTrust(), kTokenNow + 360).code(), Code::kEvidenceTime);
  EXPECT_TRUE(
      CheckToken(token, service.OwnTrust(), kTokenNow + 100'000, ExpectedBinding::None()).ok());
  EXPECT_EQ(Refused({.lifetime = 0, .payload = R"({"iat":null})"}), Code::kEvidenceTime);
}

TEST(Token, TimesOfOtherTypesAndSizesAreRefused) {
  for (const char* name : {"exp", "nbf", "iat"}) {
    for (const char* value :
         {"\"1790000000\"", "-1", "1e300", "253402300800", "true", "[1]", "18446744073709551615"}) {
      EXPECT_EQ(Refused({.payload = "{\"" + std::string(name) + "\":" + value + "}"}),
                Code::kEvidenceMalformed)
          << name << " " << value;
    }
  }
}

// lesson 1, lesson 2 and lesson 43: the field of the hardware's report, not a word of the
// request's.
TEST(Token, ABindingIsWhereTheHardwareSignedIt) {
  const std::string other = "\"" + ToHex(Bytes(64, 0x43)) + "\"";
  const std::string ours = "\"" + ToHex(TokenReportData()) + "\"";
  EXPECT_EQ(Refused({.payload = "{\"tdx_report_data\":" + other + "}"}), Code::kEvidenceBinding);
  EXPECT_EQ(Refused({.payload = R"({"tdx_report_data":null})"}), Code::kEvidenceUnbound);
  EXPECT_EQ(Refused({.payload = R"({"tdx_report_data":"zz"})"}), Code::kEvidenceUnbound);
  EXPECT_EQ(Refused({.payload = R"({"tdx_report_data":null,"nonce":)" + ours + R"(,"eat_nonce":)" +
                                ours + "}"}),
            Code::kEvidenceUnbound);
  const std::string held = ToBase64(TokenReportData());
  EXPECT_EQ(Refused({.payload = "{\"tdx_report_data\":" + other + R"(,"attester_held_data":")" +
                                held + "\"}"}),
            std::nullopt);
  EXPECT_EQ(Refused({.family = "maa",
                     .payload = R"({"x-ms-sgx-report-data":)" + other + R"(,"x-ms-sgx-ehd":")" +
                                ToBase64Url(TokenReportData()) + "\"}"}),
            std::nullopt);
  // What an Azure instance's policy may add by itself.
  EXPECT_EQ(Refused({.family = "maa",
                     .payload = R"({"x-ms-sgx-report-data":)" + other + R"(,"tdx_report_data":)" +
                                ours + R"(,"nonce":)" + ours + "}"}),
            Code::kEvidenceBinding);
}

TEST(Token, WithoutABindingOnlyFromAnIssuerThatMay) {
  const FakeToken service({.payload = R"({"tdx_report_data":null})"});
  TokenIssuer issuer = service.Issuer();
  EXPECT_EQ(CheckToken(TokenOf(service), Believing(issuer), kTokenNow).code(),
            Code::kEvidenceUnbound);
  issuer.unbound = true;
  const auto claims = CheckToken(TokenOf(service), Believing(issuer), kTokenNow);
  ASSERT_TRUE(claims.ok()) << claims.error().Text();
  EXPECT_EQ(Text(*claims, "token.bound"), "false");
  const auto wants = [&](const std::string& text) {
    const auto parsed = ParseYaml(text, "expect");
    return FailedBinding(*claims, Expression::Parse(*parsed).value());
  };
  EXPECT_EQ(wants("{tee: {is: token}}")->term, "token.bound");
  EXPECT_EQ(wants("{tee: {is: token}, token.bound: {is: true}}")->term, "token.bound");
  EXPECT_FALSE(wants("{tee: {is: token}, token.bound: {is: false}}").has_value());
  EXPECT_FALSE(wants("{tee: {is: token}, not: {token.bound: {is: true}}}").has_value());
  const auto bound = CheckToken(FakeToken());
  ASSERT_TRUE(bound.ok());
  EXPECT_FALSE(
      FailedBinding(*bound, Expression::Parse(*ParseYaml("{tee: {is: token}}", "e")).value())
          .has_value());
}

TEST(Token, NoncesAreATextOrAList) {
  const std::string hex = ToHex(Bytes(32, 0x42));
  const auto with = [](const char* family, const std::string& nonce) {
    return Refused({.family = family, .payload = "{\"eat_nonce\":" + nonce + "}"});
  };
  for (const char* family : {"google", "trustee"}) {
    EXPECT_EQ(with(family, "\"" + hex + "\""), std::nullopt);
    EXPECT_EQ(with(family, "[\"x\",\"" + hex + "\"]"), std::nullopt);
    EXPECT_EQ(with(family, "\"" + ToBase64Url(Bytes(48, 0x42)) + "\""), std::nullopt);
    EXPECT_EQ(with(family, "\"" + hex.substr(2) + "\""), Code::kEvidenceBinding);
    EXPECT_EQ(with(family, "[\"a\",\"b\"]"), Code::kEvidenceBinding);
    EXPECT_EQ(with(family, "[]"), Code::kEvidenceUnbound);
    EXPECT_EQ(with(family, "[7]"), Code::kEvidenceUnbound);
    EXPECT_EQ(with(family, "null"), Code::kEvidenceUnbound);
  }
  const FakeToken plain({.family = "google", .payload = R"({"eat_nonce":"some-nonce"})"});
  EXPECT_TRUE(CheckToken(TokenOf(plain), plain.OwnTrust(), kTokenNow,
                         ExpectedBinding::Nonce(ToBytes("some-nonce")))
                  .ok());
  EXPECT_EQ(CheckToken(TokenOf(plain), plain.OwnTrust(), kTokenNow,
                       ExpectedBinding::Nonce(ToBytes("another")))
                .code(),
            Code::kEvidenceBinding);
}

TEST(Token, AVirtualTpmsHardwareIsBoundByItsQuote) {
  const std::string isolation =
      R"("x-ms-attestation-type":"azurevm","x-ms-sgx-report-data":null,"x-ms-isolation-tee":{)"
      R"("x-ms-attestation-type":"sevsnpvm","x-ms-compliance-status":"azure-compliant-cvm",)"
      R"("x-ms-sevsnpvm-launchmeasurement":")" +
      std::string(96, '5') + R"(","x-ms-sevsnpvm-is-debuggable":false,)" +
      R"("x-ms-sevsnpvm-reportdata":")" + ToHex(TokenReportData()) + "\"}";
  EXPECT_EQ(Refused({.family = "maa", .payload = "{" + isolation + "}"}), Code::kEvidenceUnbound);
  const FakeToken service({.family = "maa",
                           .payload = "{" + isolation +
                                      R"(,"x-ms-runtime":{"client-payload":{"nonce":")" +
                                      ToBase64(TokenReportData()) + "\"}}}"});
  const auto claims = CheckToken(service);
  ASSERT_TRUE(claims.ok()) << claims.error().Text();
  EXPECT_EQ(Text(*claims, "token.tee"), "sev-snp");
  EXPECT_EQ(Text(*claims, "measurement"), std::string(96, '5'));
  EXPECT_EQ(Text(*claims, "debug"), "false");
  EXPECT_EQ(Text(*claims, "token.compliance_status"), "azure-compliant-cvm");
}

// lesson 6: what a tenant had the service put into a token is his own word.
TEST(Token, OnlyTheServicesOwnClaimsCount) {
  const FakeToken maa({.family = "maa", .payload = R"({"x-ms-sgx-is-debuggable":null,
      "x-ms-sgx-mrenclave":null,"debug":false,"measurement":"00","svn":9})"});
  const auto claims = CheckToken(maa);
  ASSERT_TRUE(claims.ok()) << claims.error().Text();
  EXPECT_EQ(Text(*claims, "debug"), "absent");
  EXPECT_EQ(Text(*claims, "measurement"), "absent");
  EXPECT_EQ(Text(*claims, "svn"), "3");
  // It stays Azure's, whatever else its policy writes.
  const FakeToken dressed({.family = "maa", .payload = R"({"attester_type":"TDX",
      "eat_profile":"https://portal.trustauthority.intel.com/eat_profile","swname":
      "CONFIDENTIAL_SPACE","hwmodel":"GCP_INTEL_TDX"})"});
  EXPECT_EQ(Text(*CheckToken(dressed), "token.family"), "maa");
}

TEST(Token, EveryTcbStatusHasItsName) {
  const std::map<std::string, std::string> statuses = {
      {"UpToDate", "up-to-date"},
      {"SWHardeningNeeded", "sw-hardening-needed"},
      {"ConfigurationNeeded", "configuration-needed"},
      {"ConfigurationAndSWHardeningNeeded", "configuration-and-sw-hardening-needed"},
      {"OutOfDate", "out-of-date"},
      {"OutOfDateConfigurationNeeded", "out-of-date-configuration-needed"}};
  const auto payload = [](const std::string& status) {
    return "{\"attester_tcb_status\":\"" + status + "\"}";
  };
  for (const auto& [status, name] : statuses) {
    const FakeToken service({.payload = payload(status)});
    EXPECT_EQ(Text(*CheckToken(service), "tcb_status"), name);
  }
  for (const char* status : {"Revoked", "revoked", "uptodate", ""})
    EXPECT_EQ(Refused({.payload = payload(status)}), Code::kEvidenceTcb) << status;
  EXPECT_EQ(Refused({.payload = R"({"attester_tcb_status":7})"}), Code::kEvidenceTcb);
  const FakeToken silent({.payload = R"({"attester_tcb_status":null})"});
  EXPECT_EQ(Text(*CheckToken(silent), "tcb_status"), "absent");
}

// lesson 11: the verifier's verdict is read, and a bad one is no claim to be overlooked.
TEST(Token, AnAppraisalsVerdictCounts) {
  const auto status = [](const std::string& value) {
    const FakeToken service(
        {.family = "trustee", .payload = R"({"submods":{"cpu0":{"ear.status":)" + value + "}}}"});
    const auto claims = CheckToken(service);
    return claims.ok() ? Text(*claims, "tcb_status") : std::string(CodeName(claims.code()));
  };
  EXPECT_EQ(status("\"affirming\""), "up-to-date");
  EXPECT_EQ(status("2"), "up-to-date");
  EXPECT_EQ(status("\"warning\""), "out-of-date");
  EXPECT_EQ(status("32"), "out-of-date");
  EXPECT_EQ(status("\"none\""), "absent");
  EXPECT_EQ(status("\"contraindicated\""), "EvidenceTcb");
  EXPECT_EQ(status("96"), "EvidenceTcb");
  EXPECT_EQ(status("\"fine\""), "EvidenceMalformed");
  EXPECT_EQ(status("3"), "EvidenceMalformed");
  EXPECT_EQ(status("null"), "EvidenceMalformed");
  // Of several submodules the worst.
  const std::string gpu = R"({"submods":{"gpu0":{"ear.status":)";
  EXPECT_EQ(Refused({.family = "trustee", .payload = gpu + "\"contraindicated\"}}}"}),
            Code::kEvidenceTcb);
  const FakeToken two({.family = "trustee", .payload = gpu + "\"warning\"}}}"});
  EXPECT_EQ(Text(*CheckToken(two), "tcb_status"), "out-of-date");
  EXPECT_EQ(Text(*CheckToken(two), "measurement"), two.Measurement());
}

TEST(Token, WhatAFamilyMustSayIsThere) {
  const auto without = [](const char* family, const std::string& payload) {
    return Refused({.family = family, .payload = payload});
  };
  for (const char* member : {"eat_profile", "iat", "submods"})
    EXPECT_EQ(without("trustee", "{\"" + std::string(member) + "\":null}"),
              Code::kEvidenceMalformed)
        << member;
  EXPECT_EQ(without("trustee", R"({"submods":{"cpu0":null}})"), Code::kEvidenceMalformed);
  EXPECT_EQ(without("trustee", R"({"eat_profile":"tag:other"})"), Code::kEvidenceMalformed);
  EXPECT_EQ(without("ita", R"({"attester_type":null})"), Code::kEvidenceMalformed);
  EXPECT_EQ(without("ita", R"({"attester_type":"GPU"})"), Code::kEvidenceMalformed);
  EXPECT_EQ(without("maa", R"({"x-ms-attestation-type":"tpm"})"), Code::kEvidenceMalformed);
  EXPECT_EQ(without("maa", R"({"x-ms-attestation-type":null})"), Code::kEvidenceMalformed);
  EXPECT_EQ(without("google", R"({"dbgstat":null})"), Code::kEvidenceMalformed);
  EXPECT_EQ(without("google", R"({"submods":null})"), Code::kEvidenceMalformed);
  EXPECT_EQ(without("google", R"({"hwmodel":"GCP_SHIELDED_VM"})"), Code::kEvidenceMalformed);
  EXPECT_EQ(without("google", R"({"swname":"GCE"})"), Code::kEvidenceMalformed);
}

TEST(Token, DescribeShowsEveryClaim) {
  const FakeToken service({.family = "google"});
  const auto parsed = ParseEvidence("token", TokenOf(service));
  ASSERT_TRUE(parsed.ok());
  std::map<std::string, std::string> fields;
  for (const Field& field : parsed->type().describe(parsed->parsed()))
    fields[field.name] = field.value;
  EXPECT_EQ(fields["header.alg"], "ES256");
  EXPECT_EQ(fields["payload.submods.gce.zone"], "nowhere");
  EXPECT_EQ(fields["payload.swversion.0"], "251001");
  EXPECT_EQ(fields["payload.secboot"], "true");
  EXPECT_TRUE(parsed->type().recognises(TokenOf(service)));
  EXPECT_FALSE(parsed->type().recognises(ToBytes("eyes.and.ears")));
}

}  // namespace
}  // namespace keyclave::attest
