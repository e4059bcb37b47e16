// A policy as canonical YAML: what it says, without the author's order, spacing and comments.
#include "enclave/authz/policy.h"
#include "enclave/authz/verifier_trouble.h"

namespace keyclave::authz {
namespace {

template <class List>
std::string Join(const List& list) {
  std::string text;
  for (const std::string_view item : list) text.append(text.empty() ? "" : ", ").append(item);
  return text;
}

void PrintTimes(const Permit& permit, std::string& out) {
  if (permit.max_age.has_value()) out += "    max_age: " + std::to_string(*permit.max_age) + "s\n";
  if (!permit.valid_from.has_value() && !permit.valid_until.has_value()) return;
  std::string span;
  if (permit.valid_from.has_value()) span += "from: " + FormatTime(*permit.valid_from);
  if (permit.valid_until.has_value())
    span.append(span.empty() ? "" : ", ").append("until: " + FormatTime(*permit.valid_until));
  out += "    valid: {" + span + "}\n";
}

void PrintPermit(const Permit& permit, std::string& out) {
  out += "  - operations: [" + permit.operations.Text() + "]\n";
  if (permit.mechanisms.has_value()) out += "    mechanisms: [" + Join(*permit.mechanisms) + "]\n";
  out += "    when: " + permit.when.Print() + "\n";
  PrintTimes(permit, out);
  if (permit.bound) out += "    bind: self\n";
  if (permit.input.has_value()) out += "    input: " + PrintInputRule(*permit.input) + "\n";
  if (permit.operations.Has(Operation::kRelease)) out += "    wrap: [" + permit.wrap.Text() + "]\n";
  if (permit.issue.has_value()) out += "    issue: " + PrintIssueRule(*permit.issue) + "\n";
  if (permit.limits.has_value()) out += "    limits: " + authz::Print(*permit.limits) + "\n";
  if (permit.approvals.has_value()) out += "    approvals: " + permit.approvals->Print() + "\n";
  if (permit.allow_unattested) out += "    allow_unattested: true\n";
}

}  // namespace

std::string Policy::Print() const {
  std::string out = "policy: \"" + name_ + "\"\nversion: " + std::to_string(version_) + "\n";
  if (change_.has_value()) out += "change: " + change_->Print() + "\n";
  if (locked_) out += "locked: true\n";
  if (collateral_grace_ != 0)
    out += "on_verifier_trouble: " + PrintVerifierTrouble(collateral_grace_) + "\n";
  out += "permit:\n";
  for (const Permit& permit : permits_) PrintPermit(permit, out);
  return out;
}

}  // namespace keyclave::authz
