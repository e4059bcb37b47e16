// keyclave policy history: which versions a policy had, and who signed them.
#include <CLI/CLI.hpp>
#include <memory>

#include "enclave/ctl/cmd_policy.h"
#include "enclave/ctl/document_history.h"

namespace keyclave::ctl {

void AddPolicyHistory(CLI::App& group, Invocation& invocation) {
  auto options = std::make_shared<HistoryOptions>();
  CLI::App* command = group.add_subcommand("history", "the versions of a policy, newest first");
  AddHistoryOptions(*command, *options);
  command->footer(
      "Example: keyclave policy history edge-tls --token edge --verify --owner ops=ops.pem");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] {
      return ShowHistory(*options, wire::DocumentKind::kPolicy, invocation.globals);
    };
  });
}

}  // namespace keyclave::ctl
