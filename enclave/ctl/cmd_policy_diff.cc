// keyclave policy diff: what changes between two versions of a policy, and for whom.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "enclave/authz/authorize.h"
#include "enclave/authz/policy_diff.h"
#include "enclave/base/file.h"
#include "enclave/ctl/audit_callers.h"
#include "enclave/ctl/cmd_evidence.h"
#include "enclave/ctl/cmd_policy.h"
#include "enclave/ctl/output.h"

namespace keyclave::ctl {
namespace {

using authz::ChangeVerdict;
using authz::Policy;
using authz::PolicyChange;

struct DiffOptions {
  std::string before;
  std::string after;
  std::vector<std::string> audits;
  std::vector<std::string> evidence;
  std::vector<std::string> sets;
  std::string at;
  TrustOptions trust;
};

// One caller, and what it may do under one policy and may not under the other.
struct Affected {
  std::string caller;
  uint64_t requests = 0;  // seen in the audit
  std::vector<std::string> gains;
  std::vector<std::string> loses;
};

struct Diff {
  std::vector<PolicyChange> changes;
  std::vector<Affected> affected;
  size_t callers = 0;  // that were compared
  std::set<std::string>
      absent;  // claims that terms ask for, and that a caller is not known to have
  uint64_t without_claims = 0;
};

Result<Policy> ReadPolicy(const std::string& path) {
  KC_ASSIGN(const Bytes text, ReadFile(path, kMaxPolicyText));
  return Policy::Parse(AsText(text), path);
}

// The mechanisms that either policy tells apart, and "any".
std::set<std::string, std::less<>> Families(const Policy& before, const Policy& after) {
  std::set<std::string, std::less<>> families{""};
  for (const Policy* policy : {&before, &after}) {
    for (const authz::Permit& permit : policy->permits()) {
      if (permit.mechanisms.has_value())
        families.insert(permit.mechanisms->begin(), permit.mechanisms->end());
    }
  }
  return families;
}

Affected CompareFor(const SeenCaller& caller, const Policy& before, const Policy& after,
                    const authz::TokenRules& rules, UnixTime now) {
  Affected affected{.caller = caller.name, .requests = caller.requests, .gains = {}, .loses = {}};
  const authz::Grant had = authz::Evaluate(before, caller.claims, now, now, rules);
  const authz::Grant has = authz::Evaluate(after, caller.claims, now, now, rules);
  const auto families = Families(before, after);
  for (size_t i = 0; i < authz::kOperationCount; ++i) {
    const auto operation = static_cast<authz::Operation>(i);
    for (const std::string& family : families) {
      const bool allowed = had.Check(operation, family, now).ok();
      if (allowed == has.Check(operation, family, now).ok()) continue;
      std::string use(authz::OperationName(operation));
      if (!family.empty()) use += " with " + family;
      (allowed ? affected.loses : affected.gains).push_back(std::move(use));
      if (family.empty()) break;  // all of the operation: its mechanisms need not be told
    }
  }
  return affected;
}

// The claims that stood against a caller by being absent: of callers in the audit log, whose
// records hold some claims only, it is not known whether they have them.
void AddAbsent(const SeenCaller& caller, const Policy& policy, const authz::TokenRules& rules,
               UnixTime now, std::set<std::string>& absent) {
  for (size_t i = 0; i < authz::kOperationCount; ++i) {
    const auto operation = static_cast<authz::Operation>(i);
    for (const authz::PermitVerdict& verdict :
         authz::Explain(policy, caller.claims, now, now, operation, "", rules)) {
      if (verdict.got == "absent") absent.insert(ClaimOfTerm(verdict.term));
    }
  }
  absent.erase("");
}

Result<Diff> MakeDiff(const DiffOptions& options) {
  KC_ASSIGN(const UnixTime now, VerificationTime(options.at));
  KC_ASSIGN(const Policy before, ReadPolicy(options.before));
  KC_ASSIGN(const Policy after, ReadPolicy(options.after));
  Diff diff{.changes = authz::Compare(before, after), .affected = {}, .absent = {}};
  std::vector<SeenCaller> callers;
  for (const std::string& path : options.audits) {
    KC_ASSIGN(SeenCallers seen, ReadAuditCallers(path));
    diff.without_claims += seen.without_claims;
    std::move(seen.callers.begin(), seen.callers.end(), std::back_inserter(callers));
  }
  for (const std::string& path : options.evidence) {
    KC_ASSIGN(OfflineCaller caller, CallerOf(path, options.trust, {}, {}, now));
    callers.push_back({.name = path, .claims = std::move(caller.claims)});
  }
  diff.callers = callers.size();
  KC_ASSIGN(const authz::TokenRules rules, ReadSets(options.sets));
  for (const Policy* policy : {&before, &after}) {
    if (!callers.empty()) KC_CHECK_OK(CheckSets(*policy, rules));
  }
  for (const SeenCaller& caller : callers) {
    Affected affected = CompareFor(caller, before, after, rules, now);
    AddAbsent(caller, before, rules, now, diff.absent);
    AddAbsent(caller, after, rules, now, diff.absent);
    if (!affected.gains.empty() || !affected.loses.empty())
      diff.affected.push_back(std::move(affected));
  }
  return diff;
}

Json ToJson(const Diff& diff) {
  Json document = {{"verdict", authz::ChangeName(authz::Overall(diff.changes))},
                   {"changes", Json::array()},
                   {"callers", diff.callers},
                   {"without_claims", diff.without_claims},
                   {"absent", diff.absent},
                   {"affected", Json::array()}};
  for (const PolicyChange& change : diff.changes) {
    document["changes"].push_back({{"verdict", authz::ChangeName(change.verdict)},
                                   {"before", change.before},
                                   {"after", change.after},
                                   {"what", change.what}});
  }
  for (const Affected& one : diff.affected) {
    document["affected"].push_back({{"caller", one.caller},
                                    {"requests", one.requests},
                                    {"gains", one.gains},
                                    {"loses", one.loses}});
  }
  return document;
}

Colour ColourOf(ChangeVerdict verdict) {
  switch (verdict) {
    case ChangeVerdict::kSame: return Colour::kDim;
    case ChangeVerdict::kWeaker: return Colour::kBad;
    case ChangeVerdict::kStricter: return Colour::kGood;
    case ChangeVerdict::kChanged: return Colour::kWarn;
  }
  return Colour::kNone;
}

std::string PermitsText(const PolicyChange& change) {
  if (change.before == 0 && change.after == 0) return "policy";
  if (change.before == 0) return "+" + std::to_string(change.after);
  if (change.after == 0) return "-" + std::to_string(change.before);
  if (change.before == change.after) return std::to_string(change.before);
  return std::to_string(change.before) + " -> " + std::to_string(change.after);
}

std::string Listed(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text.append(text.empty() ? "" : ", ").append(word);
  return text;
}

void PrintDiff(const DiffOptions& options, const Diff& diff) {
  if (diff.changes.empty()) {
    Print("The policies permit the same.\n");
  } else {
    Table table({"VERDICT", "PERMIT", "WHAT"});
    for (const PolicyChange& change : diff.changes) {
      table.Add({Paint(ColourOf(change.verdict), authz::ChangeName(change.verdict)),
                 PermitsText(change), Harmless(change.what)});
    }
    Print(table.Text());
  }
  if (options.audits.empty() && options.evidence.empty()) return;
  Table table({"CALLER", "GAINS", "LOSES"});
  for (const Affected& one : diff.affected)
    table.Add({Harmless(one.caller), Listed(one.gains), Listed(one.loses)});
  Print("\nOf " + std::to_string(diff.callers) + " callers, " +
        std::to_string(diff.affected.size()) + " gain or lose something.\n");
  if (!table.empty()) Print(table.Text());
  if (!options.audits.empty() && !diff.absent.empty()) {
    std::string names;
    for (const std::string& name : diff.absent)
      names.append(names.empty() ? "" : ", ").append(name);
    PrintNote("keyclave: records of the audit hold some claims only: what hangs on " + names +
              " is not known of all callers\n");
  }
  if (diff.without_claims > 0) {
    PrintNote("keyclave: " + std::to_string(diff.without_claims) +
              " lines of the audit do not say what their callers proved\n");
  }
}

Result<int> RunDiff(const DiffOptions& options, bool json) {
  KC_ASSIGN(const Diff diff, MakeDiff(options));
  if (json) {
    PrintJson(ToJson(diff));
  } else {
    PrintDiff(options, diff);
  }
  const ChangeVerdict verdict = authz::Overall(diff.changes);
  const bool gains = verdict == ChangeVerdict::kWeaker || verdict == ChangeVerdict::kChanged;
  return gains ? kExitRefused : kExitOk;
}

}  // namespace

void AddPolicyDiff(CLI::App& group, Invocation& invocation) {
  auto options = std::make_shared<DiffOptions>();
  CLI::App* command = group.add_subcommand("diff", "what changes between two policies, for whom");
  command->add_option("old", options->before)->required()->type_name("OLD");
  command->add_option("new", options->after)->required()->type_name("NEW");
  command
      ->add_option("--audit", options->audits,
                   "which callers of this audit log (lines or a folder) gain or lose")
      ->allow_extra_args(false)
      ->type_name("FILE");
  command->add_option("--evidence", options->evidence, "whether the callers of this evidence do")
      ->allow_extra_args(false)
      ->type_name("FILE");
  command->add_option("--set", options->sets, "reference-value sets that the policies compare with")
      ->allow_extra_args(false)
      ->type_name("FILE");
  command->add_option("--at", options->at, "at this time (RFC 3339; default: now)");
  AddTrustOptions(*command, options->trust);
  command->footer(
      "Offline. WEAKER: somebody may gain; STRICTER: somebody may lose; CHANGED: both, or it "
      "cannot\n"
      "be told; SAME: other words. The exit code is 1 if somebody may gain. Example:\n"
      "  keyclave policy diff edge-v4.yaml edge-v5.yaml --audit audit.jsonl");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] {
      return RunDiff(*options, invocation.globals.json);
    };
  });
}

}  // namespace keyclave::ctl
