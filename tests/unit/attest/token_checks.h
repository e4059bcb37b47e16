// What the tests of tokens share.
#pragma once

#include <gtest/gtest.h>

#include "attest/tee_type.h"
#include "tests/fakes/fake_token.h"

namespace keyclave::attest {

inline constexpr UnixTime kTokenNow = 1'790'000'000;

inline ReportData TokenReportData() {
  ReportData data;
  data.fill(0x42);
  return data;
}

inline Result<ClaimSet> CheckToken(const Bytes& token, const Trust& trust, UnixTime now = kTokenNow,
                                   ExpectedBinding binding = TokenReportData()) {
  const auto parsed = ParseEvidence("token", token);
  if (!parsed.ok()) return parsed.error();
  return ExamineEvidence(*parsed, {trust, now, std::move(binding)});
}

inline Trust Believing(TokenIssuer issuer) {
  Trust trust;
  trust.token_issuers = {std::move(issuer)};
  return trust;
}

inline Bytes TokenOf(const test::FakeToken& service) {
  return service.Evidence(TokenReportData(), kTokenNow, false);
}

inline Result<ClaimSet> CheckToken(const test::FakeToken& service) {
  return CheckToken(TokenOf(service), service.OwnTrust());
}

// The code with which a service's token is refused; nullopt if it is accepted.
inline std::optional<Code> Refused(const test::FakeTokenOptions& options) {
  const test::FakeToken service(options);
  const auto claims = CheckToken(service);
  return claims.ok() ? std::nullopt : std::optional(claims.code());
}

}  // namespace keyclave::attest
