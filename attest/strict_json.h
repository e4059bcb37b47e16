// JSON that strangers wrote: RFC 8259 and I-JSON's rule of distinct names (RFC 7493 §2.3), without
// which two readers of one signed text could see two values.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "enclave/base/bytes.h"

namespace keyclave::attest {

// One object, nested at most kMaxJsonDepth deep, and nothing behind it but white space. kMalformed
// for what is no JSON or no object, names a member twice, or is nested deeper.
inline constexpr int kMaxJsonDepth = 32;
Result<nlohmann::json> ParseStrictJson(ByteSpan text);

// The member's text; nullopt if it is absent or no text. Null for what is no object, too.
std::optional<std::string> TextMember(const nlohmann::json& object, const char* name);

// Base64url as JOSE has it (RFC 7515 §2): no padding, no white space, no bits left over, so that
// every byte string has exactly one spelling. kMalformed.
Result<Bytes> FromBase64UrlStrict(std::string_view text);

}  // namespace keyclave::attest
