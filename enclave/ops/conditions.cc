#include "enclave/ops/conditions.h"

#include "enclave/guard/issue.h"
#include "enclave/ops/approvals.h"
#include "enclave/ops/ca_certificates.h"
#include "enclave/ops/input_check.h"

namespace keyclave::ops {

// Fetched when something asks for it: most permits have no condition.
const session::Session::Identity& UseConditions::Who() {
  if (identity_ == nullptr) identity_ = call_.identity;
  return *identity_;
}

std::string UseConditions::AttestedText(std::string_view name) {
  const attest::Claim* claim = Who().claims.Find(name);
  if (claim == nullptr || claim->origin != attest::Origin::kAttested) return {};
  return attest::ToText(claim->value);
}

// An object that no attested caller made is bound to nobody.
Status UseConditions::CheckBinding() {
  const std::string tee = object_.attributes.Text(kCkaCreatorTee);
  const std::string measurement = object_.attributes.Text(kCkaCreatorMeasurement);
  if (tee.empty() || measurement.empty())
    return Fail(Code::kDenied, "no attested workload made the object");
  const std::string caller_tee = AttestedText("tee");
  const std::string caller = AttestedText("measurement");
  if (caller_tee == tee && caller == measurement) return Done{};
  return Fail(Code::kDenied,
              "made by " + tee + " " + measurement + ", not by " + caller_tee + " " + caller);
}

Status UseConditions::CheckInput(const authz::InputRule& rule) {
  if (ignore_input_) return Done{};
  if (use_.mechanism == nullptr) return Fail(Code::kInputRefused, "there is no message");
  return CheckSignInput(call_, object_, *use_.mechanism, use_.input, rule);
}

Status UseConditions::CheckWrap(const authz::WrapForms& forms) {
  if (ignore_input_ || (use_.form && forms.Has(*use_.form))) return Done{};
  return Fail(Code::kWrapRefused, use_.form ? std::string(WrapFormName(*use_.form)) : "no form");
}

// The proof comes after the names, so that nobody has signatures checked who would not be served.
Status UseConditions::CheckIssue(const authz::IssueRule& rule) {
  if (ignore_input_) return Done{};
  if (use_.certificate == nullptr) return Fail(Code::kIssueRefused, "there is no request");
  KC_CHECK_OK(use_.certificate->Draft());
  const mech::Leaf& leaf = *use_.certificate->leaf();
  KC_CHECK_OK(guard::CheckIssue(rule, leaf));
  KC_CHECK_OK(mech::CheckProof(leaf));
  KC_ASSIGN(const mech::Issuer issuer, IssuerOf(call_, object_));
  return issuer.CheckNames(leaf);
}

Status UseConditions::CheckApprovals(const authz::Quorum& quorum) {
  const auto token = call_.service.store.FindToken(object_.token);
  if (!token.ok()) return Fail(Code::kApprovalMissing);
  const std::string tee = AttestedText("tee");
  const std::string measurement = AttestedText("measurement");
  const ApprovedUse approved{.object = object_.id,
                             .operation = OperationName(use_.operation),
                             .tee = tee,
                             .measurement = measurement};
  const auto owners = ApprovedBy(call_.service.store, *token, approved, call_.now);
  if (quorum.Reached(owners)) return Done{};
  return Fail(Code::kApprovalMissing, std::to_string(quorum.Count(owners)) + " of " +
                                          std::to_string(quorum.quorum) + " for " + tee + " " +
                                          measurement);
}

Status UseConditions::TakeLimit(size_t permit, const authz::LimitRule& limit) {
  if (count_nothing_) return Done{};
  return call_.service.limits.Take(
      {.object = object_.id, .policy = policy_, .permit = permit, .caller = Who().caller}, limit);
}

}  // namespace keyclave::ops
