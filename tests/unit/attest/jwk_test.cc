// Strict JSON, and the keys that are configured or brought in it.

#include "attest/jwk.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "attest/strict_json.h"
#include "tests/fakes/fake_token.h"

namespace keyclave::attest {
namespace {

using test::FakeAuthority;
using test::FakeKeyKind;
using test::FakeToken;
using Json = nlohmann::json;

constexpr UnixTime kNow = 1'790'000'000;

TEST(StrictJson, OneObjectAndNothingElse) {
  for (const std::string_view good :
       {"{}", " {\"a\":1}\n", R"({"a":{"a":1},"b":[{"a":2},{"a":3}]})"})
    EXPECT_TRUE(ParseStrictJson(AsBytes(good)).ok()) << good;
  for (const std::string& bad :
       {std::string(), std::string("[]"), std::string("1"), std::string("{"), std::string("{}{}"),
        std::string("{} x"), std::string("{a:1}"), std::string("{\"a\":1,}"), std::string("/**/{}"),
        std::string("{\"a\":\"\xff\"}"), std::string("{\"a\":NaN}"),
        // What follows a NUL would not be read.
        std::string("{}\0", 3), std::string("{}\0{\"a\":1}", 10), std::string("\0{}", 3)})
    EXPECT_EQ(ParseStrictJson(AsBytes(bad)).code(), Code::kMalformed) << bad;
}

TEST(StrictJson, NoNameStandsTwice) {
  for (const std::string_view bad :
       {R"({"a":1,"a":1})", R"({"a":1,"b":2,"a":3})", R"({"x":{"a":1,"a":2}})",
        R"({"x":[{"a":1},{"b":1,"b":2}]})", R"({"a":1,"\u0061":2})"})
    EXPECT_EQ(ParseStrictJson(AsBytes(bad)).code(), Code::kMalformed) << bad;
}

TEST(StrictJson, NestingHasALimit) {
  const auto nested = [](int depth) {
    std::string text = "1";
    for (int i = 0; i < depth; ++i) text = "{\"a\":" + text + "}";
    return ParseStrictJson(AsBytes(text)).ok();
  };
  EXPECT_TRUE(nested(kMaxJsonDepth));
  EXPECT_FALSE(nested(kMaxJsonDepth + 1));
  EXPECT_FALSE(ParseStrictJson(ToBytes(std::string(60'000, '['))).ok());
}

TEST(Base64Url, EveryByteStringHasOneSpelling) {
  EXPECT_EQ(FromBase64UrlStrict("-_8")->size(), 2U);
  EXPECT_TRUE(FromBase64UrlStrict("")->empty());
  for (const std::string_view bad : {"-_8=", "+/8", "-_9", "-", "-_8 ", " -_8", "-_\n8"})
    EXPECT_FALSE(FromBase64UrlStrict(bad).ok()) << bad;
}

Result<Jwk> Parse(const Json& json) { return ParseJwk(json); }

TEST(Jwks, KeysThatSignAreRead) {
  for (const char* algorithm : {"ES256", "ES384", "RS256"}) {
    const FakeToken service({.algorithm = algorithm});
    const auto key = Parse(Json::parse(service.Jwk()));
    ASSERT_TRUE(key.ok()) << key.error().Text();
    EXPECT_TRUE(Equal(key->key.spki(), service.signer().key().Public().spki()));
    EXPECT_FALSE(key->kid.empty());
  }
  const auto edwards = Parse(
      {{"kty", "OKP"}, {"crv", "Ed25519"}, {"x", "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}});
  ASSERT_TRUE(edwards.ok()) << edwards.error().Text();
  EXPECT_EQ(edwards->key.kind(), KeyKind::kEd25519);
}

TEST(Jwks, WhatIsNoSuchKeyIsRefused) {
  const FakeToken ec;
  const FakeToken rsa({.algorithm = "RS256"});
  const auto refused = [](const FakeToken& service, const std::string& change) {
    const auto key = Parse(Json::parse(service.Jwk(change)));
    return !key.ok() && key.code() == Code::kMalformed;
  };
  EXPECT_TRUE(refused(ec, R"({"kty":"oct","k":"AAAA"})"));
  EXPECT_TRUE(refused(ec, R"({"kty":null})"));
  EXPECT_TRUE(refused(ec, R"({"use":"enc"})"));
  EXPECT_TRUE(refused(ec, R"({"crv":"P-384"})"));
  EXPECT_TRUE(refused(ec, R"({"crv":"secp256k1"})"));
  EXPECT_TRUE(refused(ec, R"({"x":null})"));
  EXPECT_TRUE(refused(ec, R"({"y":"AAAA"})"));
  EXPECT_TRUE(refused(ec, R"({"y":7})"));
  // Not on the curve.
  EXPECT_TRUE(refused(ec, R"({"x":")" + ToBase64Url(Bytes(32, 1)) + R"("})"));
  EXPECT_TRUE(refused(rsa, R"({"n":null})"));
  EXPECT_TRUE(refused(rsa, R"({"e":null})"));
  // Of 1024 bits.
  EXPECT_TRUE(refused(rsa, R"({"n":")" + ToBase64Url(Bytes(128, 0xc1)) + R"("})"));
  EXPECT_TRUE(refused(rsa, R"({"n":null,"e":null,"x5c":[]})"));
  EXPECT_TRUE(refused(rsa, R"({"x5c":["!"]})"));
  EXPECT_TRUE(refused(rsa, R"({"x5c":7})"));
}

TEST(Jwks, ASetLeavesOutWhatIsNotUsedAndNothingElse) {
  const FakeToken service;
  const auto set = [](const std::string& keys) {
    return ParseJwks(ToBytes("{\"keys\":[" + keys + "]}"));
  };
  EXPECT_EQ(set(service.Jwk() + R"(,{"kty":"oct","k":"AAAA"},{"kty":"new"})")->size(), 1U);
  EXPECT_EQ(set(service.Jwk() + "," + service.Jwk(R"({"use":"enc"})"))->size(), 1U);
  EXPECT_TRUE(set("")->empty());
  EXPECT_FALSE(set(service.Jwk(R"({"x":"AAAA"})")).ok());
  EXPECT_FALSE(ParseJwks(ToBytes(R"({"keys":7})")).ok());
  EXPECT_FALSE(ParseJwks({}).ok());
  EXPECT_EQ(ParseJwks(ToBytes(service.Jwk()))->size(), 1U);
  std::string many = R"({"kty":"new"})";
  for (int i = 0; i < 64; ++i) many += R"(,{"kty":"new"})";
  EXPECT_EQ(set(many).code(), Code::kTooLarge);
}

class KeyTrust : public testing::Test {
 protected:
  Result<Jwk> With(const std::vector<Certificate>& chain) {
    Json key = Json::parse(service_.Jwk());
    for (const Certificate& one : chain) key["x5c"].push_back(ToBase64(one.der()));
    return ParseJwk(key);
  }
  FakeToken service_;
  const Certificate& leaf_ = service_.signer().certificate();
  const Certificate& root_ = service_.root().certificate();
};

TEST_F(KeyTrust, ItsCertificatesLeadToARoot) {
  const auto key = With({leaf_});
  ASSERT_TRUE(key.ok()) << key.error().Text();
  EXPECT_TRUE(CheckKeyTrust(*key, {root_}, kNow).ok());
  EXPECT_TRUE(CheckKeyTrust(*With({leaf_, root_}), {root_}, kNow).ok());
  EXPECT_TRUE(CheckKeyTrust(*key, {leaf_}, kNow).ok());
  const FakeToken other;
  EXPECT_EQ(CheckKeyTrust(*key, {other.root().certificate()}, kNow).code(), Code::kEvidenceChain);
  EXPECT_EQ(CheckKeyTrust(*With({leaf_, root_}), {other.root().certificate()}, kNow).code(),
            Code::kEvidenceChain);
  EXPECT_EQ(CheckKeyTrust(*key, {}, kNow).code(), Code::kEvidenceChain);
  EXPECT_EQ(CheckKeyTrust(*With({}), {root_}, kNow).code(), Code::kEvidenceChain);
  EXPECT_EQ(CheckKeyTrust(*key, {root_}, 0).code(), Code::kEvidenceTime);
}

TEST_F(KeyTrust, TheFirstCertificateIsTheKeysOwn) {
  const FakeToken other;
  EXPECT_EQ(With({other.signer().certificate()}).code(), Code::kMalformed);
  EXPECT_EQ(With({root_, leaf_}).code(), Code::kMalformed);
}

}  // namespace
}  // namespace keyclave::attest
