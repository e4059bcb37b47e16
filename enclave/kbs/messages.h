// The JSON that Trustee's clients send and get: RCAR's requests and replies, errors (RFC 7807), and
// the JWE of a resource. What is read here is a stranger's; nothing of it is believed.
#pragma once

#include "enclave/kbs/evidence.h"

namespace keyclave::kbs {

inline constexpr size_t kMaxBody = size_t{512} << 10;  // bytes of a request

// POST auth. kMalformed; kUnsupported for another version of the protocol or a TEE whose evidence
// cannot be passed on: the text says which are.
struct AuthRequest {
  std::string tee;
};
Result<AuthRequest> ParseAuthRequest(ByteSpan body);

// POST attest.
struct AttestRequest {
  std::string nonce;
  Bytes runtime_data;          // what the evidence is bound to, in its canonical form
  std::string tee_public_key;  // the JWK's JSON
  ByteArray<32> recipient{};   // SHA-256 of its SubjectPublicKeyInfo
  bool is_rsa = false;
  Evidence evidence;
};
// `tee` is the auth request's. Init data are not looked at. kMalformed, kTooLarge.
Result<AttestRequest> ParseAttestRequest(std::string_view tee, ByteSpan body);

std::string ChallengeText(ByteSpan nonce);
// The reply to attest: a JWT that nobody signed, as nobody is to believe it. It names the session,
// for who shows it instead of the cookie.
struct TokenFields {
  std::string session;
  int64_t issued = 0;
  int64_t expires = 0;
  std::string tee_public_key;
};
std::string TokenText(const TokenFields& fields);
// The session that such a JWT names; empty if it is none.
std::string SessionOfToken(std::string_view token);

// RFC 7516 §7.2.2 of a compact serialization (§7.1). kMalformed.
Result<std::string> FlattenedJwe(ByteSpan compact);

std::string ProblemText(std::string_view type, std::string_view detail);

// The label of the object at /resource/<repository>/<type>/<tag>; nullopt if it is no such path.
std::optional<std::string> LabelOf(std::string_view path);

}  // namespace keyclave::kbs
