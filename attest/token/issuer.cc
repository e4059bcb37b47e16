#include "attest/token/issuer.h"

#include <nlohmann/json.hpp>

#include "attest/strict_json.h"

namespace keyclave::attest::token {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxChain = 8;

// Certificates of the header: base64 of DER as RFC 7515 §4.1.6 has it, or PEM, as Google writes it.
Result<std::vector<Certificate>> HeaderChain(const Json& header) {
  std::vector<Certificate> chain;
  const auto found = header.find("x5c");
  if (found == header.end() || !found->is_array() || found->empty() || found->size() > kMaxChain)
    return Fail(Code::kEvidenceChain, "the token brings no certificates, and no key is configured");
  for (const Json& one : *found) {
    const auto* text = one.get_ptr<const std::string*>();
    if (text == nullptr) return Fail(Code::kEvidenceChain, "x5c holds no text");
    if (text->find("-----BEGIN") != std::string::npos) {
      KC_ASSIGN(const auto list, Certificate::ListFrom(AsBytes(*text)));
      chain.insert(chain.end(), list.begin(), list.end());
    } else {
      KC_ASSIGN(const Bytes der, FromBase64(*text));
      KC_ASSIGN(Certificate certificate, Certificate::FromDer(der));
      chain.push_back(std::move(certificate));
    }
  }
  if (chain.empty()) return Fail(Code::kEvidenceChain, "x5c holds no certificate");
  return chain;
}

Status VerifyByHeader(const Token& token, const TokenIssuer& issuer, UnixTime now) {
  auto chain = HeaderChain(*token.header);
  if (!chain.ok()) return Fail(Code::kEvidenceChain, chain.error().Text());
  const PublicKey key = chain->front().key();
  const Jwk jwk{"", "", key, *std::move(chain)};
  KC_CHECK_OK(CheckKeyTrust(jwk, issuer.roots, now));
  return VerifyToken(token, key, "");
}

// With one key, which the token names or does not exclude.
Status VerifyByKey(const Token& token, const Jwk& key, const TokenIssuer& issuer, UnixTime now) {
  if (!issuer.roots.empty()) KC_CHECK_OK(CheckKeyTrust(key, issuer.roots, now));
  return VerifyToken(token, key.key, key.alg);
}

Status VerifyByKeys(const Token& token, const TokenIssuer& issuer, UnixTime now) {
  const auto keys = ParseJwks(issuer.keys);
  if (!keys.ok())
    return Fail(Code::kCollateralInvalid, "keys of " + issuer.issuer + ": " + keys.error().Text());
  std::optional<Error> refused;
  bool named = false;
  for (const Jwk& key : *keys) {
    // A key without a name answers to any; with one, only to its own.
    if (token.kid.has_value() && !key.kid.empty() && *token.kid != key.kid) continue;
    named = true;
    // Issuers give one name to keys of several kinds or algorithms; those that do not fit are no
    // candidates, whatever the header says.
    if (!FitsKey(token, key.key) || (!key.alg.empty() && key.alg != token.algorithm)) continue;
    Status verified = VerifyByKey(token, key, issuer, now);
    if (verified.ok()) return Done{};
    refused = std::move(verified).error();
  }
  if (refused.has_value()) return *std::move(refused);
  if (named)
    return Fail(Code::kEvidenceSignature, "alg " + token.algorithm + " is none of its key's");
  return Fail(Code::kEvidenceChain,
              "none of the issuer's configured keys has the kid " + token.kid.value_or("(none)"));
}

Status VerifyBy(const Token& token, const TokenIssuer& issuer, UnixTime now) {
  if (!issuer.keys.empty()) return VerifyByKeys(token, issuer, now);
  if (!issuer.roots.empty()) return VerifyByHeader(token, issuer, now);
  return Fail(Code::kEvidenceChain, "no keys and no roots are configured for " + issuer.issuer);
}

// RFC 7519 §4.1.3: a text, or a list of them.
bool HasAudience(const Json& payload, const std::string& wanted) {
  const auto found = payload.find("aud");
  if (found == payload.end()) return false;
  if (found->is_string()) return found->get<std::string>() == wanted;
  return found->is_array() && std::any_of(found->begin(), found->end(), [&](const Json& one) {
           return one.is_string() && one.get<std::string>() == wanted;
         });
}

Status CheckAudience(const Token& token, const TokenIssuer& issuer) {
  if (issuer.audience.empty() || HasAudience(*token.payload, issuer.audience)) return Done{};
  const auto found = token.payload->find("aud");
  return FailWanted(Code::kEvidenceIdentity, "aud", issuer.audience,
                    found == token.payload->end() ? "absent" : found->dump());
}

// An issuer that is configured without a name vouches for files only: on a session anybody's token
// under these keys would do.
bool IsFor(const TokenIssuer& issuer, const std::optional<std::string>& named, bool session) {
  if (issuer.issuer.empty()) return !session;
  return named.has_value() && *named == issuer.issuer;
}

}  // namespace

Result<const TokenIssuer*> VerifyIssuer(const Token& token, const VerifyContext& context) {
  KC_CHECK_OK(CheckAlgorithm(token));
  const auto named = TextMember(*token.payload, "iss");
  std::optional<Error> refused;
  for (const TokenIssuer& issuer : context.trust.token_issuers) {
    if (!IsFor(issuer, named, context.binding.for_session())) continue;
    Status verified = VerifyBy(token, issuer, context.now);
    if (verified.ok()) verified = CheckAudience(token, issuer);
    if (verified.ok()) return &issuer;
    refused = std::move(verified).error();
  }
  if (refused.has_value()) return *std::move(refused);
  return Fail(Code::kEvidenceChain, "no issuer is configured for iss " + named.value_or("(none)"));
}

}  // namespace keyclave::attest::token
