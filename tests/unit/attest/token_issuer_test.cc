// Whose tokens are believed: algorithms, keys, issuers, audiences and roots.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "attest/strict_json.h"
#include "attest/token/jose.h"
#include "tests/unit/attest/token_checks.h"

namespace keyclave::attest {
namespace {

using test::FakeToken;
using Json = nlohmann::json;

TEST(TokenIssuers, AlgorithmsOfPublicKeysAreAccepted) {
  for (const char* algorithm : {"ES256", "ES384", "RS256", "RS384", "PS256", "PS384"})
    EXPECT_EQ(Refused({.algorithm = algorithm}), std::nullopt) << algorithm;
}

TEST(TokenIssuers, TheHeaderCannotChooseTheAlgorithm) {
  for (const char* family : {"ES256", "RS256"}) {
    for (const char* algorithm :
         {"none", "None", "NONE", "HS256", "HS384", "HS512", "", "RS384", "PS256", "PS512", "ES384",
          "ES512", "EdDSA", "es256", "RS1", "ES256K"}) {
      EXPECT_EQ(
          Refused({.algorithm = family, .header = std::string(R"({"alg":")") + algorithm + "\"}"}),
          Code::kEvidenceSignature)
          << family << " " << algorithm;
    }
  }
  EXPECT_EQ(Refused({.header = R"({"alg":null})"}), Code::kEvidenceMalformed);
  EXPECT_EQ(Refused({.header = R"({"alg":["ES256"]})"}), Code::kEvidenceMalformed);
}

// lesson 7: an answer that says it comes from the service comes from whoever signed it.
TEST(TokenIssuers, WithoutASignatureItIsNone) {
  const FakeToken service;
  std::string token(AsText(TokenOf(service)));
  token.resize(token.rfind('.') + 1);
  EXPECT_EQ(CheckToken(ToBytes(token), service.OwnTrust()).code(), Code::kEvidenceSignature);
  token.pop_back();
  EXPECT_EQ(CheckToken(ToBytes(token), service.OwnTrust()).code(), Code::kEvidenceMalformed);
}

// A public key is no secret: what was MACed with it as text proves nothing.
TEST(TokenIssuers, APublicKeyIsNoSharedSecret) {
  const FakeToken service({.algorithm = "RS256", .header = R"({"alg":"HS256"})"});
  const auto refused = CheckToken(service);
  EXPECT_EQ(refused.code(), Code::kEvidenceSignature);
  EXPECT_EQ(refused.error().mismatch()->got, "HS256");
}

// lesson 7: nor do the keys that it brings say who that is.
TEST(TokenIssuers, KeysInTheTokenCountForNothing) {
  const FakeToken service;
  const FakeToken attacker;
  for (const std::string& header :
       {R"({"jwk":)" + attacker.Jwk() + "}", std::string(R"({"jku":"https://evil.test/keys"})"),
        std::string(R"({"x5u":"https://evil.test/chain"})"),
        R"({"x5c":[")" + ToBase64(attacker.signer().certificate().der()) + R"("]})"}) {
    const FakeToken forged({.header = header});
    EXPECT_EQ(CheckToken(TokenOf(forged), service.OwnTrust()).code(), Code::kEvidenceChain)
        << header;
    // Beside the true key's signature they do no harm.
    const std::string payload = service.Payload(TokenReportData(), kTokenNow, false);
    Json merged = Json::parse(service.Header());
    merged.merge_patch(Json::parse(header));
    EXPECT_TRUE(CheckToken(service.Sign(merged.dump(), payload), service.OwnTrust()).ok())
        << header;
  }
  // In the payload, as old Trustee tokens have it.
  const FakeToken self({.payload = R"({"jwk":)" + attacker.Jwk() + "}"});
  EXPECT_EQ(CheckToken(TokenOf(self), service.OwnTrust()).code(), Code::kEvidenceChain);
}

// lesson 43: the key is the one that is named, not the first that would do.
TEST(TokenIssuers, TheKidChoosesAmongPinnedKeys) {
  const FakeToken service;
  const FakeToken rsa({.algorithm = "PS384"});
  const FakeToken same({.algorithm = "ES384"});
  const Bytes token = TokenOf(service);
  const auto with = [&](const std::vector<std::string>& keys) {
    TokenIssuer issuer = service.Issuer();
    std::string set;
    for (const std::string& key : keys) set += (set.empty() ? "" : ",") + key;
    issuer.keys = ToBytes("{\"keys\":[" + set + "]}");
    const auto claims = CheckToken(token, Believing(issuer));
    return claims.ok() ? std::nullopt : std::optional(claims.code());
  };
  const std::string own = service.Jwk();
  const std::string kid = Json::parse(own)["kid"].dump();
  EXPECT_EQ(with({rsa.Jwk(), own}), std::nullopt);
  EXPECT_EQ(with({rsa.Jwk()}), Code::kEvidenceChain);
  EXPECT_EQ(with({service.Jwk(R"({"kid":"other"})")}), Code::kEvidenceChain);
  EXPECT_EQ(with({service.Jwk(R"({"kid":null})")}), std::nullopt);
  EXPECT_EQ(with({}), Code::kEvidenceChain);
  // One name for keys of several kinds (Intel Trust Authority), and for two of one kind.
  EXPECT_EQ(with({rsa.Jwk("{\"kid\":" + kid + "}"), same.Jwk("{\"kid\":" + kid + "}"), own}),
            std::nullopt);
  const FakeToken twin;
  EXPECT_EQ(with({twin.Jwk("{\"kid\":" + kid + "}"), own}), std::nullopt);
  EXPECT_EQ(with({twin.Jwk("{\"kid\":" + kid + "}")}), Code::kEvidenceSignature);
  EXPECT_EQ(with({rsa.Jwk("{\"kid\":" + kid + "}")}), Code::kEvidenceSignature);
  // A key says what it is for.
  EXPECT_EQ(with({service.Jwk(R"({"alg":"ES256"})")}), std::nullopt);
  EXPECT_EQ(with({service.Jwk(R"({"alg":"ES384"})")}), Code::kEvidenceSignature);
}

TEST(TokenIssuers, AKeySetThatCannotBeReadIsNamed) {
  const FakeToken service;
  TokenIssuer issuer = service.Issuer();
  issuer.keys = ToBytes("{\"keys\":[{\"kty\":\"EC\"}]}");
  EXPECT_EQ(CheckToken(TokenOf(service), Believing(issuer)).code(), Code::kCollateralInvalid);
}

TEST(TokenIssuers, OnlyAConfiguredIssuerCounts) {
  const FakeToken service;
  TokenIssuer issuer = service.Issuer();
  issuer.issuer = "https://attestation.test/";
  EXPECT_EQ(CheckToken(TokenOf(service), Believing(issuer)).code(), Code::kEvidenceChain);
  EXPECT_EQ(Refused({.payload = R"({"iss":null})"}), Code::kEvidenceChain);
  EXPECT_EQ(Refused({.payload = R"({"iss":["https://attestation.test"]})"}), Code::kEvidenceChain);
  // Without a name it is one for files only.
  issuer.issuer.clear();
  EXPECT_EQ(CheckToken(TokenOf(service), Believing(issuer)).code(), Code::kEvidenceChain);
  EXPECT_TRUE(
      CheckToken(TokenOf(service), Believing(issuer), kTokenNow, ExpectedBinding::None()).ok());
  // Of several, the one that it names.
  const FakeToken other({.issuer = "https://other.test"});
  Trust both = service.OwnTrust();
  both.token_issuers.insert(both.token_issuers.begin(), other.Issuer());
  EXPECT_TRUE(CheckToken(TokenOf(service), both).ok());
  const FakeToken impostor({.issuer = "https://other.test"});
  EXPECT_EQ(CheckToken(TokenOf(impostor), both).code(), Code::kEvidenceChain);
}

// lesson 4: a token for everybody is no token for us.
TEST(TokenIssuers, TheAudienceIsOurs) {
  EXPECT_EQ(Refused({.audience = "keyclave"}), std::nullopt);
  const auto with = [](const std::string& aud) {
    return Refused({.audience = "keyclave", .payload = "{\"aud\":" + aud + "}"});
  };
  EXPECT_EQ(with(R"(["a","keyclave"])"), std::nullopt);
  EXPECT_EQ(with(R"("https://sts.googleapis.com")"), Code::kEvidenceIdentity);
  EXPECT_EQ(with(R"(["a","b"])"), Code::kEvidenceIdentity);
  EXPECT_EQ(with(R"([])"), Code::kEvidenceIdentity);
  EXPECT_EQ(with(R"(null)"), Code::kEvidenceIdentity);
  EXPECT_EQ(with(R"("keyclave ")"), Code::kEvidenceIdentity);
}

class Roots : public testing::Test {
 protected:
  static std::string Base64(const FakeToken& service) {
    return ToBase64(service.signer().certificate().der());
  }
  // By certificates in the header alone (Google's PKI tokens).
  static TokenIssuer ByRoots(const FakeToken& service) {
    TokenIssuer issuer = service.Issuer();
    issuer.keys.clear();
    issuer.roots = {service.root().certificate()};
    return issuer;
  }
  static Bytes WithHeader(const FakeToken& service, const Json& x5c) {
    Json header = Json::parse(service.Header());
    header["x5c"] = x5c;
    return service.Sign(header.dump(), service.Payload(TokenReportData(), kTokenNow, false));
  }
};

TEST_F(Roots, CertificatesInTheHeaderLeadToOne) {
  const FakeToken service({.family = "google", .algorithm = "RS256"});
  const FakeToken other({.family = "google", .algorithm = "RS256"});
  const Trust trust = Believing(ByRoots(service));
  EXPECT_TRUE(CheckToken(WithHeader(service, {Base64(service)}), trust).ok());
  EXPECT_TRUE(
      CheckToken(WithHeader(service, {service.signer().Pem(), service.root().Pem()}), trust).ok());
  EXPECT_EQ(CheckToken(WithHeader(other, {Base64(other)}), trust).code(), Code::kEvidenceChain);
  EXPECT_EQ(CheckToken(WithHeader(other, {other.signer().Pem(), other.root().Pem()}), trust).code(),
            Code::kEvidenceChain);
  // The true certificate over another key's signature.
  EXPECT_EQ(CheckToken(WithHeader(other, {Base64(service)}), trust).code(),
            Code::kEvidenceSignature);
  EXPECT_EQ(CheckToken(TokenOf(service), trust).code(), Code::kEvidenceChain);
  for (const Json& bad : {Json::array(), Json(7), Json::array({7}), Json::array({"!"}),
                          Json::array({""}), Json::array({"-----BEGIN CERTIFICATE-----"})})
    EXPECT_EQ(CheckToken(WithHeader(service, bad), trust).code(), Code::kEvidenceChain) << bad;
  EXPECT_EQ(CheckToken(WithHeader(service, {Base64(service)}), trust, 3'000'000'000).code(),
            Code::kEvidenceTime);
}

TEST_F(Roots, CertificatesOfPinnedKeysMustLeadToOne) {
  const FakeToken service;
  TokenIssuer issuer = service.Issuer();
  issuer.roots = {service.root().certificate()};
  EXPECT_EQ(CheckToken(TokenOf(service), Believing(issuer)).code(), Code::kEvidenceChain);
  issuer.keys = ToBytes(service.Jwk(R"({"x5c":[")" + Base64(service) + R"("]})"));
  EXPECT_TRUE(CheckToken(TokenOf(service), Believing(issuer)).ok());
  // Only in the certificate, as Azure has it.
  issuer.keys = ToBytes(service.Jwk(R"({"x":null,"y":null,"x5c":[")" + Base64(service) + R"("]})"));
  EXPECT_TRUE(CheckToken(TokenOf(service), Believing(issuer)).ok());
  const FakeToken other;
  issuer.roots = {other.root().certificate()};
  EXPECT_EQ(CheckToken(TokenOf(service), Believing(issuer)).code(), Code::kEvidenceChain);
}

TEST(TokenIssuers, FormIsStrict) {
  const FakeToken service;
  const std::string payload = service.Payload(TokenReportData(), kTokenNow, false);
  const auto parses = [](const std::string& text) {
    return ParseEvidence("token", ToBytes(text)).ok();
  };
  const std::string good(AsText(TokenOf(service)));
  EXPECT_TRUE(parses(good));
  EXPECT_TRUE(parses(good + "\n"));
  EXPECT_TRUE(parses(good + "\r\n"));
  for (const std::string& bad : {" " + good, good + " ", good + "=", good + ".", "." + good,
                                 "\n" + good, good.substr(0, good.rfind('.')), std::string("a.b.c"),
                                 std::string(".."), std::string("e30.e30."), std::string("{}")})
    EXPECT_FALSE(parses(bad)) << bad;
  for (const std::string& header :
       {std::string(R"({"alg":"ES256","crit":["exp"],"exp":1})"),
        std::string(R"({"alg":"ES256","b64":false})"),
        std::string(R"({"alg":"ES256","alg":"none"})"), std::string(R"({"alg":"ES256","kid":7})"),
        std::string("[]"), std::string()})
    EXPECT_EQ(CheckToken(service.Sign(header, payload), service.OwnTrust()).code(),
              Code::kEvidenceMalformed)
        << header;
  std::string twice = payload;
  twice.insert(1, R"("iss":"https://evil.test",)");
  EXPECT_EQ(CheckToken(service.Sign(service.Header(), twice), service.OwnTrust()).code(),
            Code::kEvidenceMalformed);
}

// RFC 8037, appendix A.4 and A.5.
TEST(Jose, Ed25519OfTheStandardVerifies) {
  token::Token made;
  made.algorithm = "EdDSA";
  made.signing_input = ToBytes("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc");
  made.signature = *FromBase64UrlStrict(
      "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg");
  const auto key =
      PublicKey::FromEd25519(*FromBase64UrlStrict("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"));
  ASSERT_TRUE(key.ok()) << key.error().Text();
  EXPECT_TRUE(token::VerifyToken(made, *key, "").ok());
  EXPECT_EQ(token::VerifyToken(made, *key, "ES256").code(), Code::kEvidenceSignature);
  made.signature[3] ^= 1;
  EXPECT_EQ(token::VerifyToken(made, *key, "").code(), Code::kEvidenceSignature);
}

TEST(Jose, EcdsaSignaturesHaveOneLength) {
  const FakeToken service;
  auto parsed = token::ParseToken(TokenOf(service));
  ASSERT_TRUE(parsed.ok());
  const PublicKey key = service.signer().key().Public();
  EXPECT_TRUE(token::VerifyToken(*parsed, key, "").ok());
  for (const size_t size : {0U, 63U, 65U, 96U}) {
    token::Token other = *parsed;
    other.signature.resize(size);
    EXPECT_EQ(token::VerifyToken(other, key, "").code(), Code::kEvidenceSignature) << size;
  }
  // r and s each a byte longer, with a zero in front: the same numbers.
  token::Token padded = *parsed;
  padded.signature.insert(padded.signature.begin() + 32, 0);
  padded.signature.insert(padded.signature.begin(), 0);
  EXPECT_EQ(token::VerifyToken(padded, key, "").code(), Code::kEvidenceSignature);
}

}  // namespace
}  // namespace keyclave::attest
