// Tokens of real attestation services, where they are at hand: KEYCLAVE_EVIDENCE_DIR names a folder
// with an INDEX.md that says what each must give.

#include <gtest/gtest.h>

#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "attest/jwk.h"
#include "attest/strict_json.h"
#include "attest/tee_type.h"
#include "enclave/base/file.h"

namespace keyclave::attest {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr size_t kMaxFile = size_t{1} << 20;

Bytes Read(const fs::path& folder, const char* name) {
  auto bytes = ReadFile((folder / name).string(), kMaxFile);
  return bytes.ok() ? *std::move(bytes) : Bytes();
}

// What the folder brings counts, because this caller says so.
Trust TrustOf(const fs::path& folder) {
  TokenIssuer issuer{.issuer = {}, .audience = {}, .keys = {}, .roots = {}};
  for (const char* name : {"jwks.json", "trusted_key.jwk.json"}) {
    if (fs::exists(folder / name)) issuer.keys = Read(folder, name);
  }
  Trust trust;
  trust.token_issuers = {std::move(issuer)};
  return trust;
}

UnixTime TimeOf(const Json& meta) {
  const Json& at = meta["expected"]["verify_at"];
  // Where nothing says when, nothing depends on it.
  return ParseTime(at.is_string() ? at.get<std::string>() : "2024-01-01T00:00:00Z").value();
}

Result<ClaimSet> ExamineToken(const fs::path& folder, const Json& meta) {
  KC_ASSIGN(const Unverified parsed, ParseEvidence("token", Read(folder, "token.jwt")));
  EXPECT_FALSE(parsed.type().describe(parsed.parsed()).empty());
  const Trust trust = TrustOf(folder);
  return ExamineEvidence(parsed, {trust, TimeOf(meta), ExpectedBinding::None()});
}

// Whether a key leads to the roots beside it.
Result<ClaimSet> ExamineKey(const fs::path& folder, const Json& meta) {
  KC_ASSIGN(const Json json, ParseStrictJson(Read(folder, "jwk.json")));
  KC_ASSIGN(const Jwk key, ParseJwk(json));
  KC_ASSIGN(const auto roots, Certificate::ListFrom(Read(folder, "trusted_roots.pem")));
  KC_CHECK_OK(CheckKeyTrust(key, roots, TimeOf(meta)));
  ClaimSet none;
  none.Set("debug", false);
  return none;
}

// The default policy refuses debug mode and expired tokens.
std::string VerdictOf(const Result<ClaimSet>& claims) {
  if (!claims.ok()) return "reject";
  const auto is = [&](const char* name) {
    const Claim* claim = claims->Find(name);
    return claim != nullptr && claim->value == ClaimValue(true);
  };
  return is("debug") || is("token.expired") ? "policy" : "accept";
}

struct Row {
  const char* member;
  const char* claim;
};

// Members of the payload that became claims as they are.
bool SameClaims(const Json& payload, const ClaimSet& claims, const std::string& vector) {
  constexpr Row kRows[] = {{"tdx_mrtd", "measurement"},       {"x-ms-sgx-mrenclave", "measurement"},
                           {"x-ms-sgx-mrsigner", "signer"},   {"tdx_rtmr3", "token.rtmr3"},
                           {"attester_tcb_date", "tcb_date"}, {"iss", "token.issuer"},
                           {"hwmodel", "token.hw_model"}};
  bool same = true;
  for (const Row& row : kRows) {
    if (!payload.contains(row.member)) continue;
    const Claim* claim = claims.Find(row.claim);
    const std::string got = claim == nullptr ? "absent" : ToText(claim->value);
    EXPECT_EQ(got, payload[row.member].get<std::string>()) << vector << ": " << row.claim;
    same = same && got == payload[row.member].get<std::string>();
  }
  return same;
}

bool Matches(const fs::path& folder) {
  const std::string name = folder.filename().string();
  const Json meta = Json::parse(Read(folder, "META.json"), nullptr, false);
  const auto claims =
      fs::exists(folder / "jwk.json") ? ExamineKey(folder, meta) : ExamineToken(folder, meta);
  const std::string wanted = meta["expected"]["verdict_code"].get<std::string>();
  const std::string got = VerdictOf(claims);
  std::cout << "  " << name << ": " << got << " " << (claims.ok() ? "" : claims.error().Text())
            << "\n";
  // Either answer is right for an edge: a path is searched for, whatever the order of x5c.
  const bool same = wanted == "edge" ? got == "accept" : got == wanted;
  EXPECT_TRUE(same) << name << ": wanted " << wanted << ", got " << got;
  if (!claims.ok() || !meta.contains("claims") || !meta["claims"].contains("payload")) return same;
  return SameClaims(meta["claims"]["payload"], *claims, name) && same;
}

TEST(TokenVectors, GiveWhatTheirIndexSays) {
  const char* folder = std::getenv("KEYCLAVE_EVIDENCE_DIR");
  if (folder == nullptr || !fs::is_directory(fs::path(folder) / "jwt"))
    GTEST_SKIP() << "KEYCLAVE_EVIDENCE_DIR names no folder of real evidence with jwt";
  size_t all = 0;
  size_t good = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(folder) / "jwt")) {
    ++all;
    if (Matches(entry.path())) ++good;
  }
  std::cout << "jwt: " << good << " of " << all << " vectors match\n";
  EXPECT_EQ(good, all);
  EXPECT_GT(all, 0U);
}

}  // namespace
}  // namespace keyclave::attest
