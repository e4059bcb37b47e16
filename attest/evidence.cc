#include "attest/evidence.h"

#include "attest/tee_type.h"

namespace keyclave::attest {

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
  KC_ASSIGN(ClaimSet claims, type.verify(evidence.parsed(), context));
  return Verified(name, std::move(claims), context.now);
}

}  // namespace keyclave::attest
