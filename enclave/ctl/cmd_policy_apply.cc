// keyclave policy apply, keyclave policy sign: put a policy in force, or have it signed for that.
#include <CLI/CLI.hpp>
#include <memory>

#include "enclave/base/file.h"
#include "enclave/ctl/cmd_policy.h"
#include "enclave/ctl/cmd_request.h"
#include "enclave/ctl/enclave_link.h"
#include "enclave/ctl/output.h"
#include "enclave/ctl/weakening.h"

namespace keyclave::ctl {
namespace {

constexpr size_t kMaxFile = size_t{8} << 20;  // bytes, of a request

struct Options {
  TokenChoice token;
  std::string file;
  bool make_default = false;
  bool yes = false;
};

// False: the person who was asked said no.
Result<bool> MayReplace(Enclave& enclave, const wire::TokenInfo& token, const authz::Policy& policy,
                        bool yes) {
  const auto present = enclave.Call<wire::Op::kShowPolicy>({token.id, policy.name()});
  if (!present.ok() && present.code() == Code::kPolicyNotFound) return true;
  if (!present.ok()) return present.error();
  KC_ASSIGN(const authz::Policy before, authz::Policy::Parse(present->text, "present version"));
  return AcceptWeakening("policy " + policy.name(), Weakenings(before, policy), yes);
}

int Report(const wire::ApplyPolicyReply& reply, const wire::TokenInfo& token, bool json) {
  const wire::PolicyInfo& policy = reply.policy;
  if (json) {
    PrintJson({{"policy", policy.name},
               {"version", policy.version},
               {"digest", ToHex(policy.digest)},
               {"objects", policy.objects},
               {"default", policy.is_default},
               {"warnings", reply.warnings}});
    return kExitOk;
  }
  Print("Policy " + Harmless(policy.name) + " version " + std::to_string(policy.version) +
        " now governs " + std::to_string(policy.objects) + " objects of token " +
        Harmless(token.label) + (policy.is_default ? ", and new ones by default" : "") + ".\n");
  for (const std::string& warning : reply.warnings)
    Print(Paint(Colour::kWarn, "warning") + ": " + Harmless(warning) + "\n");
  return kExitOk;
}

Result<int> Apply(const Options& options, const Globals& globals) {
  KC_ASSIGN(const Bytes text, ReadFile(options.file, kMaxFile));
  if (IsRequestFile(AsText(text))) return SendRequestFile(options.file, globals);
  // Mistakes are told here, with the file's name and line, before anything is sent.
  KC_ASSIGN(const authz::Policy policy, authz::Policy::Parse(AsText(text), options.file));
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, options.token));
  KC_ASSIGN(const wire::TokenInfo token, enclave->Token(options.token.label));
  KC_ASSIGN(const bool sure, MayReplace(*enclave, token, policy, options.yes));
  if (!sure) {
    PrintNote("Nothing was changed.\n");
    return kExitRefused;
  }
  KC_ASSIGN(const auto reply, enclave->Change<wire::Op::kApplyPolicy>(
                                  {token.id, std::string(AsText(text)), options.make_default}));
  if (!reply) return enclave->WriteRequests(globals.json);
  return Report(*reply, token, globals.json);
}

CLI::App* AddCommand(CLI::App& group, Invocation& invocation, const char* name,
                     const char* description, const std::shared_ptr<Options>& options) {
  CLI::App* command = group.add_subcommand(name, description);
  AddTokenOptions(*command, options->token);
  command->add_option("file", options->file)->required()->type_name("FILE");
  command->add_flag("--default", options->make_default,
                    "make it the policy of objects that name none");
  command->add_flag("--yes", options->yes, "do not ask, also where it becomes weaker");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return Apply(*options, invocation.globals); };
  });
  return command;
}

}  // namespace

void AddPolicyApply(CLI::App& group, Invocation& invocation) {
  auto apply_options = std::make_shared<Options>();
  CLI::App* apply =
      AddCommand(group, invocation, "apply", "add or replace a token's policy", apply_options);
  AddChangeOptions(*apply, apply_options->token.owner);
  apply->footer(
      "A policy of the same name is replaced; its version must rise. What the new version lets "
      "in\nthat the present one does not is told first, and asked about. Examples:\n"
      "  keyclave policy apply --token edge edge.yaml\n"
      "  keyclave policy apply --token edge edge.yaml --owner ops=ops.pem --owner "
      "security=sec.pem");

  auto sign_options = std::make_shared<Options>();
  CLI::App* sign = AddCommand(group, invocation, "sign",
                              "sign a policy into a request file (apply --out)", sign_options);
  AddChangeOptions(*sign, sign_options->token.owner);
  sign->get_option("--out")->required();
  sign->footer(
      "Example: keyclave policy sign --token edge edge.yaml --owner ops=ops.pem --out r.json");
}

}  // namespace keyclave::ctl
