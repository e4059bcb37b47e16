// The gateway's answers, over an enclave that a test plays.

#include "enclave/kbs/service.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "attest/rcar.h"

namespace keyclave::kbs {
namespace {

using Json = nlohmann::json;
using std::chrono::seconds;

class TestClock final : public Clock {
 public:
  UnixTime Now() const override { return 1'790'000'000; }
  std::chrono::steady_clock::time_point Steady() const override {
    return std::chrono::steady_clock::time_point(steady);
  }
  seconds steady{1000};
};

// What the enclave was asked, and what it answers.
struct Enclave {
  std::optional<Error> connect;
  std::optional<Error> attest;
  std::optional<Error> release;
  Bytes runtime_data;
  Evidence evidence;
  Upstream::Wanted wanted;
  int connections = 0;  // open
};

class FakeUpstream final : public Upstream {
 public:
  explicit FakeUpstream(Enclave& enclave) : enclave_(enclave) {
    ++enclave_.connections;
    nonce_.fill(7);
  }
  ~FakeUpstream() override { --enclave_.connections; }
  const ByteArray<32>& nonce() const override { return nonce_; }
  Status Attest(const Evidence& evidence, const Bytes& runtime_data) override {
    enclave_.evidence = evidence;
    enclave_.runtime_data = runtime_data;
    if (enclave_.attest) return *enclave_.attest;
    return Done{};
  }
  Result<Bytes> Release(const Wanted& wanted) override {
    enclave_.wanted = wanted;
    if (enclave_.release) return *enclave_.release;
    return ToBytes("aGVhZGVy.a2V5.aXY.Y2lwaGVy.dGFn");
  }

 private:
  Enclave& enclave_;
  ByteArray<32> nonce_{};
};

class FakeLink final : public EnclaveLink {
 public:
  Result<std::unique_ptr<Upstream>> Connect() override {
    if (enclave.connect) return *enclave.connect;
    return std::unique_ptr<Upstream>(std::make_unique<FakeUpstream>(enclave));
  }
  Enclave enclave;
};

Json EcJwk() {
  return {{"kty", "EC"},
          {"alg", "ECDH-ES+A256KW"},
          {"crv", "P-256"},
          {"x", "cNY5REBPXKRhZSvBoybe0GXZ--JqSa414TCe7dBj__I"},
          {"y", "y45eA7c9OqYyyxvbwvvnuSgzcFGx-4zZT3w11wznaqU"}};
}

class ServiceTest : public testing::Test {
 protected:
  static Json AuthBody() { return {{"version", "0.4.0"}, {"tee", "tdx"}, {"extra-params", {}}}; }
  static Json AttestBody() {
    return {
        {"init-data", nullptr},
        {"runtime-data", {{"nonce", "abc="}, {"tee-pubkey", EcJwk()}}},
        {"tee-evidence", {{"primary_evidence", {{"quote", "AAEC"}}}, {"additional_evidence", ""}}}};
  }
  HttpResponse Post(const std::string& path, const Json& body, const std::string& cookie = {}) {
    return service.Handle({.method = "POST",
                           .path = path,
                           .has_query = false,
                           .cookie = cookie,
                           .bearer = {},
                           .body = ToBytes(body.dump())});
  }
  HttpResponse Get(const std::string& path, const std::string& cookie = {},
                   const std::string& bearer = {}) {
    return service.Handle(
        {.method = "GET", .path = path, .has_query = false, .cookie = cookie, .bearer = bearer});
  }
  // The session's id, out of the cookie.
  std::string Opened() {
    const HttpResponse reply = Post("/kbs/v0/auth", AuthBody());
    EXPECT_EQ(reply.status, 200U) << reply.body;
    const std::string name = "kbs-session-id=";
    EXPECT_TRUE(reply.cookie.starts_with(name)) << reply.cookie;
    return reply.cookie.substr(name.size(), reply.cookie.find(';') - name.size());
  }
  std::string Attested() {
    const std::string id = Opened();
    EXPECT_EQ(Post("/kbs/v0/attest", AttestBody(), id).status, 200U);
    return id;
  }
  static std::string TypeOf(const HttpResponse& response) {
    const std::string type = Json::parse(response.body).at("type");
    return std::to_string(response.status) + " " + type.substr(type.rfind('/') + 1);
  }

  static constexpr const char* kPath = "/kbs/v0/resource/repo/type/tag";
  TestClock clock;
  FakeLink link;
  Service service{link, clock};
};

TEST_F(ServiceTest, PassesOnWhatItGets) {
  const HttpResponse auth = Post("/kbs/v0/auth", AuthBody());
  EXPECT_EQ(Json::parse(auth.body),
            (Json{{"nonce", ToBase64(Bytes(32, 7))}, {"extra-params", ""}}));
  const std::string id = Attested();
  EXPECT_EQ(link.enclave.evidence.type, "tdx");
  EXPECT_EQ(ToHex(link.enclave.evidence.bytes), "000102");
  EXPECT_EQ(link.enclave.runtime_data, attest::EncodeRcarRuntimeData("abc=", EcJwk(), ""));
  const HttpResponse reply = Get(kPath, id);
  EXPECT_EQ(Json::parse(reply.body), (Json{{"protected", "aGVhZGVy"},
                                           {"encrypted_key", "a2V5"},
                                           {"iv", "aXY"},
                                           {"ciphertext", "Y2lwaGVy"},
                                           {"tag", "dGFn"}}));
  EXPECT_EQ(link.enclave.wanted.label, "repo/type/tag");
  EXPECT_FALSE(link.enclave.wanted.is_rsa);
  EXPECT_NE(link.enclave.wanted.recipient, (ByteArray<32>{}));
}

TEST_F(ServiceTest, TheTokenNamesItsSession) {
  const std::string id = Opened();
  const HttpResponse reply = Post("/kbs/v0/attest", AttestBody(), id);
  const std::string token = Json::parse(reply.body).at("token");
  EXPECT_EQ(Post("/kbs/v0/attest", AttestBody(), id).body, reply.body) << "attested already";
  const Json claims = Json::parse(AsText(
      *FromBase64(token.substr(token.find('.') + 1, token.rfind('.') - token.find('.') - 1))));
  EXPECT_EQ(claims.at("exp").get<int64_t>(), clock.Now() + 300);
  EXPECT_EQ(claims.at("tee-pubkey"), EcJwk());
  EXPECT_EQ(Get(kPath, "", token).status, 200U);
  for (const std::string& bad :
       {std::string("a.b.c"), std::string("a"), token + "x.y", std::string("e30.e30."),
        "." + ToBase64Url(AsBytes(R"({"jti":"0"})")) + "."})
    EXPECT_EQ(TypeOf(Get(kPath, "", bad)), "401 TokenNotFound") << bad;
}

TEST_F(ServiceTest, NothingIsServedWithoutAnAttestedSession) {
  EXPECT_EQ(TypeOf(Get(kPath)), "401 TokenNotFound");
  EXPECT_EQ(TypeOf(Get(kPath, "0123")), "401 TokenNotFound");
  EXPECT_EQ(TypeOf(Get(kPath, Opened())), "401 TokenNotFound");
  EXPECT_EQ(TypeOf(Post("/kbs/v0/attest", AttestBody())), "401 AttestationError");
  EXPECT_EQ(TypeOf(Post("/kbs/v0/attest", AttestBody(), "0123")), "401 AttestationError");
}

TEST_F(ServiceTest, OtherVersionsAndTeesHearWhatIsServed) {
  for (const char* version : {"0.1.1", "0.3.0", "0.4.1", "0.5.0", "", "0.4"}) {
    Json body = AuthBody();
    body["version"] = version;
    const HttpResponse reply = Post("/kbs/v0/auth", body);
    EXPECT_EQ(TypeOf(reply), "401 AttestationError");
    EXPECT_NE(reply.body.find("0.4.0"), std::string::npos) << reply.body;
  }
  Json body = AuthBody();
  body["tee"] = "sample";
  const HttpResponse reply = Post("/kbs/v0/auth", body);
  EXPECT_EQ(TypeOf(reply), "401 AttestationError");
  EXPECT_NE(reply.body.find("snp, tdx and sgx"), std::string::npos) << reply.body;
  for (const Json& bad : {Json(), Json::array(), Json::object(), Json{{"version", 4}}})
    EXPECT_EQ(TypeOf(Post("/kbs/v0/auth", bad)), "401 AttestationError");
  EXPECT_EQ(link.enclave.connections, 0);
}

TEST_F(ServiceTest, ARefusalOfTheEnclaveEndsTheSession) {
  const std::string id = Opened();
  link.enclave.attest = Fail(Code::kEvidenceSignature, "the reason");
  const HttpResponse reply = Post("/kbs/v0/attest", AttestBody(), id);
  EXPECT_EQ(TypeOf(reply), "401 AttestationError");
  EXPECT_EQ(reply.body.find("reason"), std::string::npos) << reply.body;
  EXPECT_EQ(reply.body.find("ignature"), std::string::npos) << reply.body;
  EXPECT_EQ(link.enclave.connections, 0);
  link.enclave.attest.reset();
  EXPECT_EQ(TypeOf(Post("/kbs/v0/attest", AttestBody(), id)), "401 AttestationError");
}

TEST_F(ServiceTest, AMalformedAttestLeavesTheSession) {
  const std::string id = Opened();
  for (const char* part : {"runtime-data", "tee-evidence"}) {
    Json body = AttestBody();
    body.erase(part);
    EXPECT_EQ(TypeOf(Post("/kbs/v0/attest", body, id)), "401 AttestationError") << part;
  }
  Json body = AttestBody();
  body["runtime-data"]["tee-pubkey"]["alg"] = "RSA1_5";
  EXPECT_EQ(TypeOf(Post("/kbs/v0/attest", body, id)), "401 AttestationError");
  body = AttestBody();
  body["tee-evidence"]["additional_evidence"] = std::string(attest::kMaxRcarRuntimeData, 'x');
  EXPECT_EQ(TypeOf(Post("/kbs/v0/attest", body, id)), "401 AttestationError");
  EXPECT_TRUE(link.enclave.runtime_data.empty());
  EXPECT_EQ(Post("/kbs/v0/attest", AttestBody(), id).status, 200U);
}

TEST_F(ServiceTest, RefusalsOfAReleaseAreToldApart) {
  const std::string id = Attested();
  const auto type_of = [&](Code code) {
    link.enclave.release = Fail(code, "the reason");
    const HttpResponse reply = Get(kPath, id);
    EXPECT_EQ(reply.body.find("reason"), std::string::npos);
    return TypeOf(reply);
  };
  EXPECT_EQ(type_of(Code::kDenied), "403 PolicyDeny");
  EXPECT_EQ(type_of(Code::kWrapRefused), "403 PolicyDeny");
  EXPECT_EQ(type_of(Code::kLimitReached), "403 PolicyDeny");
  EXPECT_EQ(type_of(Code::kObjectNotFound), "404 InvalidRequestPath");
  EXPECT_EQ(type_of(Code::kNotAttested), "401 TokenNotFound");
  EXPECT_EQ(type_of(Code::kEvidenceExpired), "401 TokenNotFound");
  link.enclave.release.reset();
  EXPECT_EQ(Get(kPath, id).status, 200U) << "the session is as it was";
  EXPECT_EQ(type_of(Code::kChannelClosed), "503 PluginInternalError");
  EXPECT_EQ(link.enclave.connections, 0);
  EXPECT_EQ(type_of(Code::kDenied), "401 TokenNotFound") << "it attests anew";
}

TEST_F(ServiceTest, AnEnclaveOutOfReachIsSaidToBe) {
  link.enclave.connect = Fail(Code::kUnreachable, "unix:/run/x");
  const HttpResponse reply = Post("/kbs/v0/auth", AuthBody());
  EXPECT_EQ(TypeOf(reply), "503 PluginInternalError");
  EXPECT_EQ(reply.body.find("/run/x"), std::string::npos);
  EXPECT_EQ(service.sessions(), 0U);
}

TEST_F(ServiceTest, SessionsEnd) {
  const std::string opened = Opened();
  const std::string attested = Attested();
  EXPECT_EQ(link.enclave.connections, 2);
  clock.steady += seconds(60);
  EXPECT_EQ(TypeOf(Post("/kbs/v0/attest", AttestBody(), opened)), "401 AttestationError");
  EXPECT_EQ(Get(kPath, attested).status, 200U);
  EXPECT_EQ(link.enclave.connections, 1);
  clock.steady += seconds(240);
  EXPECT_EQ(TypeOf(Get(kPath, attested)), "401 TokenNotFound");
  EXPECT_EQ(link.enclave.connections, 0);
}

TEST_F(ServiceTest, ThereAreSoManySessions) {
  for (size_t i = 0; i < kMaxSessions; ++i) Opened();
  EXPECT_EQ(TypeOf(Post("/kbs/v0/auth", AuthBody())), "503 PluginInternalError");
  EXPECT_EQ(static_cast<size_t>(link.enclave.connections), kMaxSessions);
  clock.steady += seconds(60);
  Opened();
  EXPECT_EQ(service.sessions(), 1U) << "those that came to nothing have ended";
}

TEST(FlattenedJwe, IsOfFiveEncodedParts) {
  EXPECT_TRUE(FlattenedJwe(AsBytes("aGVhZGVy.a2V5.aXY..dGFn")).ok());
  for (const std::string_view bad : {"", "a2V5.a2V5.a2V5.a2V5", "a2V5.a2V5.a2V5.a2V5.a2V5.a2V5",
                                     "a2V5.a2V5.a2V5.a2V5.a2V5=", "a2V5.a2V5.a2V5.a2V5.\x94"})
    EXPECT_FALSE(FlattenedJwe(AsBytes(bad)).ok()) << bad;
}

TEST_F(ServiceTest, PathsNameOneObject) {
  const std::string id = Attested();
  for (const char* path :
       {"/kbs/v0/resource/a/b", "/kbs/v0/resource/a/b/c/d", "/kbs/v0/resource//b/c",
        "/kbs/v0/resource/a/b/", "/kbs/v0/resource/a/../c", "/kbs/v0/resource/a/b/.c",
        "/kbs/v0/resource/a/b/c d", "/kbs/v0/resource/a/b/c\n", "/kbs/v0/resource/a/b/\xc3\xa9"})
    EXPECT_EQ(TypeOf(Get(path, id)), "404 InvalidRequestPath") << path;
  EXPECT_EQ(TypeOf(service.Handle(
                {.method = "GET", .path = kPath, .has_query = true, .cookie = id, .bearer = {}})),
            "404 InvalidRequestPath");
  EXPECT_EQ(Get("/kbs/v0/resource/A-1/b_2/c.3", id).status, 200U);
  EXPECT_EQ(link.enclave.wanted.label, "A-1/b_2/c.3");
}

TEST_F(ServiceTest, WhatElseTrusteeServesIsNotServed) {
  EXPECT_EQ(TypeOf(Post("/kbs/v0/resource-policy", {})), "404 PluginNotFound");
  EXPECT_EQ(TypeOf(Post("/kbs/v0/attestation-policy", {})), "404 PluginNotFound");
  EXPECT_EQ(TypeOf(Get("/kbs/v0/auth")), "404 PluginNotFound");
  EXPECT_EQ(TypeOf(Post(kPath, {})), "401 AdminAuth");
  EXPECT_EQ(TypeOf(Get("/")), "404 InvalidRequestPath");
  EXPECT_EQ(Get("/healthz").status, 200U);
}

}  // namespace
}  // namespace keyclave::kbs
