// RCAR (request, challenge, attestation, response), the protocol between Trustee's Key Broker
// Service and its clients, as far as evidence is concerned: what it is bound to, and whom a
// resource is encrypted for. Version 0.4.0; others put other things into the report data.
//
// The report data is SHA-384 of the runtime data and 16 zeros behind it. The runtime data is a JSON
// object in the canonical form of RFC 8785, with the members "additional-evidence", "nonce" and
// "tee-pubkey". There is no channel in it: who carries such evidence is nobody in particular, and
// what is meant for its maker has to be encrypted to the tee-pubkey.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "attest/binding.h"

namespace keyclave::attest {

inline constexpr std::string_view kRcarVersion = "0.4.0";
inline constexpr size_t kMaxRcarRuntimeData = size_t{64} << 10;  // bytes

// The public key of the JWK `tee-pubkey`.
struct TeePublicKey {
  Bytes spki;  // SubjectPublicKeyInfo, DER
  bool is_rsa = false;
};
// RSA of at least 2048 bits for RSA-OAEP-256, or EC (P-256, P-384, P-521) for ECDH-ES+A256KW: the
// members of these kinds and no others, for what else stood there would not be hashed by all.
// kMalformed.
Result<TeePublicKey> ParseTeePublicKey(const nlohmann::json& jwk);

// The canonical runtime data. The JWK is one that ParseTeePublicKey takes.
Bytes EncodeRcarRuntimeData(std::string_view nonce, const nlohmann::json& tee_public_key,
                            std::string_view additional_evidence);

struct RcarRuntimeData {
  std::string nonce;  // as it stands there: base64
  TeePublicKey recipient;
};
// Exactly what EncodeRcarRuntimeData writes, so that one object has one spelling. What is in the
// additional evidence (of devices) is not looked at, and claims nothing. kMalformed, kTooLarge.
Result<RcarRuntimeData> ParseRcarRuntimeData(ByteSpan bytes);

Result<ReportData> RcarReportData(ByteSpan runtime_data);

}  // namespace keyclave::attest
