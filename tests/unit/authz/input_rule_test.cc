#include "enclave/authz/input_rule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace keyclave::authz {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Result<InputRule> Parse(const std::string& value) {
  KC_ASSIGN(const YamlValue root, ParseYaml("input: " + value + "\n", "p.yaml"));
  KC_ASSIGN(YamlMap map, root.AsMap());
  KC_ASSIGN(const YamlValue input, map.Require("input"));
  return ParseInputRule(input);
}

InputRule MustParse(const std::string& value) {
  auto rule = Parse(value);
  if (!rule.ok()) {
    ADD_FAILURE() << value << ": " << rule.error().Text();
    return {};
  }
  return *std::move(rule);
}

void ExpectRefused(const std::string& value, Code code, const std::string& part) {
  const auto rule = Parse(value);
  ASSERT_FALSE(rule.ok()) << value;
  EXPECT_EQ(CodeName(rule.code()), CodeName(code)) << rule.error().Text();
  EXPECT_THAT(rule.error().Text(), HasSubstr(part));
  EXPECT_THAT(rule.error().Text(), HasSubstr("p.yaml:1"));
}

TEST(InputRule, ReadsEachForm) {
  for (size_t i = 0; i < kInputFormCount; ++i) {
    const auto form = static_cast<InputForm>(i);
    const InputRule rule = MustParse(std::string(InputFormName(form)));
    EXPECT_THAT(rule.forms, ElementsAre(form));
    EXPECT_EQ(rule.x509.has_value(), form == InputForm::kX509Tbs);
  }
  EXPECT_THAT(MustParse("[tls-client, tls-server]").forms,
              ElementsAre(InputForm::kTlsClient, InputForm::kTlsServer));
}

TEST(InputRule, ReadsEveryConstraint) {
  const InputRule rule = MustParse(
      "[x509-csr, {x509-tbs: {dns: [www.example.com, .example.com, \"*.example.com\"], "
      "ip: [10.1.0.0/16, 192.0.2.7, \"2001:db8::/32\"], email: [example.com], "
      "uri: [.example.com], subject: [O=Example Inc, OU=*], usages: [server-auth, ocsp-signing], "
      "extensions: [1.2.3.4], "
      "ca: true, max_days: 90}}]");
  EXPECT_THAT(rule.forms, ElementsAre(InputForm::kX509Csr, InputForm::kX509Tbs));
  ASSERT_TRUE(rule.x509.has_value());
  const X509Constraints& x509 = *rule.x509;
  EXPECT_THAT(x509.dns, ElementsAre("www.example.com", ".example.com", "*.example.com"));
  ASSERT_EQ(x509.ip.size(), 3U);
  EXPECT_EQ(x509.ip[0], (IpRange{{10, 1, 0, 0}, 16}));
  EXPECT_EQ(x509.ip[1], (IpRange{{192, 0, 2, 7}, 32}));
  EXPECT_EQ(x509.ip[2].bits, 32U);
  EXPECT_EQ(x509.ip[2].network.size(), 16U);
  EXPECT_THAT(x509.email, ElementsAre("example.com"));
  EXPECT_THAT(x509.uri, ElementsAre(".example.com"));
  EXPECT_THAT(x509.subject, ElementsAre("O=Example Inc", "OU=*"));
  EXPECT_THAT(x509.usages,
              ElementsAre(CertificateUsage::kServerAuth, CertificateUsage::kOcspSigning));
  EXPECT_THAT(x509.extensions, ElementsAre("1.2.3.4"));
  EXPECT_TRUE(x509.ca);
  EXPECT_EQ(x509.max_days, 90U);
}

TEST(InputRule, WithoutConstraintsNoNameAndNoCaIsPermitted) {
  for (const char* const text : {"x509-tbs", "{x509-tbs: {max_days: 1}}"}) {
    const InputRule rule = MustParse(text);
    ASSERT_TRUE(rule.x509.has_value());
    EXPECT_TRUE(rule.x509->dns.empty() && rule.x509->ip.empty() && rule.x509->email.empty() &&
                rule.x509->uri.empty());
    EXPECT_FALSE(rule.x509->ca);
  }
}

TEST(InputRule, RefusesWhatItDoesNotKnow) {
  ExpectRefused("tls", Code::kConfigBadValue, "known: tls-server, tls-client");
  ExpectRefused("TLS-SERVER", Code::kConfigBadValue, "no such form");
  ExpectRefused("[]", Code::kConfigBadValue, "empty");
  ExpectRefused("[tls-server, tls-server]", Code::kConfigBadValue, "twice");
  ExpectRefused("[x509-tbs, {x509-tbs: {ca: true}}]", Code::kConfigBadValue, "twice");
  ExpectRefused("[any, tls-server]", Code::kConfigBadValue, "any stands alone");
  ExpectRefused("[[tls-server]]", Code::kConfigWrongType, "input");
  ExpectRefused("{tls-server: {}}", Code::kConfigMissingKey, "x509-tbs");
  ExpectRefused("{x509-tbs: {}, tls-server: {}}", Code::kConfigUnknownKey, "tls-server");
  ExpectRefused("{x509-tbs: {names: [a]}}", Code::kConfigUnknownKey, "names");
  ExpectRefused("{x509-tbs: [dns]}", Code::kConfigWrongType, "x509-tbs");
}

TEST(InputRule, RefusesConstraintsThatAreNone) {
  const auto refused = [](const std::string& constraint) {
    ExpectRefused("{x509-tbs: {" + constraint + "}}", Code::kConfigBadValue, "x509-tbs");
  };
  const std::string label(63, 'a');
  MustParse("{x509-tbs: {dns: [" + label + ".b]}}");
  for (const std::string& name :
       {std::string("Example.com"), std::string("\"\""), std::string("."), std::string("\"*\""),
        std::string("\"*.\""), std::string("a..b"), std::string("a."), std::string("..a"),
        std::string("\"*.*.a\""), std::string("\"a.*.b\""), std::string("\"w*.b\""),
        std::string("-a.b"), std::string("a-.b"), std::string("\"a b\""),
        std::string("b\xc3\xa4.de"), label + "a.b",
        label + "." + label + "." + label + "." + label}) {
    refused("dns: [" + name + "]");
  }
  for (const char* const range :
       {"10.1.0.0/33", "10.1.0.0/", "10.1.0.0/08", "10.1.0.1/16", "10.1/16", "\"2001:db8::/129\"",
        "\"::1/0\"", "host", "10.0.0.0/+8"}) {
    refused("ip: [" + std::string(range) + "]");
  }
  for (const char* const domain : {"a@example.com", ".example.com", "\"*.example.com\""})
    refused("email: [" + std::string(domain) + "]");
  refused("uri: [\"https://example.com\"]");
  refused("uri: [\"*.example.com\"]");
  refused("usages: [any]");
  refused("usages: []");
  for (const char* const oid : {"1", "1..2", ".1", "1.", "a.b", "\"\""})
    refused("extensions: [" + std::string(oid) + "]");
  for (const char* const part : {"O", "O=", "=Example", "\"O Example=a\"", "\"\""})
    refused("subject: [" + std::string(part) + "]");
  refused("dns: []");
  refused("dns: [a.b, a.b]");
  refused("max_days: 0");
  refused("max_days: 36526");
  std::string many = "dns: [a0.b";
  for (size_t i = 1; i <= kMaxConstraintEntries; ++i) many += ", a" + std::to_string(i) + ".b";
  refused(many + "]");
}

TEST(InputRule, ParsedAgainWhatWasPrintedIsEqual) {
  for (const char* const text :
       {"tls-server", "[tls-server, tls-client, x509-csr, x509-crl, x509-ocsp, digest]", "any",
        "x509-tbs",
        "[{x509-tbs: {dns: [\"*.a.b\", .c], ip: [10.0.0.0/8, \"::/0\"], email: [d], uri: [e], "
        "subject: ['O=a \"b\" \\c', CN=*], usages: [code-signing], extensions: [1.2], ca: true, "
        "max_days: 7}}, tls-client]"}) {
    const InputRule rule = MustParse(text);
    EXPECT_EQ(MustParse(PrintInputRule(rule)), rule) << PrintInputRule(rule);
  }
}

}  // namespace
}  // namespace keyclave::authz
