// keyclave explain --evidence: what a policy says to evidence in files, without asking the enclave.
#include <CLI/CLI.hpp>

#include "enclave/authz/authorize.h"
#include "enclave/authz/families.h"
#include "enclave/base/file.h"
#include "enclave/ctl/cmd_evidence.h"
#include "enclave/ctl/cmd_explain.h"
#include "enclave/ctl/cmd_policy.h"
#include "enclave/ctl/output.h"

namespace keyclave::ctl {
namespace {

struct Explanation {
  std::string key;
  std::string operation;
  bool allowed = false;
  OfflineCaller caller;
  std::vector<authz::PermitVerdict> permits;
};

// CLAIM=VALUE, the value as a policy writes it.
Result<attest::ClaimSet> ReadGiven(const std::vector<std::string>& given) {
  std::string text;
  for (const std::string& one : given) {
    const size_t at = one.find('=');
    if (at == std::string::npos || one.find('\n') != std::string::npos)
      return Fail(Code::kInvalidArgument, "--claim " + one + ": wanted CLAIM=VALUE");
    text += one.substr(0, at) + ": " + one.substr(at + 1) + "\n";
  }
  KC_ASSIGN(const YamlValue yaml, ParseYaml(text, "--claim"));
  return ReadClaims(yaml);
}

Result<OfflineCaller> ReadCaller(const OfflineOptions& options, UnixTime now) {
  KC_ASSIGN(const attest::ClaimSet given, ReadGiven(options.claims));
  if (options.evidence.empty()) return CallerOf(given);
  return CallerOf(options.evidence, options.trust, {}, given, now);
}

Json ToJson(const Explanation& explanation, const authz::Policy& policy) {
  Json document = {{"key", explanation.key.empty() ? Json(nullptr) : Json(explanation.key)},
                   {"operation", explanation.operation},
                   {"allowed", explanation.allowed},
                   {"policy", policy.name()},
                   {"version", policy.version()},
                   {"digest", ToHex(policy.digest())},
                   {"permits", Json::array()},
                   {"claims", Json::array()}};
  for (const authz::PermitVerdict& permit : explanation.permits) {
    document["permits"].push_back({{"permit", permit.permit},
                                   {"line", permit.line},
                                   {"operations", permit.operations.Text()},
                                   {"applies", permit.term.empty()},
                                   {"term", permit.term},
                                   {"wanted", permit.wanted},
                                   {"got", permit.got},
                                   {"from", OriginOfTerm(explanation.caller, permit.term)}});
  }
  for (const auto& [name, claim] : explanation.caller.claims) {
    document["claims"].push_back({{"name", name},
                                  {"value", attest::ToText(claim.value)},
                                  {"attested", claim.origin == attest::Origin::kAttested},
                                  {"from", explanation.caller.origins.at(name)}});
  }
  return document;
}

void PrintPermit(const authz::PermitVerdict& permit, const OfflineCaller& caller) {
  Print("permit " + std::to_string(permit.permit) + " (line " + std::to_string(permit.line) + ": " +
        permit.operations.Text() + ") ");
  if (permit.term.empty()) {
    Print(Paint(Colour::kGood, "permits it") + "\n");
    return;
  }
  Print(Paint(Colour::kBad, "does not apply") + ", its first failing term is\n");
  Fields fields;
  fields.Add("  term", permit.term);
  fields.Add("  wanted", permit.wanted);
  fields.Add("  got", permit.got);
  const std::string origin = OriginOfTerm(caller, permit.term);
  if (!origin.empty()) fields.Add("  from", origin);
  Print(fields.Text());
}

void PrintExplanation(const Explanation& explanation, const authz::Policy& policy) {
  const std::string subject =
      explanation.key.empty() ? "" : "Key " + Harmless(explanation.key) + ", ";
  Print(subject + "policy " + Harmless(policy.name()) + " version " +
        std::to_string(policy.version()) + ": " + explanation.operation + " is " +
        (explanation.allowed ? Paint(Colour::kGood, "allowed") : Paint(Colour::kBad, "refused")) +
        " for this evidence\n\n");
  for (const authz::PermitVerdict& permit : explanation.permits)
    PrintPermit(permit, explanation.caller);
  Print("\nWhat the caller is:\n");
  Table table({"CLAIM", "VALUE", "FROM"});
  for (const auto& [name, claim] : explanation.caller.claims) {
    table.Add({Harmless(name), Harmless(attest::ToText(claim.value)),
               Harmless(explanation.caller.origins.at(name))});
  }
  Print(table.Text());
}

}  // namespace

void AddOfflineOptions(CLI::App& command, OfflineOptions& options) {
  command.add_option("--policy", options.policy, "explain this policy's text, without any enclave")
      ->type_name("FILE");
  command
      .add_option("--evidence", options.evidence,
                  "for the caller of this evidence (keyclave evidence collect)")
      ->type_name("FILE");
  command
      .add_option("--claim", options.claims,
                  "what the channel tells beside evidence, or without evidence any claim")
      ->allow_extra_args(false)
      ->type_name("CLAIM=VALUE");
  command.add_option("--set", options.sets, "a reference-value set that --policy compares with")
      ->allow_extra_args(false)
      ->type_name("FILE");
  command.add_option("--mechanism", options.mechanism, "with this mechanism (default: any)")
      ->type_name("NAME");
  command.add_option("--at", options.at, "at this time (RFC 3339; default: now)");
  AddTrustOptions(command, options.trust);
}

Result<int> ExplainPolicy(const OfflineOptions& options, const authz::Policy& policy,
                          const authz::TokenRules& rules, const std::string& key, bool json) {
  KC_CHECK_OK(CheckSets(policy, rules));
  KC_ASSIGN(const UnixTime now, VerificationTime(options.at));
  Explanation explanation{.key = key, .operation = options.operation, .caller = {}, .permits = {}};
  if (explanation.operation.empty()) explanation.operation = "sign";
  const auto operation = authz::ParseOperation(explanation.operation);
  if (!operation.has_value())
    return Fail(Code::kInvalidArgument, "--operation " + options.operation + " is not known");
  if (!options.mechanism.empty() && !authz::IsFamily(options.mechanism))
    return Fail(Code::kInvalidArgument, "--mechanism " + options.mechanism + " is not known");
  KC_ASSIGN(explanation.caller, ReadCaller(options, now));
  explanation.permits = authz::Explain(policy, explanation.caller.claims, now, now, *operation,
                                       options.mechanism, rules);
  for (const authz::PermitVerdict& permit : explanation.permits)
    explanation.allowed |= permit.term.empty();
  if (json) {
    PrintJson(ToJson(explanation, policy));
  } else {
    PrintExplanation(explanation, policy);
  }
  return explanation.allowed ? kExitOk : kExitRefused;
}

Result<int> ExplainFile(const OfflineOptions& options, bool json) {
  KC_ASSIGN(const Bytes text, ReadFile(options.policy, kMaxPolicyText));
  KC_ASSIGN(const authz::Policy policy, authz::Policy::Parse(AsText(text), options.policy));
  KC_ASSIGN(const authz::TokenRules rules, ReadSets(options.sets));
  return ExplainPolicy(options, policy, rules, "", json);
}

}  // namespace keyclave::ctl
