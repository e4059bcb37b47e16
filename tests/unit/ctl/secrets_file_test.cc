// Files of secrets: what they may say, and that everything else is an error with its place.
#include "enclave/ctl/secrets_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace keyclave::ctl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

SecretsFile Read(const std::string& text) {
  auto file = ParseSecretsFile(text, "s.yaml");
  EXPECT_TRUE(file.ok()) << file.error().Text();
  return file.ok() ? std::move(file).value() : SecretsFile();
}

// What is wrong, in words; empty: nothing.
std::string Wrong(const std::string& text) {
  const auto file = ParseSecretsFile(text, "s.yaml");
  return file.ok() ? "" : file.error().Text();
}

std::string Secret(const std::string& lines) { return "secrets:\n  - name: k\n" + lines; }

std::string ValueOf(const WantedSecret& secret) {
  return std::string(AsText(secret.value->Expose(SecretAccess())));
}

TEST(SecretsFile, SaysWhatATokenIsToHave) {
  const SecretsFile file = Read(
      "token: archive\n"
      "policies:\n"
      "  - file: archive.yaml\n"
      "  - text: |\n"
      "      policy: readers\n"
      "secrets:\n"
      "  - {name: db, type: aes:256, policy: archive, usage: [encrypt, decrypt]}\n"
      "  - {name: sign, type: ec:p256, share: public, extractable: true}\n"
      "  - {name: old, type: rsa:2048, import: old.pem}\n"
      "  - {name: web, type: certificate, key: rsa:3072, subject: CN=web, names: [web.example], "
      "days: 90}\n"
      "  - {name: blob, type: data, file: blob.bin}\n"
      "  - {name: greeting, type: data, value: hello, secret: false}\n"
      "  - {name: settings, type: configuration, values: {port: 80, host: a}}\n");
  EXPECT_EQ(file.token, "archive");
  EXPECT_FALSE(file.creates_token);
  ASSERT_THAT(file.policies, SizeIs(2));
  EXPECT_EQ(file.policies[0].file, "archive.yaml");
  EXPECT_EQ(file.policies[1].text, "policy: readers\n");
  ASSERT_THAT(file.secrets, SizeIs(7));
  EXPECT_EQ(file.secrets[0].key_type.size, 256U);
  EXPECT_THAT(file.secrets[0].usage, ElementsAre("encrypt", "decrypt"));
  EXPECT_TRUE(file.secrets[1].is_shared);
  EXPECT_TRUE(file.secrets[1].extractable);
  EXPECT_EQ(file.secrets[2].file, "old.pem");
  EXPECT_EQ(file.secrets[3].kind, SecretKind::kCertificate);
  EXPECT_EQ(file.secrets[3].days, 90U);
  EXPECT_EQ(file.secrets[3].type, "rsa:3072");
  EXPECT_EQ(file.secrets[4].file, "blob.bin");
  EXPECT_EQ(ValueOf(file.secrets[5]), "hello");
  EXPECT_EQ(ValueOf(file.secrets[6]), R"({"host":"a","port":"80"})");
  EXPECT_TRUE(file.Shares());
}

TEST(SecretsFile, ATokenIsMadeOnlyWhereThatIsSaid) {
  const SecretsFile file = Read("token: {label: archive, create: true, default_policy: p}\n" +
                                Secret("    type: sm2\n"));
  EXPECT_TRUE(file.creates_token);
  EXPECT_EQ(file.default_policy, "p");
  EXPECT_THAT(Wrong("token: {label: a, default_policy: p}\n" + Secret("    type: sm2\n")),
              HasSubstr("s.yaml:1: token.default_policy: only a token that is made here"));
}

TEST(SecretsFile, MistakesAreToldWithTheirPlace) {
  const std::map<std::string, std::string> mistakes = {
      {"colour: red\n", "s.yaml:1: colour"},
      {"token: ''\nsecrets: []\n", "s.yaml:1: token: wanted a token's label"},
      {"policies: [{file: a, text: b}]\n", "s.yaml:1: policies[1]: wanted either `file:"},
      {"policies: [{}]\n", "s.yaml:1: policies[1]: wanted either `file:"},
      {"secrets:\n  - type: sm2\n", "name is missing"},
      {Secret("    policy: p\n"), "type is missing"},
      {Secret("    type: rsa:1024\n"), "s.yaml:3: secrets[1].type: no such type"},
      {Secret("    type: sm2\n    policy: a b\n"), "s.yaml:4: secrets[1].policy: a name has"},
      {Secret("    type: sm2\n    usage: [fly]\n"), "s.yaml:4: secrets[1].usage: fly is not known"},
      {Secret("    type: sm2\n    share: some\n"), "s.yaml:4: secrets[1].share: wanted public"},
      {Secret("    type: aes:128\n    share: public\n"), "a secret key has no public part"},
      {Secret("    type: sm2\n    extractable: 1\n"), "s.yaml:4: secrets[1].extractable"},
      {Secret("    type: sm2\n    rotate: 90d\n"), "s.yaml:4: secrets[1].rotate"},
      {Secret("    type: sm2\n    days: 9\n"), "s.yaml:4: secrets[1].days"},
      {Secret("    type: certificate\n"), "subject is missing"},
      {Secret("    type: certificate\n    subject: www\n"), "s.yaml:4: secrets[1].subject"},
      {Secret("    type: certificate\n    subject: CN=a\n    key: aes:128\n"),
       "s.yaml:5: secrets[1].key: a certificate is for a pair"},
      {Secret("    type: certificate\n    subject: CN=a\n    names: ['a b']\n"),
       "s.yaml:5: secrets[1].names"},
      {Secret("    type: certificate\n    subject: CN=a\n    days: 0\n"),
       "s.yaml:5: secrets[1].days"},
      {Secret("    type: data\n"), "s.yaml:2: secrets[1]: wanted either `file:`"},
      {Secret("    type: data\n    value: x\n"), "secret is missing"},
      {Secret("    type: data\n    value: x\n    secret: true\n"),
       "s.yaml:5: secrets[1].secret: what is secret is not written into this file"},
      {Secret("    type: configuration\n"), "values is missing"},
      {Secret("    type: configuration\n    values: {}\n"), "wanted at least one value"},
      {Secret("    type: configuration\n    values: {a: [1]}\n"), "s.yaml:4: secrets[1].values.a"},
      {"secrets:\n  - {name: k, type: sm2}\n  - {name: k, type: sm2}\n",
       "s.yaml:3: secrets[2].name: there is a secret k already, at s.yaml:2: secrets[1]"},
      {"secrets: []\n", "neither policies nor secrets"},
      {"", "neither policies nor secrets"},
      {"token: [\n", "s.yaml"},
  };
  for (const auto& [text, wanted] : mistakes) EXPECT_THAT(Wrong(text), HasSubstr(wanted)) << text;
}

TEST(SecretsFile, ThereIsAnEndToIt) {
  std::string text = "secrets:\n";
  for (int i = 0; i < 64; ++i) text += "  - {name: k" + std::to_string(i) + ", type: sm2}\n";
  EXPECT_THAT(Read(text).secrets, SizeIs(64));
  EXPECT_THAT(Wrong(text + "  - {name: more, type: sm2}\n"), HasSubstr("at most 64"));
  EXPECT_EQ(Wrong("secrets:\n  - {name: " + std::string(255, 'n') + ", type: sm2}\n"), "");
  EXPECT_THAT(Wrong("secrets:\n  - {name: " + std::string(256, 'n') + ", type: sm2}\n"),
              HasSubstr("1 to 255 bytes"));
}

// ---- AECS's own files ----

constexpr std::string_view kRow =
    "    policy:\n      enclaveMatchAnyRules:\n"
    "      - {mrenclave: 6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d}\n";

std::string Aecs(const std::string& name, const std::string& type, const std::string& more = {},
                 const std::string& data = {}) {
  return "- spec:\n    name: " + name + "\n    type: SECRET_TYPE_" + type + "\n" +
         std::string(kRow) + more + (data.empty() ? "" : "  data: " + data + "\n");
}
std::string AecsFile(const std::string& secrets) {
  return "apiVersion: v1\nkind: SecretPolicy\nsecrets:\n" + secrets;
}

TEST(AecsSecretsFile, EverySecretTypeIsWhatItIsThere) {
  const std::string hex(64, 'a');
  const SecretsFile file = Read(AecsFile(
      Aecs("aes", "AES256_KEY", "    service: ledger\n") + Aecs("brought", "AES256_KEY", {}, hex) +
      Aecs("rsa", "RSA_KEY_PAIR",
           "    share: public\n    params:\n    - {key: pkcs_type, value: pkcs8}\n    - {key: "
           "bit_length, value: 2048}\n") +
      Aecs("sm2", "SM2_KEY_PAIR") +
      Aecs("cert", "CERTIFICATE", "    params: [{key: days, value: 30}]\n") +
      Aecs("data", "IMPORT_DATA", {}, "not so secret") +
      Aecs("conf", "CONFIGURATIONS",
           "    params:\n    - {key: port, value: 80}\n    - {key: host, value: a}\n")));
  EXPECT_EQ(file.token, "ledger");
  ASSERT_THAT(file.secrets, SizeIs(7));
  ASSERT_THAT(file.policies, SizeIs(7));
  const auto& secrets = file.secrets;
  EXPECT_EQ(secrets[0].type, "aes:256");
  EXPECT_FALSE(secrets[0].value.has_value());
  EXPECT_TRUE(secrets[0].extractable) << "what is bound is released";
  EXPECT_EQ(secrets[0].policy, "aes");
  EXPECT_EQ(secrets[1].value->size(), 32U);
  EXPECT_EQ(secrets[2].type, "rsa:2048");
  EXPECT_TRUE(secrets[2].is_shared);
  EXPECT_EQ(secrets[3].type, "sm2");
  EXPECT_EQ(secrets[4].kind, SecretKind::kCertificate);
  EXPECT_EQ(secrets[4].subject, "CN=cert");
  EXPECT_EQ(secrets[4].days, 30U);
  EXPECT_EQ(secrets[4].type, "rsa:2048");
  EXPECT_EQ(ValueOf(secrets[5]), "not so secret");
  EXPECT_FALSE(secrets[5].extractable);
  EXPECT_EQ(ValueOf(secrets[6]), R"({"host":"a","port":"80"})");
  EXPECT_TRUE(file.policies[0].any_version);
}

TEST(AecsSecretsFile, NeverExportStaysInside) {
  std::string text = Aecs("aes", "AES256_KEY");
  text.replace(text.find("    policy:\n") + 12, 0, "      type: POLICY_TYPE_NEVER_EXPORT\n");
  EXPECT_FALSE(Read(AecsFile(text)).secrets.front().extractable);
}

TEST(AecsSecretsFile, KeysThatAreBroughtAreBase64OfJson) {
  const auto data = [](const std::string& json) { return ToBase64(AsBytes(json)); };
  for (const char* name : {"private_key", "privateKey"}) {
    const SecretsFile file = Read(
        AecsFile(Aecs("k", "RSA_KEY_PAIR", {}, data("{\"" + std::string(name) + "\": \"PEM\"}"))));
    EXPECT_EQ(ValueOf(file.secrets.front()), "PEM");
    EXPECT_EQ(file.secrets.front().key_type.size, 0U) << "whatever size it has";
  }
  for (const std::string& bad :
       {std::string("'not base64!'"), data("[]"), data("{}"), data("{\"private_key\": 7}")}) {
    EXPECT_THAT(Wrong(AecsFile(Aecs("k", "SM2_KEY_PAIR", {}, bad))),
                HasSubstr("wanted base64 of JSON"))
        << bad;
  }
}

TEST(AecsSecretsFile, MistakesAreToldWithTheirPlace) {
  const std::string two = Aecs("a", "AES256_KEY", "    service: one\n");
  const std::map<std::string, std::string> mistakes = {
      {Aecs("k", "DSA_KEY_PAIR"), "no such type"},
      {Aecs("k", "AES256_KEY", {}, "abcd"), "s.yaml:10: secrets[1].data: wanted 32 bytes"},
      {Aecs("k", "AES256_KEY", "    params: [{key: bit_length, value: 128}]\n"),
       "no such parameter: bit_length"},
      {Aecs("k", "RSA_KEY_PAIR", "    params: [{key: bit_length, value: 1024}]\n"),
       "s.yaml:10: secrets[1].spec.params[1].value: wanted 2048, 3072 or 4096"},
      {Aecs("k", "RSA_KEY_PAIR", "    params: [{key: pkcs_type, value: p12}]\n"),
       "wanted pkcs1 or pkcs8"},
      {Aecs("k", "CERTIFICATE", "    params: [{key: days, value: 9999}]\n"),
       "wanted 1 to 3650 days"},
      {Aecs("k", "CERTIFICATE", {}, "abcd"), "keyclave cert import"},
      {Aecs("k", "CONFIGURATIONS"), "a configuration without params"},
      {Aecs("k", "CONFIGURATIONS", "    params: [{key: a, value: 1}, {key: a, value: 2}]\n"),
       "a is there twice"},
      {Aecs("k", "IMPORT_DATA"), "SECRET_TYPE_IMPORT_DATA without data"},
      {Aecs("a b", "AES256_KEY"), "a name has letters"},
      {two + Aecs("b", "AES256_KEY", "    service: two\n"), "one file is for one token: one"},
      {two + Aecs("a", "AES256_KEY"), "there is a secret a already"},
  };
  for (const auto& [text, wanted] : mistakes)
    EXPECT_THAT(Wrong(AecsFile(text)), HasSubstr(wanted)) << text;
}

TEST(AecsSecretsFile, WhatNobodyCouldHaveIsNotMade) {
  EXPECT_THAT(Wrong(AecsFile("- spec:\n    name: k\n    type: SECRET_TYPE_AES256_KEY\n    policy: "
                             "{enclaveMatchAnyRules: []}\n")),
              HasSubstr("nobody could have it"));
}

}  // namespace
}  // namespace keyclave::ctl
