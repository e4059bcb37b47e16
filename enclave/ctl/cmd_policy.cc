// keyclave policy: check policies offline; list and show those of a token.
#include "enclave/ctl/cmd_policy.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "enclave/authz/policy.h"
#include "enclave/authz/verifier_trouble.h"
#include "enclave/base/file.h"
#include "enclave/ctl/enclave_link.h"
#include "enclave/ctl/output.h"

namespace keyclave::ctl {
namespace {

struct CheckOptions {
  std::string file;
  bool strict = false;
};

struct TokenOptions {
  TokenChoice token;
  std::string name;
  bool canonical = false;
};

std::string Joined(const std::set<std::string, std::less<>>& words) {
  std::string text;
  for (const std::string& word : words) text.append(text.empty() ? "" : ", ").append(word);
  return text;
}

std::string ValidText(const authz::Permit& permit) {
  std::string text;
  if (permit.valid_from) text += "from " + FormatTime(*permit.valid_from);
  if (permit.valid_until) {
    text.append(text.empty() ? "" : " ").append("until " + FormatTime(*permit.valid_until));
  }
  return text.empty() ? "always" : text;
}

// What a permit asks of the request itself, by its key in the document.
std::vector<std::pair<std::string, std::string>> Conditions(const authz::Permit& permit) {
  std::vector<std::pair<std::string, std::string>> all;
  if (permit.bound) all.emplace_back("bind", "self");
  if (permit.input) all.emplace_back("input", authz::PrintInputRule(*permit.input));
  if (permit.operations.Has(authz::Operation::kRelease))
    all.emplace_back("wrap", "[" + permit.wrap.Text() + "]");
  if (permit.approvals) all.emplace_back("approvals", permit.approvals->Print());
  if (permit.limits) all.emplace_back("limits", authz::Print(*permit.limits));
  return all;
}

std::string ConditionsText(const authz::Permit& permit) {
  std::string text;
  for (const auto& [key, value] : Conditions(permit))
    text.append(text.empty() ? "" : ", ").append(key + " " + value);
  return text.empty() ? "-" : text;
}

// What the document says of itself.
std::vector<std::pair<std::string, std::string>> Rules(const authz::Policy& policy) {
  std::vector<std::pair<std::string, std::string>> all;
  if (policy.change()) all.emplace_back("change", policy.change()->Print());
  if (policy.locked()) all.emplace_back("locked", "true");
  if (policy.collateral_grace() != 0)
    all.emplace_back("on_verifier_trouble", authz::PrintVerifierTrouble(policy.collateral_grace()));
  return all;
}

Json PolicyJson(const authz::Policy& policy) {
  Json permits = Json::array();
  for (const authz::Permit& permit : policy.permits()) {
    Json json = {{"line", permit.line},
                 {"operations", permit.operations.Text()},
                 {"when", permit.when.Print()},
                 {"allow_unattested", permit.allow_unattested}};
    if (permit.mechanisms) json["mechanisms"] = *permit.mechanisms;
    if (permit.max_age) json["max_age"] = *permit.max_age;
    if (permit.valid_from) json["valid_from"] = FormatTime(*permit.valid_from);
    if (permit.valid_until) json["valid_until"] = FormatTime(*permit.valid_until);
    for (const auto& [key, value] : Conditions(permit)) json[key] = value;
    permits.push_back(std::move(json));
  }
  Json document = {{"policy", policy.name()},
                   {"version", policy.version()},
                   {"digest", ToHex(policy.digest())},
                   {"permits", permits},
                   {"warnings", policy.Warnings()}};
  for (const auto& [key, value] : Rules(policy)) document[key] = value;
  if (policy.locked()) document["locked"] = true;
  return document;
}

void PrintWarnings(const std::vector<std::string>& warnings) {
  for (const std::string& warning : warnings) {
    Print(Paint(Colour::kWarn, "warning") + ": " + Harmless(warning) + "\n");
  }
}

Result<int> Check(const CheckOptions& options, const Globals& globals) {
  KC_ASSIGN(const Bytes text, ReadFile(options.file, kMaxPolicyText));
  KC_ASSIGN(const authz::Policy policy, authz::Policy::Parse(AsText(text), options.file));
  const std::vector<std::string> warnings = policy.Warnings();
  const int code = options.strict && !warnings.empty() ? kExitRefused : kExitOk;
  if (globals.json) {
    PrintJson(PolicyJson(policy));
    return code;
  }
  Print("Policy " + Harmless(policy.name()) + ", version " + std::to_string(policy.version()) +
        ", digest " + ToHex(policy.digest()) + "\n");
  Fields rules;
  for (const auto& [key, value] : Rules(policy)) rules.Add(key, value);
  Print(rules.Text() + "\n");
  Table table({"PERMIT", "LINE", "OPERATIONS", "MECHANISMS", "MAX AGE", "VALID", "ASKS", "WHEN"});
  for (size_t i = 0; i < policy.permits().size(); ++i) {
    const authz::Permit& permit = policy.permits()[i];
    table.Add({std::to_string(i + 1), std::to_string(permit.line), permit.operations.Text(),
               permit.mechanisms ? Joined(*permit.mechanisms) : "any",
               permit.max_age ? std::to_string(*permit.max_age) + "s" : "-", ValidText(permit),
               Harmless(ConditionsText(permit)), Harmless(permit.when.Print())});
  }
  Print(table.Text());
  if (!warnings.empty()) Print("\n");
  PrintWarnings(warnings);
  return code;
}

Json InfoJson(const wire::PolicyInfo& policy) {
  return {{"policy", policy.name},
          {"version", policy.version},
          {"digest", ToHex(policy.digest)},
          {"objects", policy.objects},
          {"default", policy.is_default},
          {"signed_by", policy.by.value_or(std::vector<std::string>())}};
}

Result<int> List(const TokenOptions& options, const Globals& globals) {
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, options.token));
  KC_ASSIGN(const wire::TokenInfo token, enclave->Token(options.token.label));
  KC_ASSIGN(const wire::ListPoliciesReply reply,
            enclave->Call<wire::Op::kListPolicies>({token.id}));
  if (globals.json) {
    Json list = Json::array();
    for (const wire::PolicyInfo& policy : reply.policies) list.push_back(InfoJson(policy));
    PrintJson({{"token", token.label}, {"policies", list}});
    return kExitOk;
  }
  Table table({"POLICY", "VERSION", "OBJECTS", "DEFAULT", "DIGEST"});
  for (const wire::PolicyInfo& policy : reply.policies) {
    table.Add({Harmless(policy.name), std::to_string(policy.version),
               std::to_string(policy.objects), policy.is_default ? "yes" : "",
               ToHex(policy.digest)});
  }
  Print(table.Text());
  return kExitOk;
}

Result<int> Show(const TokenOptions& options, const Globals& globals) {
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, options.token));
  KC_ASSIGN(const wire::TokenInfo token, enclave->Token(options.token.label));
  const std::string& name = options.name.empty() ? token.default_policy : options.name;
  KC_ASSIGN(const wire::ShowPolicyReply reply,
            enclave->Call<wire::Op::kShowPolicy>({token.id, name}));
  std::string text = reply.text;
  if (options.canonical) {
    KC_ASSIGN(const authz::Policy policy, authz::Policy::Parse(text, name));
    text = policy.Print();
  }
  if (globals.json) {
    Json document = InfoJson(reply.policy);
    document["text"] = text;
    PrintJson(document);
  } else {
    Print(text);
  }
  return kExitOk;
}

using TokenAction = Result<int> (*)(const TokenOptions&, const Globals&);

CLI::App* AddTokenCommand(CLI::App& group, Invocation& invocation, const char* name,
                          const char* description, TokenAction action,
                          const std::shared_ptr<TokenOptions>& options) {
  CLI::App* command = group.add_subcommand(name, description);
  AddTokenOptions(*command, options->token);
  command->callback([options, action, &invocation] {
    invocation.action = [options, action, &invocation] {
      return action(*options, invocation.globals);
    };
  });
  return command;
}

}  // namespace

void AddPolicy(CLI::App& app, Invocation& invocation) {
  CLI::App* group = app.add_subcommand("policy", "policies: who may do what with which key");
  group->require_subcommand(1);

  auto check_options = std::make_shared<CheckOptions>();
  CLI::App* check = group->add_subcommand("check", "check a policy's text, without any enclave");
  check->add_option("file", check_options->file)->required()->type_name("FILE");
  check->add_flag("--strict", check_options->strict, "warnings make it fail");
  check->footer(
      "Shows each permit as it is understood, and warns of what deserves a second look.\n"
      "Example: keyclave policy check --strict edge.yaml && keyclave policy apply edge.yaml");
  check->callback([check_options, &invocation] {
    invocation.action = [check_options, &invocation] {
      return Check(*check_options, invocation.globals);
    };
  });

  AddPolicyApply(*group, invocation);
  AddTokenCommand(*group, invocation, "list", "list a token's policies", List,
                  std::make_shared<TokenOptions>());
  auto show_options = std::make_shared<TokenOptions>();
  CLI::App* show =
      AddTokenCommand(*group, invocation, "show", "show a policy's text", Show, show_options);
  show->add_option("name", show_options->name, "its name (default: the token's default policy)");
  AddPolicyDiff(*group, invocation);
  AddPolicyTest(*group, invocation);
  AddPolicyConvert(*group, invocation);
  show->add_flag("--canonical", show_options->canonical,
                 "as it is understood, with every key written out");
  AddPolicyHistory(*group, invocation);
}

}  // namespace keyclave::ctl
