#include "attest/appraise.h"

namespace keyclave::attest {
namespace {

const Claim* FindAttested(const ClaimSet& claims, std::string_view name) {
  const Claim* claim = claims.Find(name);
  return claim != nullptr && claim->origin == Origin::kAttested ? claim : nullptr;
}

}  // namespace

Accepted AcceptedBy(const Expression& expression) {
  return {.simulated = expression.MentionsSimulated(),
          .debug = expression.MentionsDebug(),
          .co_resident = expression.MentionsCoResident()};
}

std::optional<FailedTerm> FailedProtection(const ClaimSet& claims, const Accepted& accepted) {
  const Claim* tee = FindAttested(claims, "tee");
  const auto* name = tee == nullptr ? nullptr : std::get_if<std::string>(&tee->value);
  if (name == nullptr || (*name == "simulated" && !accepted.simulated) ||
      (*name == "co-resident" && !accepted.co_resident)) {
    return FailedTerm{"tee", "a TEE that keeps its host out", name == nullptr ? "absent" : *name,
                      0};
  }
  const Claim* mode = FindAttested(claims, "debug");
  const bool* on = mode == nullptr ? nullptr : std::get_if<bool>(&mode->value);
  if (on == nullptr || (*on && !accepted.debug))
    return FailedTerm{"debug", "is false", on == nullptr ? "absent" : "true", 0};
  return std::nullopt;
}

std::optional<FailedTerm> FailedBinding(const ClaimSet& claims, const Expression& expression) {
  const Claim* tee = FindAttested(claims, "tee");
  const Claim* bound = FindAttested(claims, "token.bound");
  // Every token says whether it is; other evidence cannot be anything but bound.
  const bool is_token = tee != nullptr && ToText(tee->value) == "token";
  if (bound == nullptr && !is_token) return std::nullopt;
  if (bound != nullptr && ToText(bound->value) == "true") return std::nullopt;
  if (bound != nullptr && expression.MentionsUnbound()) return std::nullopt;
  return FailedTerm{"token.bound", "is true", bound == nullptr ? "absent" : "false", 0};
}

std::optional<UnixTime> CollateralDeadline(const ClaimSet& claims, uint64_t grace) {
  const Claim* claim = claims.Find(kCollateralExpiredAt);
  if (claim == nullptr) return std::nullopt;
  // Whatever is not the time that VerifyEvidence wrote has passed long ago.
  const auto* text = std::get_if<std::string>(&claim->value);
  const auto expired_at = text == nullptr || claim->origin != Origin::kAttested
                              ? Result<UnixTime>(Fail(Code::kMalformed))
                              : ParseTime(*text);
  if (!expired_at.ok()) return 0;
  return *expired_at + static_cast<UnixTime>(std::min(grace, kMaxCollateralGrace));
}

std::optional<FailedTerm> FailedCollateral(const ClaimSet& claims, uint64_t grace, UnixTime now) {
  const auto deadline = CollateralDeadline(claims, grace);
  if (!deadline.has_value() || now < *deadline) return std::nullopt;
  const std::string wanted = grace == 0
                                 ? "none that is past its nextUpdate"
                                 : "at most " + std::to_string(grace) + " s past its nextUpdate";
  return FailedTerm{"collateral", wanted,
                    "past since " + ToText(claims.Find(kCollateralExpiredAt)->value), 0};
}

Result<Appraised> Appraise(const Verified& verified, const Expression& expect,
                           const ClaimSet& transport, UnixTime now) {
  ClaimSet claims = verified.claims();
  for (const auto& [name, claim] : transport) {
    if (claims.Find(name) == nullptr) claims.Set(name, claim.value, Origin::kTransport);
  }
  const auto failed = FailedAppraisal(claims, expect, now);
  if (failed.has_value()) {
    return FailWanted(Code::kAppraisalFailed, failed->term, failed->wanted, failed->got);
  }
  return Appraised(std::move(claims));
}

std::optional<FailedTerm> FailedAppraisal(const ClaimSet& claims, const Expression& expect,
                                          UnixTime now) {
  auto failed = expect.FirstFailure(claims, now);
  if (!failed.has_value()) failed = FailedProtection(claims, AcceptedBy(expect));
  if (!failed.has_value()) failed = FailedBinding(claims, expect);
  if (!failed.has_value()) failed = FailedCollateral(claims, 0, now);
  return failed;
}

}  // namespace keyclave::attest
