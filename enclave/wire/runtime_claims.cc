#include "enclave/wire/runtime_claims.h"

#include <set>

namespace keyclave::wire {
namespace {

constexpr size_t kMaxName = 64;
constexpr std::string_view kNameLetters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

Error Malformed(const std::string& what) {
  return Fail(Code::kEvidenceMalformed, "runtime claims: " + what);
}

}  // namespace

bool IsReleaseKeyName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxName &&
         name.find_first_not_of(kNameLetters) == std::string_view::npos;
}

Bytes EncodeRuntimeClaims(const RuntimeClaims& claims) {
  return claims.release_keys.empty() ? Bytes() : Encode(claims);
}

Result<RuntimeClaims> ParseRuntimeClaims(ByteSpan bytes) {
  if (bytes.empty()) return RuntimeClaims();
  if (bytes.size() > kMaxRuntimeClaims) return Malformed("more than 64 KiB");
  auto claims = Decode<RuntimeClaims>(bytes);
  if (!claims.ok()) return Malformed(claims.error().Text());
  const auto& keys = claims->release_keys;
  if (keys.empty()) return Malformed("none, and yet not left out");
  if (keys.size() > kMaxReleaseKeys) return Malformed("more than 16 release keys");
  std::set<std::string_view> names;
  std::set<Bytes> values;
  for (const ReleaseKey& key : keys) {
    if (!IsReleaseKeyName(key.name)) return Malformed("the name of a release key");
    if (key.spki.empty() || key.spki.size() > kMaxReleaseKeySize)
      return Malformed("the size of release key " + key.name);
    if (!names.insert(key.name).second || !values.insert(key.spki).second)
      return Malformed("release key " + key.name + " is there twice");
  }
  return claims;
}

}  // namespace keyclave::wire
