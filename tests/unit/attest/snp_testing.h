// What the tests of SEV-SNP verification share.
#pragma once

#include <optional>

#include "attest/snp/verify.h"
#include "tests/fakes/fake_snp.h"

namespace keyclave::test {

using attest::ClaimSet;
using attest::Trust;

inline constexpr UnixTime kNow = 1'790'000'000;
inline constexpr UnixTime kDay = 86400;

inline Result<ClaimSet> ExamineSnp(ByteSpan bytes, const Trust& trust, UnixTime now = kNow) {
  KC_ASSIGN(const attest::Unverified evidence, attest::ParseEvidence("sev-snp", bytes));
  return attest::ExamineEvidence(evidence, {trust, now, attest::ExpectedBinding::None()});
}

inline Result<ClaimSet> ExamineSnp(const FakeSnp& fake, UnixTime now = kNow) {
  return ExamineSnp(fake.Evidence(attest::ReportData{}, kNow, false), fake.OwnTrust(), now);
}

inline std::optional<Code> RefusedWith(const Result<ClaimSet>& claims) {
  if (claims.ok()) return std::nullopt;
  return claims.code();
}

inline FakeSnpOptions With(const std::function<void(FakeSnpOptions&)>& change) {
  FakeSnpOptions options;
  change(options);
  return options;
}

inline std::optional<Code> RefusedIf(const std::function<void(FakeSnpOptions&)>& change) {
  return RefusedWith(ExamineSnp(FakeSnp(With(change))));
}

inline std::string Claim(const ClaimSet& claims, std::string_view name) {
  const auto* claim = claims.Find(name);
  return claim == nullptr ? "(absent)" : attest::ToText(claim->value);
}

inline void MakeTurin(FakeSnpOptions& options) {
  options.version = 5;
  options.cpu = {0x1a, 0x02, 0x01};
  options.product = "Turin-B0";
  options.line = "Turin";
  options.turin = true;
  options.reported_tcb = {1, 2, 3, 4, 0, 0, 0, 82};
  options.current_tcb = options.reported_tcb;
  options.chip_id = {};
  std::fill_n(options.chip_id.begin(), 8, uint8_t{0x7a});
}

inline void MakeVlek(FakeSnpOptions& options) {
  options.vlek = true;
  options.signing_key = 1;
  options.chip_id = {};
}

}  // namespace keyclave::test
