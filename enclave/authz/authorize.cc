#include "enclave/authz/authorize.h"

#include <limits>

#include "attest/appraise.h"
#include "enclave/authz/families.h"

namespace keyclave::authz {
namespace {

using attest::ClaimSet;
using attest::FailedTerm;

constexpr UnixTime kForever = std::numeric_limits<UnixTime>::max();

// What of a permit depends on the caller's evidence: nullopt if all of it holds.
std::optional<FailedTerm> FailedEvidence(const Permit& permit, const ClaimSet& claims, UnixTime now,
                                         const TokenRules& rules) {
  if (auto failed = permit.when.FirstFailure(claims, now, rules.sets)) return failed;
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

// The revocation that stands against these claims.
const Revocation* FindRevocation(const TokenRules& rules, const ClaimSet& claims, UnixTime now) {
  const auto found =
      std::find_if(rules.revocations.begin(), rules.revocations.end(),
                   [&](const Revocation& one) { return one.whom.Satisfied(claims, now); });
  return found == rules.revocations.end() ? nullptr : &*found;
}

std::optional<FailedTerm> FailedRevocation(const TokenRules& rules, const ClaimSet& claims,
                                           UnixTime now) {
  const Revocation* revocation = FindRevocation(rules, claims, now);
  if (revocation == nullptr) return std::nullopt;
  return FailedTerm{
      "revoked", "nothing that was revoked",
      revocation->whom.Print() + ", " + FormatTime(revocation->at) + ": " + revocation->reason, 0};
}

// The conditions of a permit, in their order; limits are asked for where `counting`.
Status CheckConditions(const Permit& permit, size_t number, Conditions& conditions,
                       Operation operation, bool counting) {
  if (permit.bound) KC_CHECK_OK(conditions.CheckBinding());
  if (operation == Operation::kSign && permit.input.has_value())
    KC_CHECK_OK(conditions.CheckInput(*permit.input));
  if (operation == Operation::kRelease) KC_CHECK_OK(conditions.CheckWrap(permit.wrap));
  if (operation == Operation::kIssue) {
    if (!permit.issue.has_value()) return Fail(Code::kIssueRefused, "no names");
    KC_CHECK_OK(conditions.CheckIssue(*permit.issue));
  }
  if (permit.approvals.has_value()) KC_CHECK_OK(conditions.CheckApprovals(*permit.approvals));
  if (counting && permit.limits.has_value())
    KC_CHECK_OK(conditions.TakeLimit(number, *permit.limits));
  return Done{};
}

std::optional<FailedTerm> FailedCondition(const Permit& permit, size_t number,
                                          Conditions& conditions, Operation operation) {
  const Status met = CheckConditions(permit, number, conditions, operation, /*counting=*/false);
  if (met.ok()) return std::nullopt;
  switch (met.code()) {
    case Code::kInputRefused:
      return FailedTerm{"input", PrintInputRule(*permit.input), met.error().detail(), 0};
    case Code::kWrapRefused: return FailedTerm{"wrap", permit.wrap.Text(), met.error().detail(), 0};
    case Code::kIssueRefused:
    case Code::kProofInvalid:
    case Code::kIssuerUnfit:
      return FailedTerm{"issue", PrintIssueRule(*permit.issue), met.error().detail(), 0};
    case Code::kApprovalMissing:
      return FailedTerm{"approvals", permit.approvals->Print(), met.error().detail(), 0};
    default: return FailedTerm{"bind", "self", met.error().detail(), 0};
  }
}

std::optional<FailedTerm> FirstFailure(const Permit& permit, const ClaimSet& claims,
                                       UnixTime attested_at, UnixTime now, Operation operation,
                                       std::string_view family, const TokenRules& rules) {
  if (!permit.operations.Has(operation)) {
    return FailedTerm{"operations", permit.operations.Text(), std::string(OperationName(operation)),
                      0};
  }
  if (!family.empty() && permit.mechanisms.has_value() &&
      permit.mechanisms->find(family) == permit.mechanisms->end()) {
    return FailedTerm{"mechanisms", Join(*permit.mechanisms), std::string(family), 0};
  }
  if (auto failed = FailedRevocation(rules, claims, now)) return failed;
  if (auto failed = FailedEvidence(permit, claims, now, rules)) return failed;
  return FailedTime(permit, attested_at, now);
}

UnixTime NextChange(const Policy& policy, const TokenRules& rules, UnixTime now) {
  UnixTime next = kForever;
  for (const std::string& name : policy.set_names()) {
    const auto set = rules.sets.find(name);
    if (set != rules.sets.end()) next = std::min(next, set->second->NextChange(now));
  }
  return next;
}

uint64_t FamilyBits(const std::optional<std::set<std::string, std::less<>>>& mechanisms) {
  if (!mechanisms.has_value()) return ~uint64_t{0};
  uint64_t bits = 0;
  for (const std::string& name : *mechanisms) bits |= FamilyBit(name);
  return bits;
}

// Asks nothing of the request.
class NoConditions final : public Conditions {
 public:
  Status CheckBinding() override { return Done{}; }
  Status CheckInput(const InputRule& /*rule*/) override { return Done{}; }
  Status CheckWrap(const WrapForms& /*forms*/) override { return Done{}; }
  Status CheckIssue(const IssueRule& /*rule*/) override { return Done{}; }
  Status CheckApprovals(const Quorum& /*quorum*/) override { return Done{}; }
  Status TakeLimit(size_t /*permit*/, const LimitRule& /*limit*/) override { return Done{}; }
};

}  // namespace

Grant::Grant(std::vector<Entry> entries, UnixTime stale_at)
    : entries_(std::move(entries)), stale_at_(stale_at) {
  for (size_t i = 0; i < entries_.size(); ++i) {
    const Entry& entry = entries_[i];
    has_bindings_ = has_bindings_ || entry.permit.bound;
    for (size_t operation = 0; operation < kOperationCount; ++operation) {
      if (!entry.permit.operations.Has(static_cast<Operation>(operation))) continue;
      by_operation_.at(operation).push_back(Slot{.mechanisms = entry.mechanisms,
                                                 .from = entry.from,
                                                 .until = entry.until,
                                                 .index = static_cast<uint32_t>(i),
                                                 .until_age = entry.until_age});
    }
  }
}

Grant Grant::OfRevoked(UnixTime stale_at) {
  Grant grant({}, stale_at);
  grant.revoked_ = true;
  return grant;
}

Grant Evaluate(const Policy& policy, const ClaimSet& claims, UnixTime attested_at, UnixTime now,
               const TokenRules& rules) {
  const UnixTime stale_at = NextChange(policy, rules, now);
  if (FindRevocation(rules, claims, now) != nullptr) return Grant::OfRevoked(stale_at);
  if (attest::FailedCollateral(claims, policy.collateral_grace(), now).has_value())
    return {{}, stale_at};
  const UnixTime current_until =
      attest::CollateralDeadline(claims, policy.collateral_grace()).value_or(kForever);
  std::vector<Grant::Entry> entries;
  for (size_t i = 0; i < policy.permits().size(); ++i) {
    const Permit& permit = policy.permits()[i];
    if (FailedEvidence(permit, claims, now, rules).has_value()) continue;
    const UnixTime valid_until = std::min(permit.valid_until.value_or(kForever), current_until);
    const UnixTime age_limit = AgeLimit(permit, attested_at);
    entries.push_back(Grant::Entry{.permit = permit,
                                   .number = i + 1,
                                   .mechanisms = FamilyBits(permit.mechanisms),
                                   .from = permit.valid_from.value_or(0),
                                   .until = std::min(valid_until, age_limit),
                                   .until_age = age_limit < valid_until});
  }
  return {std::move(entries), stale_at};
}

Result<size_t> Grant::Check(Operation operation, std::string_view family, UnixTime now,
                            Conditions& conditions) const {
  if (revoked_) return Fail(Code::kRevoked);
  bool expired = false;
  bool other_mechanism = false;
  std::optional<Error> unmet;  // the first condition that was not met
  const uint64_t asked = family.empty() ? ~uint64_t{0} : FamilyBit(family);
  for (const Slot& slot : by_operation_.at(static_cast<size_t>(operation))) {
    if (now < slot.from || (now >= slot.until && !slot.until_age)) continue;
    if ((slot.mechanisms & asked) == 0) {
      other_mechanism = true;
    } else if (now >= slot.until) {
      expired = true;
    } else {
      const Entry& entry = entries_[slot.index];
      Status met =
          CheckConditions(entry.permit, entry.number, conditions, operation, /*counting=*/true);
      if (met.ok()) return entry.number;
      if (!unmet.has_value()) unmet = std::move(met).error();
    }
  }
  // Of several reasons the caller is told that which it can mend soonest.
  if (expired) return Fail(Code::kEvidenceExpired);
  if (unmet.has_value()) return *std::move(unmet);
  return Fail(other_mechanism ? Code::kMechanismDenied : Code::kDenied);
}

Status Grant::Check(Operation operation, std::string_view family, UnixTime now) const {
  NoConditions none;
  const auto permit = Check(operation, family, now, none);
  if (permit.ok()) return Done{};
  return permit.error();
}

bool Grant::AllowsAnything(UnixTime now, bool maker) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return now >= entry.from && now < entry.until && (maker || !entry.permit.bound);
  });
}

std::vector<PermitVerdict> Explain(const Policy& policy, const ClaimSet& claims,
                                   UnixTime attested_at, UnixTime now, Operation operation,
                                   std::string_view family, const TokenRules& rules,
                                   Conditions* conditions) {
  std::vector<PermitVerdict> verdicts;
  for (const Permit& permit : policy.permits()) {
    PermitVerdict verdict{.permit = verdicts.size() + 1,
                          .line = permit.line,
                          .operations = permit.operations,
                          .term = {},
                          .wanted = {},
                          .got = {}};
    auto failed = FirstFailure(permit, claims, attested_at, now, operation, family, rules);
    if (!failed.has_value())
      failed = attest::FailedCollateral(claims, policy.collateral_grace(), now);
    if (!failed.has_value() && conditions != nullptr)
      failed = FailedCondition(permit, verdict.permit, *conditions, operation);
    if (failed.has_value()) {
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
