#include "attest/evidence.h"

#include "attest/tee_type.h"
#include "attest/vendor_roots.h"

namespace keyclave::attest {
namespace {

// First without patience: whatever verifies so is not touched by how much of it there is.
Result<ClaimSet> VerifyClaims(const Unverified& evidence, const VerifyContext& context) {
  VerifyContext strict = context;
  strict.collateral_grace = 0;
  strict.collateral_expired_at = nullptr;
  auto current = evidence.type().verify(evidence.parsed(), strict);
  if (current.ok() || current.code() != Code::kCollateralExpired || context.collateral_grace == 0)
    return current;
  std::optional<UnixTime> expired_at;
  VerifyContext patient = context;
  patient.collateral_grace = std::min(context.collateral_grace, kMaxCollateralGrace);
  patient.collateral_expired_at = &expired_at;
  KC_ASSIGN(ClaimSet claims, evidence.type().verify(evidence.parsed(), patient));
  if (!expired_at.has_value()) return current;
  claims.Set(std::string(kCollateralExpiredAt), FormatTime(*expired_at));
  return claims;
}

}  // namespace

std::vector<Certificate> Trust::RootsFor(std::string_view type) const {
  std::vector<Certificate> all = VendorRoots(type);
  if (const auto own = roots.find(type); own != roots.end())
    all.insert(all.end(), own->second.begin(), own->second.end());
  return all;
}

Status ExpectedBinding::Check(ByteSpan field) const {
  if (!wanted_.has_value()) return Done{};
  const size_t common = std::min(field.size(), wanted_->size());
  const ByteSpan rest = field.subspan(common);
  const bool fits = session_ ? field.size() >= 32 && field.size() <= wanted_->size()
                             : field.size() >= wanted_->size();
  const bool zeros = std::all_of(rest.begin(), rest.end(), [](uint8_t byte) { return byte == 0; });
  if (!fits || !zeros || !EqualConstantTime(field.first(common), ByteSpan(*wanted_).first(common)))
    return FailWanted(Code::kEvidenceBinding, "report data", ToHex(*wanted_), ToHex(field));
  return Done{};
}

Result<Unverified> ParseEvidence(std::string_view type, ByteSpan bytes) {
  const TeeType* tee = FindTeeType(type);
  // The name came from a stranger: it does not go into the message.
  if (tee == nullptr) return Fail(Code::kEvidenceUnknownType);
  if (bytes.size() > kMaxEvidence)
    return Fail(Code::kEvidenceMalformed, "larger than " + std::to_string(kMaxEvidence) + " bytes");
  KC_ASSIGN(std::any parsed, tee->parse(bytes));
  return Unverified(tee, std::move(parsed));
}

Result<Verified> VerifyEvidence(const Unverified& evidence, const VerifyContext& context) {
  const TeeType& type = evidence.type();
  const std::string name(type.name);
  const auto& accepted = context.trust.accepted_types;
  if (std::find(accepted.begin(), accepted.end(), name) == accepted.end())
    return Fail(Code::kEvidenceNotAccepted, name);
  if (!context.binding.for_session()) return Fail(Code::kInternal, "evidence without a session");
  KC_ASSIGN(ClaimSet claims, VerifyClaims(evidence, context));
  return Verified(name, std::move(claims), context.now);
}

std::vector<CollateralNeed> CollateralNeeds(const Unverified& evidence,
                                            const VerifyContext& context) {
  const auto needs = evidence.type().needs;
  return needs == nullptr ? std::vector<CollateralNeed>() : needs(evidence.parsed(), context);
}

Result<ClaimSet> ExamineEvidence(const Unverified& evidence, const VerifyContext& context) {
  return VerifyClaims(evidence, context);
}

}  // namespace keyclave::attest
