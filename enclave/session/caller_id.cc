#include "enclave/session/caller_id.h"

#include "enclave/base/byte_reader.h"
#include "enclave/base/hash.h"

namespace keyclave::session {
namespace {

std::string TextOf(const attest::ClaimSet& claims, std::string_view name) {
  const attest::Claim* claim = claims.Find(name);
  return claim == nullptr ? "" : attest::ToText(claim->value);
}

}  // namespace

CallerId CallerIdOf(const attest::ClaimSet& claims, bool attested) {
  std::vector<std::string_view> names = {"peer.uid"};
  if (attested) {
    const std::string tee = TextOf(claims, "tee");
    names = {"tee", "measurement", "platform_id"};
    if (tee == "tpm") names = {"tee", "platform_id"};
    if (tee == "co-resident") names = {"tee", "co-resident.uid"};
  }
  ByteWriter out;
  out.PutPrefixed(AsBytes("keyclave/caller/1"));
  for (const std::string_view name : names) {
    out.PutPrefixed(AsBytes(name));
    out.PutPrefixed(AsBytes(TextOf(claims, name)));
  }
  return Sha256(out.bytes());
}

}  // namespace keyclave::session
