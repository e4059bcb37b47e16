// Signed tokens: JSON Web Signatures in compact form that hold a claims set (RFC 7515, RFC 7519).
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>

#include "attest/public_key.h"

namespace keyclave::attest::token {

// As it is understood. Nothing of it may be believed: neither the header, nor the keys in it.
struct Token {
  Bytes signing_input;  // header and payload as they are signed
  Bytes signature;
  std::string algorithm;           // `alg`
  std::optional<std::string> kid;  // which of the issuer's keys it names
  std::shared_ptr<const nlohmann::json> header;
  std::shared_ptr<const nlohmann::json> payload;
};

// Three parts of strict base64url; header and payload are JSON objects without duplicate members.
// kMalformed: also for `crit`, whose extensions nobody here understands (RFC 7515 §4.1.11), and
// `b64` (RFC 7797), with which the payload would not be what was signed.
Result<Token> ParseToken(ByteSpan text);

// kEvidenceSignature: it does not verify; the algorithm is none, an HMAC, or not one for this key.
// `bound_to`: the algorithm that the key says it is for; empty: any of its kind.
Status VerifyToken(const Token& token, const PublicKey& key, std::string_view bound_to);
// Whether the algorithm is one of those that are accepted, and for keys of this kind.
bool FitsKey(const Token& token, const PublicKey& key);
// kEvidenceSignature for an algorithm that no public key has.
Status CheckAlgorithm(const Token& token);

}  // namespace keyclave::attest::token
