// Members of a token's payload as claims, by table. For attest/token/*.cc only.
#pragma once

#include <nlohmann/json.hpp>

#include "attest/claims.h"

namespace keyclave::attest::token {

using Json = nlohmann::json;

enum class FieldType {
  kText,
  kHex,          // whole bytes; made lower-case
  kDigest,       // the same behind "sha256:"
  kInteger,      // not negative
  kIntegerText,  // a number that becomes a text (product_id)
  kBool,
  kTexts,  // a list of texts
};

struct FieldRow {
  const char* member;
  const char* claim;
  FieldType type;
};

// What is absent or of another type becomes no claim, and so nothing is taken for granted of it.
void CopyFields(const Json& object, std::span<const FieldRow> rows, ClaimSet& claims);
// nullptr if it is absent.
const Json* Member(const Json& object, const char* name);
// "UpToDate" -> "up-to-date": Intel's statuses as they are named here; nullopt for others.
std::optional<std::string> IntelStatus(std::string_view status);
// tcb_status by that; kEvidenceTcb if it is Revoked or not one of Intel's, nothing if it is absent.
Status SetIntelStatus(const Json& object, const char* member, ClaimSet& claims);

// For bindings: decoded, or nothing.
void AddHex(const Json& object, const char* member, std::vector<Bytes>& list);
void AddBase64(const Json& object, const char* member, std::vector<Bytes>& list);
// eat_nonce (RFC 9711 §4.1): a text or a list of texts, each as hexadecimal and as base64url, and
// as it is.
void AddNonces(const Json& object, std::vector<Bytes>& list);

}  // namespace keyclave::attest::token
