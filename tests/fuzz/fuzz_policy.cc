// Policies: whatever comes in, an answer. What is accepted keeps its promises: it prints and parses
// back to itself, and gives nothing to a caller who shows nothing unless it says so.

#include <cstdlib>

#include "enclave/authz/authorize.h"

using keyclave::AsText;
using keyclave::FromC;
using keyclave::ParseYaml;
using keyclave::attest::ClaimSet;
using keyclave::attest::Expression;
using keyclave::authz::Evaluate;
using keyclave::authz::Explain;
using keyclave::authz::Operation;
using keyclave::authz::Permit;
using keyclave::authz::Policy;

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

void CheckExpression(const Expression& expression) {
  const std::string printed = expression.Print();
  const auto yaml = ParseYaml(printed, "printed");
  Require(yaml.ok());
  const auto again = Expression::Parse(*yaml, Expression::Sets::kAllowed);
  Require(again.ok());
  Require(again->Print() == printed);
  Require(again->RequiresAttested() == expression.RequiresAttested());
  Require(expression.FirstFailure(ClaimSet(), 0).has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto policy = Policy::Parse(AsText(FromC(data, size)), "fuzz");
  if (!policy.ok()) return 0;
  for (const Permit& permit : policy->permits()) {
    CheckExpression(permit.when);
    Require(permit.allow_unattested || permit.bound || permit.when.RequiresAttested());
  }
  (void)policy->Warnings();
  const auto again = Policy::Parse(policy->Print(), "printed");
  Require(again.ok() && again->Print() == policy->Print());
  constexpr keyclave::UnixTime kNow = 1'790'000'000;
  Require(!Evaluate(*policy, ClaimSet(), 0, kNow).AllowsAnything(kNow));
  for (const auto& verdict : Explain(*policy, ClaimSet(), 0, kNow, Operation::kSign, "ecdsa"))
    Require(!verdict.term.empty());
  return 0;
}
