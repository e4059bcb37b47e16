#include "attest/jwk.h"

#include <nlohmann/json.hpp>

#include "attest/strict_json.h"

namespace keyclave::attest {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxKeys = 64;
constexpr size_t kMaxChain = 8;
constexpr unsigned kMinRsaBits = 2048;

Result<Bytes> NumberMember(const Json& json, const char* name) {
  const auto text = TextMember(json, name);
  if (!text.has_value()) return Fail(Code::kMalformed, std::string("JWK without ") + name);
  return FromBase64UrlStrict(*text);
}

Result<PublicKey> RsaKey(const Json& json) {
  KC_ASSIGN(const Bytes n, NumberMember(json, "n"));
  KC_ASSIGN(const Bytes e, NumberMember(json, "e"));
  return PublicKey::FromRsa(n, e);
}

Result<PublicKey> EcKey(const Json& json) {
  struct Curve {
    std::string_view name;
    KeyKind kind;
    size_t size;
  };
  constexpr Curve kCurves[] = {{"P-256", KeyKind::kEcP256, 32},
                               {"P-384", KeyKind::kEcP384, 48},
                               {"P-521", KeyKind::kEcP521, 66}};
  const auto name = TextMember(json, "crv");
  for (const Curve& curve : kCurves) {
    if (name != curve.name) continue;
    KC_ASSIGN(const Bytes x, NumberMember(json, "x"));
    KC_ASSIGN(const Bytes y, NumberMember(json, "y"));
    // RFC 7518 §6.2.1.2: as long as the curve's field, leading zeros and all.
    if (x.size() != curve.size || y.size() != curve.size)
      return Fail(Code::kMalformed, "JWK with a coordinate of another length than its curve's");
    return PublicKey::FromEcPoint(curve.kind, x, y);
  }
  return Fail(Code::kMalformed, "JWK of another curve");
}

Result<PublicKey> EdwardsKey(const Json& json) {
  if (TextMember(json, "crv") != "Ed25519") return Fail(Code::kMalformed, "JWK of another curve");
  KC_ASSIGN(const Bytes x, NumberMember(json, "x"));
  if (x.size() != 32) return Fail(Code::kMalformed, "JWK with a point of another length");
  return PublicKey::FromEd25519(x);
}

bool IsUsed(const std::string& kind) { return kind == "RSA" || kind == "EC" || kind == "OKP"; }

// The key of its own members; nullopt if it has only certificates (Azure's attestation service).
Result<std::optional<PublicKey>> OwnKey(const Json& json, const std::string& kind) {
  const char* first = kind == "RSA" ? "n" : "x";
  if (!json.contains(first)) return std::optional<PublicKey>();
  KC_ASSIGN(PublicKey key, kind == "RSA"  ? RsaKey(json)
                           : kind == "EC" ? EcKey(json)
                                          : EdwardsKey(json));
  return std::optional<PublicKey>(std::move(key));
}

Result<std::vector<Certificate>> Chain(const Json& json) {
  std::vector<Certificate> chain;
  const auto found = json.find("x5c");
  if (found == json.end()) return chain;
  if (!found->is_array() || found->size() > kMaxChain)
    return Fail(Code::kMalformed, "x5c is no list, or too long a one");
  for (const Json& one : *found) {
    const auto* text = one.get_ptr<const std::string*>();
    if (text == nullptr) return Fail(Code::kMalformed, "x5c holds no text");
    KC_ASSIGN(const Bytes der, FromBase64(*text));
    KC_ASSIGN(Certificate certificate, Certificate::FromDer(der));
    chain.push_back(std::move(certificate));
  }
  return chain;
}

}  // namespace

Result<Jwk> ParseJwk(const Json& json) {
  const std::string kind = TextMember(json, "kty").value_or("");
  if (!IsUsed(kind)) return Fail(Code::kMalformed, "JWK of another kind than RSA, EC and OKP");
  if (TextMember(json, "use").value_or("sig") != "sig")
    return Fail(Code::kMalformed, "JWK that is not for signatures");
  KC_ASSIGN(std::optional<PublicKey> own, OwnKey(json, kind));
  KC_ASSIGN(std::vector<Certificate> chain, Chain(json));
  if (!own.has_value() && chain.empty()) return Fail(Code::kMalformed, "JWK without a key");
  PublicKey key = own.has_value() ? *std::move(own) : chain.front().key();
  if (!chain.empty() && !Equal(key.spki(), chain.front().key().spki()))
    return Fail(Code::kMalformed, "JWK whose first certificate has another key");
  if (key.kind() == KeyKind::kOther) return Fail(Code::kMalformed, "JWK of another kind");
  if (key.kind() == KeyKind::kRsa && key.bits() < kMinRsaBits)
    return Fail(Code::kMalformed, "JWK of an RSA key of " + std::to_string(key.bits()) + " bits");
  return Jwk{TextMember(json, "kid").value_or(""), TextMember(json, "alg").value_or(""),
             std::move(key), std::move(chain)};
}

Result<std::vector<Jwk>> ParseJwks(ByteSpan text) {
  KC_ASSIGN(const Json json, ParseStrictJson(text));
  std::vector<Jwk> keys;
  if (!json.contains("keys")) {
    KC_ASSIGN(Jwk key, ParseJwk(json));
    keys.push_back(std::move(key));
    return keys;
  }
  const Json& list = json.find("keys").value();
  if (!list.is_array()) return Fail(Code::kMalformed, "JWK set without a list");
  if (list.size() > kMaxKeys) return Fail(Code::kTooLarge, "JWK set");
  for (const Json& one : list) {
    const bool other = !IsUsed(TextMember(one, "kty").value_or("")) ||
                       TextMember(one, "use").value_or("sig") != "sig";
    if (other) continue;
    KC_ASSIGN(Jwk key, ParseJwk(one));
    keys.push_back(std::move(key));
  }
  return keys;
}

Status CheckKeyTrust(const Jwk& jwk, const std::vector<Certificate>& roots, UnixTime now) {
  if (jwk.chain.empty())
    return Fail(Code::kEvidenceChain, "the key has no certificates that lead to a root");
  // RFC 7517 §4.7 wants each certificate to certify the one before it. What is proven by the
  // signatures does not depend on that order, and a path over given certificates is searched for.
  KC_ASSIGN(const CertificatePath path,
            BuildPath(jwk.chain.front(), jwk.chain, roots, {.now = now}));
  return Done{};
}

}  // namespace keyclave::attest
