// JSON Web Keys (RFC 7517, RFC 7518 §6): public keys that sign, with the certificates that they
// bring.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "attest/x509.h"

namespace keyclave::attest {

struct Jwk {
  std::string kid;                 // empty: it has none
  std::string alg;                 // the one algorithm that it is for; empty: any of its kind
  PublicKey key;                   // of the key's own members, or else of its first certificate
  std::vector<Certificate> chain;  // x5c, first the key's own; may be empty
};

// kMalformed: no public key that signs (among them `oct`, `use` other than `sig`), RSA below 2048
// bits, or a first certificate with another key than the members say.
Result<Jwk> ParseJwk(const nlohmann::json& json);
// A JWK, or a set of which keys of kinds that are not used here are left out (RFC 7517 §5);
// kMalformed if another is not well formed, kTooLarge.
Result<std::vector<Jwk>> ParseJwks(ByteSpan json);

// That the key's certificates end in one of the roots at the given time, in whatever order they
// stand behind the first. kEvidenceChain (also for a key without certificates), kEvidenceTime.
Status CheckKeyTrust(const Jwk& jwk, const std::vector<Certificate>& roots, UnixTime now);

}  // namespace keyclave::attest
