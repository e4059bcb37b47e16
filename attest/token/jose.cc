#include "attest/token/jose.h"

#include <nlohmann/json.hpp>

#include "attest/strict_json.h"

namespace keyclave::attest::token {
namespace {

using Json = nlohmann::json;

// RFC 7518 §3.1 and RFC 8037 §3.1, without `none` and the HMACs: a verifier that knows them can be
// made to take no signature, or a public key for a secret.
struct AlgorithmRow {
  std::string_view name;
  SignatureScheme scheme;
  KeyKind kind;
  size_t number;  // bytes of r and of s; 0: the signature is one string
};
constexpr AlgorithmRow kAlgorithms[] = {
    {"RS256", SignatureScheme::kRsaPkcs1Sha256, KeyKind::kRsa, 0},
    {"RS384", SignatureScheme::kRsaPkcs1Sha384, KeyKind::kRsa, 0},
    {"RS512", SignatureScheme::kRsaPkcs1Sha512, KeyKind::kRsa, 0},
    {"PS256", SignatureScheme::kRsaPssSha256, KeyKind::kRsa, 0},
    {"PS384", SignatureScheme::kRsaPssSha384, KeyKind::kRsa, 0},
    {"PS512", SignatureScheme::kRsaPssSha512, KeyKind::kRsa, 0},
    {"ES256", SignatureScheme::kEcdsaP256Sha256, KeyKind::kEcP256, 32},
    {"ES384", SignatureScheme::kEcdsaP384Sha384, KeyKind::kEcP384, 48},
    {"ES512", SignatureScheme::kEcdsaP521Sha512, KeyKind::kEcP521, 66},
    {"EdDSA", SignatureScheme::kEd25519, KeyKind::kEd25519, 0},
};

const AlgorithmRow* FindAlgorithm(std::string_view name) {
  for (const AlgorithmRow& row : kAlgorithms) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

Result<Json> DecodeObject(std::string_view part) {
  KC_ASSIGN(const Bytes text, FromBase64UrlStrict(part));
  return ParseStrictJson(text);
}

Status CheckHeader(const Json& header) {
  for (const char* name : {"crit", "b64"}) {
    if (header.contains(name)) return Fail(Code::kMalformed, std::string("header with ") + name);
  }
  const auto kid = header.find("kid");
  if (kid != header.end() && !kid->is_string()) return Fail(Code::kMalformed, "kid is no text");
  return Done{};
}

}  // namespace

Result<Token> ParseToken(ByteSpan bytes) {
  std::string_view text = AsText(bytes);
  // Files end in a new line. It is not signed, and says nothing.
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  const size_t first = text.find('.');
  const size_t second = first == std::string_view::npos ? first : text.find('.', first + 1);
  if (second == std::string_view::npos) return Fail(Code::kMalformed, "not three parts");
  Token token;
  KC_ASSIGN(Json header, DecodeObject(text.substr(0, first)));
  KC_ASSIGN(Json payload, DecodeObject(text.substr(first + 1, second - first - 1)));
  KC_ASSIGN(token.signature, FromBase64UrlStrict(text.substr(second + 1)));
  KC_CHECK_OK(CheckHeader(header));
  const auto algorithm = TextMember(header, "alg");
  if (!algorithm.has_value()) return Fail(Code::kMalformed, "header without alg");
  token.algorithm = *algorithm;
  token.kid = TextMember(header, "kid");
  token.signing_input = ToBytes(text.substr(0, second));
  token.header = std::make_shared<const Json>(std::move(header));
  token.payload = std::make_shared<const Json>(std::move(payload));
  return token;
}

Status CheckAlgorithm(const Token& token) {
  if (FindAlgorithm(token.algorithm) == nullptr)
    return FailWanted(Code::kEvidenceSignature, "alg", "RS…, PS…, ES… or EdDSA", token.algorithm);
  return Done{};
}

bool FitsKey(const Token& token, const PublicKey& key) {
  const AlgorithmRow* row = FindAlgorithm(token.algorithm);
  return row != nullptr && row->kind == key.kind();
}

Status VerifyToken(const Token& token, const PublicKey& key, std::string_view bound_to) {
  const AlgorithmRow* row = FindAlgorithm(token.algorithm);
  if (row == nullptr) return CheckAlgorithm(token);
  if (row->kind != key.kind() || (!bound_to.empty() && bound_to != row->name))
    return Fail(Code::kEvidenceSignature, "alg " + token.algorithm + " is not its key's");
  if (row->number == 0) return key.Verify(row->scheme, token.signing_input, token.signature);
  // RFC 7518 §3.4: r and s, each as long as the curve's field.
  if (token.signature.size() != 2 * row->number)
    return FailWanted(Code::kEvidenceSignature, "bytes of the signature",
                      std::to_string(2 * row->number), std::to_string(token.signature.size()));
  const ByteSpan signature(token.signature);
  return key.VerifyEcdsa(row->scheme, token.signing_input, signature.first(row->number),
                         signature.subspan(row->number));
}

}  // namespace keyclave::attest::token
