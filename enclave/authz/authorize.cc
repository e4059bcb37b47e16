#include "enclave/authz/authorize.h"

#include <limits>

#include "attest/appraise.h"

namespace keyclave::authz {
namespace {

using attest::ClaimSet;
using attest::FailedTerm;

constexpr UnixTime kForever = std::numeric_limits<UnixTime>::max();

// What of a permit depends on the caller's evidence: nullopt if all of it holds.
std::optional<FailedTerm> FailedEvidence(const Permit& permit, const ClaimSet& claims,
                                         UnixTime now) {
  if (auto failed = permit.when.FirstFailure(claims, now)) return failed;
  if (auto failed = attest::FailedBinding(claims, permit.when)) {
    failed->wanted += " (the permit does not say token.bound: {is: false})";
    failed->line = permit.line;
    return failed;
  }
  if (permit.allow_unattested) return std::nullopt;
  auto failed = attest::FailedProtection(claims, {.co_resident = permit.when.MentionsCoResident()});
  if (!failed.has_value()) return std::nullopt;
  failed->wanted += " (the permit lacks allow_unattested)";
  failed->line = permit.line;
  return failed;
}

// The first second that max_age forbids; kForever without one.
UnixTime AgeLimit(const Permit& permit, UnixTime attested_at) {
  if (!permit.max_age.has_value()) return kForever;
  const auto age = static_cast<UnixTime>(*permit.max_age);
  return attested_at > kForever - age ? kForever : attested_at + age;
}

std::string Join(const std::set<std::string, std::less<>>& names) {
  std::string text;
  for (const std::string& name : names) text.append(text.empty() ? "" : ", ").append(name);
  return text;
}

std::optional<FailedTerm> FailedTime(const Permit& permit, UnixTime attested_at, UnixTime now) {
  if (permit.valid_from.has_value() && now < *permit.valid_from)
    return FailedTerm{"valid", "from " + FormatTime(*permit.valid_from), FormatTime(now), 0};
  if (permit.valid_until.has_value() && now >= *permit.valid_until)
    return FailedTerm{"valid", "until " + FormatTime(*permit.valid_until), FormatTime(now), 0};
  if (now >= AgeLimit(permit, attested_at)) {
    return FailedTerm{"max_age", "evidence younger than " + std::to_string(*permit.max_age) + " s",
                      attested_at == 0 ? "no evidence" : std::to_string(now - attested_at) + " s",
                      0};
  }
  return std::nullopt;
}

std::optional<FailedTerm> FirstFailure(const Permit& permit, const ClaimSet& claims,
                                       UnixTime attested_at, UnixTime now, Operation operation,
                                       std::string_view family) {
  if (!permit.operations.Has(operation)) {
    return FailedTerm{"operations", permit.operations.Text(), std::string(OperationName(operation)),
                      0};
  }
  if (!family.empty() && permit.mechanisms.has_value() &&
      permit.mechanisms->find(family) == permit.mechanisms->end()) {
    return FailedTerm{"mechanisms", Join(*permit.mechanisms), std::string(family), 0};
  }
  if (auto failed = FailedEvidence(permit, claims, now)) return failed;
  return FailedTime(permit, attested_at, now);
}

}  // namespace

Grant Evaluate(const Policy& policy, const ClaimSet& claims, UnixTime attested_at, UnixTime now) {
  std::vector<Grant::Entry> entries;
  for (const Permit& permit : policy.permits()) {
    if (FailedEvidence(permit, claims, now).has_value()) continue;
    const UnixTime valid_until = permit.valid_until.value_or(kForever);
    const UnixTime age_limit = AgeLimit(permit, attested_at);
    entries.push_back(Grant::Entry{.operations = permit.operations,
                                   .mechanisms = permit.mechanisms,
                                   .from = permit.valid_from.value_or(0),
                                   .until = std::min(valid_until, age_limit),
                                   .until_age = age_limit < valid_until});
  }
  return Grant(std::move(entries));
}

Status Grant::Check(Operation operation, std::string_view family, UnixTime now) const {
  bool expired = false;
  bool other_mechanism = false;
  for (const Entry& entry : entries_) {
    if (!entry.operations.Has(operation) || now < entry.from) continue;
    if (now >= entry.until && !entry.until_age) continue;
    const bool mechanism_fits = family.empty() || !entry.mechanisms.has_value() ||
                                entry.mechanisms->find(family) != entry.mechanisms->end();
    if (!mechanism_fits) {
      other_mechanism = true;
    } else if (now >= entry.until) {
      expired = true;
    } else {
      return Done{};
    }
  }
  if (expired) return Fail(Code::kEvidenceExpired);
  return Fail(other_mechanism ? Code::kMechanismDenied : Code::kDenied);
}

bool Grant::AllowsAnything(UnixTime now) const {
  return std::any_of(entries_.begin(), entries_.end(),
                     [now](const Entry& entry) { return now >= entry.from && now < entry.until; });
}

std::vector<PermitVerdict> Explain(const Policy& policy, const ClaimSet& claims,
                                   UnixTime attested_at, UnixTime now, Operation operation,
                                   std::string_view family) {
  std::vector<PermitVerdict> verdicts;
  for (const Permit& permit : policy.permits()) {
    PermitVerdict verdict{.permit = verdicts.size() + 1,
                          .line = permit.line,
                          .operations = permit.operations,
                          .term = {},
                          .wanted = {},
                          .got = {}};
    if (auto failed = FirstFailure(permit, claims, attested_at, now, operation, family)) {
      if (failed->line != 0) verdict.line = failed->line;
      verdict.term = std::move(failed->term);
      verdict.wanted = std::move(failed->wanted);
      verdict.got = std::move(failed->got);
    }
    verdicts.push_back(std::move(verdict));
  }
  return verdicts;
}

}  // namespace keyclave::authz
