// RCAR's runtime data: one spelling, one meaning, and the report data that Trustee's clients put
// into their evidence.

#include "attest/rcar.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "attest/public_key.h"
#include "enclave/base/hash.h"

namespace keyclave::attest {
namespace {

using Json = nlohmann::json;

constexpr const char* kX = "cNY5REBPXKRhZSvBoybe0GXZ--JqSa414TCe7dBj__I";
constexpr const char* kY = "y45eA7c9OqYyyxvbwvvnuSgzcFGx-4zZT3w11wznaqU";
constexpr const char* kModulus =
    "6TDTZVM7iWH_BelNePPlK2v8Yxo6s2K_I3Wi5bkx7NGjpXcL8udOxeAUvhV2RKb58qzoYl_y4BBupebMR_dk7x1CCm4Eas"
    "YWl5wjy8B5tNV2XbuK-uNepPrH9YF4oK4vNMmMIJ0YDk2OYug2U06y0JADaXU39jt7CXl0dfICzc7FjFnsfGOKot1OysJc"
    "8GmQp6PU6teMRF7Vx_I9wZq_3LGEyIgvFNR7FCoiQw8AbRHKlSA1et0Iv1mDrJbnrbEkf_L5y0i0d2s8Irws4rqSBeuYhI"
    "aP5pX9HJTr0B54YiyMs4ICjY_bgbbdpg9WppRIRDEWl5w1gNNCnWyopqkYZQ";
constexpr const char* kShortModulus =
    "oaQOxQqUDHq6NTNlKo16XzGY4KfTnuaw7H3ZkBL9DfZaMu1czbw0DlEG1YNwDgwdR7fpOeJDIJ0l5iUyPgL0QhbEn514cZ"
    "LgsZPjvADUC5mkfRUCGnnGJUH7pgD2kB843DAbKzJGp3l0g_MKZX70UjUkJs_NZqHz_nXtAWodb3U";

Json EcJwk() {
  return {{"kty", "EC"}, {"alg", "ECDH-ES+A256KW"}, {"crv", "P-256"}, {"x", kX}, {"y", kY}};
}
Json RsaJwk() { return {{"kty", "RSA"}, {"alg", "RSA-OAEP-256"}, {"n", kModulus}, {"e", "AQAB"}}; }
Json Changed(Json object, const Json& change) {
  object.update(change);
  return object;
}
Json Without(Json object, const char* name) {
  object.erase(name);
  return object;
}

std::string CodeOf(const Json& jwk) {
  const auto key = ParseTeePublicKey(jwk);
  return key.ok() ? "ok" : std::string(CodeName(key.code()));
}
std::string CodeOfText(std::string_view text) {
  const auto data = ParseRcarRuntimeData(AsBytes(text));
  return data.ok() ? "ok" : std::string(CodeName(data.code()));
}

TEST(TeePublicKey, IsTheKeyOfItsMembers) {
  const auto ec = ParseTeePublicKey(EcJwk());
  ASSERT_TRUE(ec.ok()) << ec.error().Text();
  EXPECT_FALSE(ec->is_rsa);
  EXPECT_EQ(ec->spki,
            PublicKey::FromEcPoint(KeyKind::kEcP256, *FromBase64(kX), *FromBase64(kY))->spki());
  const auto rsa = ParseTeePublicKey(RsaJwk());
  ASSERT_TRUE(rsa.ok()) << rsa.error().Text();
  EXPECT_TRUE(rsa->is_rsa);
  EXPECT_EQ(rsa->spki, PublicKey::FromRsa(*FromBase64(kModulus), *FromBase64("AQAB"))->spki());
}

TEST(TeePublicKey, HasTheMembersOfItsKindAndNoOthers) {
  for (const Json& whole : {EcJwk(), RsaJwk()}) {
    for (const auto& [name, value] : whole.items()) {
      EXPECT_EQ(CodeOf(Without(whole, name.c_str())), "Malformed") << name;
      EXPECT_EQ(CodeOf(Changed(whole, {{name, 1}})), "Malformed") << name;
      EXPECT_EQ(CodeOf(Changed(whole, {{name, ""}})), "Malformed") << name;
    }
    EXPECT_EQ(CodeOf(Changed(whole, {{"kid", "a"}})), "Malformed");
    EXPECT_EQ(CodeOf(Changed(whole, {{"x5c", Json::array()}})), "Malformed");
  }
  for (const Json& other : {Json(), Json(1), Json::array(), Json::object(), Json("EC")})
    EXPECT_EQ(CodeOf(other), "Malformed") << other;
}

TEST(TeePublicKey, NamesAnAlgorithmThatIsSafe) {
  for (const char* algorithm : {"RSA1_5", "RSA-OAEP", "rsa-oaep-256", "ECDH-ES+A256KW", "dir"})
    EXPECT_EQ(CodeOf(Changed(RsaJwk(), {{"alg", algorithm}})), "Malformed") << algorithm;
  for (const char* algorithm : {"ECDH-ES", "ECDH-ES+A128KW", "RSA-OAEP-256"})
    EXPECT_EQ(CodeOf(Changed(EcJwk(), {{"alg", algorithm}})), "Malformed") << algorithm;
}

TEST(TeePublicKey, IsAGoodKey) {
  EXPECT_EQ(CodeOf(Changed(RsaJwk(), {{"n", kShortModulus}})), "Malformed");
  EXPECT_EQ(CodeOf(Changed(RsaJwk(), {{"n", std::string(kModulus) + "="}})), "Malformed");
  EXPECT_EQ(CodeOf(Changed(EcJwk(), {{"x", kY}})), "Malformed") << "not on the curve";
  EXPECT_EQ(CodeOf(Changed(EcJwk(), {{"crv", "P-384"}})), "Malformed");
  EXPECT_EQ(CodeOf(Changed(EcJwk(), {{"crv", "secp256k1"}})), "Malformed");
  EXPECT_EQ(CodeOf(Changed(EcJwk(), {{"kty", "OKP"}})), "Malformed");
}

// As Python's json writes it with sorted names and no white space, for the same members.
TEST(RcarRuntimeData, IsTheCanonicalForm) {
  const std::string wanted =
      std::string(R"({"additional-evidence":"{\"nvidia\":\"\\\\ é\u0001)") + "\x7f" +
      R"(\"}","nonce":"AQID","tee-pubkey":{"alg":"ECDH-ES+A256KW","crv":"P-256","kty":"EC","x":")" +
      kX + R"(","y":")" + kY + R"("}})";
  const Bytes encoded =
      EncodeRcarRuntimeData("AQID", EcJwk(), "{\"nvidia\":\"\\\\ \xc3\xa9\x01\x7f\"}");
  EXPECT_EQ(AsText(encoded), wanted);
  const auto report_data = RcarReportData(encoded);
  ASSERT_TRUE(report_data.ok());
  EXPECT_EQ(
      ToHex(*report_data),
      "a7bd8ff767e9841edb9234e5badb15c1fb61bcfac1dd2e91845363737bea6b754b7504a036f863b80a084fc9"
      "f384275e" +
          std::string(32, '0'));
  const auto parsed = ParseRcarRuntimeData(encoded);
  ASSERT_TRUE(parsed.ok()) << parsed.error().Text();
  EXPECT_EQ(parsed->nonce, "AQID");
  EXPECT_EQ(parsed->recipient.spki, ParseTeePublicKey(EcJwk())->spki);
}

TEST(RcarRuntimeData, HasOneSpelling) {
  const std::string good(AsText(EncodeRcarRuntimeData("AQID", EcJwk(), "")));
  ASSERT_EQ(CodeOfText(good), "ok");
  EXPECT_EQ(CodeOfText(good + "\n"), "Malformed");
  EXPECT_EQ(CodeOfText(" " + good), "Malformed");
  EXPECT_EQ(CodeOfText(good + "{}"), "Malformed");
  EXPECT_EQ(CodeOfText(good + std::string(1, '\0')), "Malformed");
  const Json object = Json::parse(good);
  EXPECT_EQ(CodeOfText(object.dump(1)), "Malformed");
  const std::string key = object.at("tee-pubkey").dump();
  EXPECT_EQ(CodeOfText(R"({"nonce":"AQID","additional-evidence":"","tee-pubkey":)" + key + "}"),
            "Malformed")
      << "another order";
  EXPECT_EQ(
      CodeOfText(R"({"additional-evidence":"","nonce":"\u0041QID","tee-pubkey":)" + key + "}"),
      "Malformed")
      << "an escape that nobody needs";
}

TEST(RcarRuntimeData, NoNameStandsTwice) {
  const std::string key = EcJwk().dump();
  for (const std::string& bad :
       {R"({"additional-evidence":"","nonce":"AQID","nonce":"AQID","tee-pubkey":)" + key + "}",
        R"({"additional-evidence":"","nonce":"AQID","tee-pubkey":)" + key + R"(,"tee-pubkey":)" +
            key + "}",
        R"({"additional-evidence":"","nonce":"AQID","tee-pubkey":)" +
            key.substr(0, key.size() - 1) + R"(,"x":")" + kX + "\"}}"})
    EXPECT_EQ(CodeOfText(bad), "Malformed") << bad;
}

TEST(RcarRuntimeData, HasItsMembersAndNoOthers) {
  const Json whole = Json::parse(AsText(EncodeRcarRuntimeData("AQID", EcJwk(), "")));
  for (const auto& [name, value] : whole.items()) {
    EXPECT_EQ(CodeOfText(Without(whole, name.c_str()).dump()), "Malformed") << name;
    EXPECT_EQ(CodeOfText(Changed(whole, {{name, 1}}).dump()), "Malformed") << name;
  }
  EXPECT_EQ(CodeOfText(Changed(whole, {{"more", ""}}).dump()), "Malformed");
  EXPECT_EQ(CodeOfText(""), "Malformed");
  EXPECT_EQ(CodeOfText("[]"), "Malformed");
}

TEST(RcarRuntimeData, HasALimit) {
  const size_t rest = EncodeRcarRuntimeData("AQID", EcJwk(), "").size();
  const auto of_size = [&](size_t size) {
    return CodeOfText(
        AsText(EncodeRcarRuntimeData("AQID", EcJwk(), std::string(size - rest, 'x'))));
  };
  EXPECT_EQ(of_size(kMaxRcarRuntimeData), "ok");
  EXPECT_EQ(of_size(kMaxRcarRuntimeData + 1), "TooLarge");
}

}  // namespace
}  // namespace keyclave::attest
