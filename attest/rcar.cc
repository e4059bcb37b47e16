#include "attest/rcar.h"

#include <nlohmann/json.hpp>

#include "attest/jwk.h"
#include "attest/strict_json.h"
#include "enclave/base/hash.h"

namespace keyclave::attest {
namespace {

using Json = nlohmann::json;

constexpr const char* kAdditional = "additional-evidence";
constexpr const char* kNonce = "nonce";
constexpr const char* kPublicKey = "tee-pubkey";
constexpr std::string_view kRsaAlgorithm = "RSA-OAEP-256";
constexpr std::string_view kEcAlgorithm = "ECDH-ES+A256KW";

// Exactly these members, all of them texts.
bool HasTexts(const Json& object, std::initializer_list<const char*> names) {
  return object.is_object() && object.size() == names.size() &&
         std::all_of(names.begin(), names.end(),
                     [&](const char* name) { return TextMember(object, name).has_value(); });
}

}  // namespace

Result<TeePublicKey> ParseTeePublicKey(const Json& jwk) {
  const bool is_rsa = HasTexts(jwk, {"kty", "alg", "n", "e"}) && jwk.at("kty") == "RSA";
  const bool is_ec = HasTexts(jwk, {"kty", "alg", "crv", "x", "y"}) && jwk.at("kty") == "EC";
  if (!is_rsa && !is_ec)
    return Fail(Code::kMalformed,
                "tee-pubkey: an RSA key of kty, alg, n, e or an EC key of kty, alg, crv, x, y");
  const std::string_view algorithm = is_rsa ? kRsaAlgorithm : kEcAlgorithm;
  if (jwk.at("alg") != algorithm)
    return Fail(Code::kMalformed, "tee-pubkey: alg is " + std::string(algorithm) + " for this kty");
  const auto parsed = ParseJwk(jwk);
  if (!parsed.ok()) return parsed.error().In("tee-pubkey");
  return TeePublicKey{.spki = parsed->key.spki(), .is_rsa = is_rsa};
}

Bytes EncodeRcarRuntimeData(std::string_view nonce, const Json& tee_public_key,
                            std::string_view additional_evidence) {
  const Json object = {
      {kAdditional, additional_evidence}, {kNonce, nonce}, {kPublicKey, tee_public_key}};
  // RFC 8785 for texts and ASCII names, which is all there is in it: names sorted, no white space,
  // and no character escaped that need not be. What is no UTF-8 has no such form.
  return ToBytes(object.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace));
}

Result<RcarRuntimeData> ParseRcarRuntimeData(ByteSpan bytes) {
  if (bytes.size() > kMaxRcarRuntimeData) return Fail(Code::kTooLarge, "runtime data");
  KC_ASSIGN(const Json json, ParseStrictJson(bytes));
  const auto nonce = TextMember(json, kNonce);
  const auto additional = TextMember(json, kAdditional);
  if (json.size() != 3 || !nonce || !additional || !json.contains(kPublicKey))
    return Fail(Code::kMalformed, "runtime data: additional-evidence, nonce and tee-pubkey");
  const Json& key = json.at(kPublicKey);
  KC_ASSIGN(TeePublicKey recipient, ParseTeePublicKey(key));
  if (!Equal(EncodeRcarRuntimeData(*nonce, key, *additional), bytes))
    return Fail(Code::kMalformed, "runtime data is not in the canonical form of RFC 8785");
  return RcarRuntimeData{.nonce = *nonce, .recipient = std::move(recipient)};
}

Result<ReportData> RcarReportData(ByteSpan runtime_data) {
  KC_ASSIGN(const Bytes digest, Hash(HashAlgorithm::kSha384, runtime_data));
  ReportData data{};
  std::copy(digest.begin(), digest.end(), data.begin());
  return data;
}

}  // namespace keyclave::attest
