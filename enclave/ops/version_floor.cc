#include "enclave/ops/version_floor.h"

namespace keyclave::ops {

Status CheckVersion(const keys::ObjectStore& store, const attest::ClaimSet& claims) {
  const uint64_t least = store.minimum_version();
  if (least == 0) return Done{};
  const std::string wanted =
      "the owners require a security version number (svn) of at least " + std::to_string(least);
  const attest::Claim* claim = claims.Find("svn");
  if (claim == nullptr || claim->origin != attest::Origin::kAttested)
    return Fail(Code::kVersionTooLow, wanted + ", and this evidence names none");
  const auto* svn = std::get_if<int64_t>(&claim->value);
  if (svn != nullptr && *svn >= 0 && static_cast<uint64_t>(*svn) >= least) return Done{};
  return Fail(Code::kVersionTooLow, wanted + ", and this is " + attest::ToText(claim->value));
}

}  // namespace keyclave::ops
