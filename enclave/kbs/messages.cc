#include "enclave/kbs/messages.h"

#include <nlohmann/json.hpp>

#include "attest/rcar.h"
#include "attest/strict_json.h"
#include "enclave/base/hash.h"

namespace keyclave::kbs {
namespace {

using Json = nlohmann::json;
using attest::TextMember;

constexpr std::string_view kProblems = "https://github.com/confidential-containers/kbs/errors/";
constexpr size_t kMaxName = 128;  // of a part of a path
constexpr size_t kPathParts = 3;
constexpr size_t kJweParts = 5;

// The member, or an object without members.
Json ObjectMember(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_object() ? *found : Json::object();
}

bool IsName(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  };
  return !name.empty() && name.size() <= kMaxName && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), fits);
}

std::vector<std::string_view> Split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t end = text.find(at);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

Result<AuthRequest> ParseAuthRequest(ByteSpan body) {
  KC_ASSIGN(const Json json, attest::ParseStrictJson(body));
  const auto version = TextMember(json, "version");
  const auto tee = TextMember(json, "tee");
  if (!version || !tee) return Fail(Code::kMalformed, "version and tee are wanted");
  if (*version != attest::kRcarVersion)
    return Fail(Code::kUnsupported, "protocol version: " + std::string(attest::kRcarVersion) +
                                        " is served, and no other");
  if (!IsKnownTee(*tee))
    return Fail(Code::kUnsupported, "tee: snp, tdx and sgx are served, and no other");
  return AuthRequest{.tee = *tee};
}

Result<AttestRequest> ParseAttestRequest(std::string_view tee, ByteSpan body) {
  KC_ASSIGN(const Json json, attest::ParseStrictJson(body));
  const Json runtime = ObjectMember(json, "runtime-data");
  const Json evidence = ObjectMember(json, "tee-evidence");
  const auto nonce = TextMember(runtime, "nonce");
  const auto additional = TextMember(evidence, "additional_evidence");
  if (!nonce || !additional || !runtime.contains("tee-pubkey") ||
      !evidence.contains("primary_evidence"))
    return Fail(Code::kMalformed,
                "runtime-data with nonce and tee-pubkey, and tee-evidence with primary_evidence "
                "and additional_evidence are wanted");
  const Json& key = runtime.at("tee-pubkey");
  KC_ASSIGN(const attest::TeePublicKey recipient, attest::ParseTeePublicKey(key));
  AttestRequest request;
  request.nonce = *nonce;
  request.tee_public_key = key.dump();
  request.recipient = Sha256(recipient.spki);
  request.is_rsa = recipient.is_rsa;
  request.runtime_data = attest::EncodeRcarRuntimeData(*nonce, key, *additional);
  if (request.runtime_data.size() > attest::kMaxRcarRuntimeData)
    return Fail(Code::kTooLarge, "additional_evidence");
  KC_ASSIGN(request.evidence, ParseEvidence(tee, evidence.at("primary_evidence")));
  return request;
}

std::string ChallengeText(ByteSpan nonce) {
  return Json{{"nonce", ToBase64(nonce)}, {"extra-params", ""}}.dump();
}

std::string TokenText(const TokenFields& fields) {
  const Json header = {{"alg", "none"}, {"typ", "JWT"}};
  const Json claims = {{"jti", fields.session},
                       {"iat", fields.issued},
                       {"exp", fields.expires},
                       {"tee-pubkey", Json::parse(fields.tee_public_key)}};
  const std::string token =
      ToBase64Url(AsBytes(header.dump())) + "." + ToBase64Url(AsBytes(claims.dump())) + ".";
  return Json{{"token", token}}.dump();
}

std::string SessionOfToken(std::string_view token) {
  const auto parts = Split(token, '.');
  if (parts.size() != 3) return {};
  const auto claims = attest::FromBase64UrlStrict(parts[1]);
  if (!claims.ok()) return {};
  const auto json = attest::ParseStrictJson(*claims);
  return json.ok() ? TextMember(*json, "jti").value_or("") : std::string();
}

Result<std::string> FlattenedJwe(ByteSpan compact) {
  const auto parts = Split(AsText(compact), '.');
  const bool encoded = std::all_of(parts.begin(), parts.end(), [](std::string_view part) {
    return attest::FromBase64UrlStrict(part).ok();
  });
  if (parts.size() != kJweParts || !encoded) return Fail(Code::kMalformed, "no JWE");
  return Json{{"protected", parts[0]},
              {"encrypted_key", parts[1]},
              {"iv", parts[2]},
              {"ciphertext", parts[3]},
              {"tag", parts[4]}}
      .dump();
}

std::string ProblemText(std::string_view type, std::string_view detail) {
  return Json{{"type", std::string(kProblems) + std::string(type)}, {"detail", detail}}.dump(
      -1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace);
}

std::optional<std::string> LabelOf(std::string_view path) {
  constexpr std::string_view kPrefix = "/kbs/v0/resource/";
  if (!path.starts_with(kPrefix)) return std::nullopt;
  path.remove_prefix(kPrefix.size());
  const auto parts = Split(path, '/');
  if (parts.size() != kPathParts || !std::all_of(parts.begin(), parts.end(), IsName))
    return std::nullopt;
  return std::string(path);
}

}  // namespace keyclave::kbs
