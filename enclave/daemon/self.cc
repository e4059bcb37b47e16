#include "enclave/daemon/self.h"

#include "attest/produce/produce.h"

namespace keyclave::daemon {

Result<attest::ClaimSet> ProveSelf(const config::DaemonConfig& config, const Clock& clock) {
  const attest::TeeType* type = attest::FindTeeType(config.tee);
  if (type == nullptr) return Fail(Code::kEvidenceUnknownType, config.tee);
  const attest::ReportData report_data{};
  KC_ASSIGN(const Bytes evidence, type->produce(report_data, config.producer, clock.Now()));
  KC_ASSIGN(const attest::Unverified unverified, attest::ParseEvidence(config.tee, evidence));
  attest::Trust trust = config.trust;
  trust.accepted_types = {config.tee};
  KC_ASSIGN(const attest::Verified verified,
            attest::VerifyEvidence(unverified, {trust, clock.Now(), report_data}));
  return verified.claims();
}

}  // namespace keyclave::daemon
