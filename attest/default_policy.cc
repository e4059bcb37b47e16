#include "attest/default_policy.h"

namespace keyclave::attest {
namespace {

struct Forbidden {
  std::string_view claim;
  std::string_view value;
  std::string_view wanted;
};

constexpr Forbidden kForbidden[] = {
    {"debug", "true", "is false"},
    {"tee", "simulated", "a TEE that keeps its host out"},
    {"tpm.pcr_bank", "sha1", "a bank whose hash is not broken"},
    {"token.expired", "true", "is false"},
};

}  // namespace

std::optional<FailedTerm> FailedDefaultPolicy(const ClaimSet& claims) {
  for (const Forbidden& one : kForbidden) {
    const Claim* claim = claims.Find(one.claim);
    if (claim == nullptr || ToText(claim->value) != one.value) continue;
    return FailedTerm{std::string(one.claim), std::string(one.wanted), std::string(one.value), 0};
  }
  return std::nullopt;
}

}  // namespace keyclave::attest
