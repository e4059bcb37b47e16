// keyclave approvals: which approvals are in force.
#include <CLI/CLI.hpp>
#include <memory>

#include "enclave/base/clock.h"
#include "enclave/ctl/enclave_link.h"
#include "enclave/ctl/output.h"

namespace keyclave::ctl {
namespace {

std::string NamesText(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text.append(text.empty() ? "" : ", ").append(name);
  return text;
}

Result<int> List(const TokenChoice& choice, const Globals& globals) {
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, choice));
  KC_ASSIGN(const wire::TokenInfo token, enclave->Token(choice.label));
  KC_ASSIGN(const wire::ListApprovalsReply reply,
            enclave->Call<wire::Op::kListApprovals>({token.id}));
  Json list = Json::array();
  Table table({"OBJECT", "OPERATION", "TEE", "MEASUREMENT", "UNTIL", "BY", "REASON"});
  for (const wire::ApprovalInfo& info : reply.approvals) {
    const wire::ApproveRequest& approval = info.approval;
    list.push_back({{"object", ToHex(approval.object)},
                    {"operation", approval.operation},
                    {"tee", approval.tee},
                    {"measurement", approval.measurement},
                    {"expires", FormatTime(approval.expires)},
                    {"reason", approval.reason},
                    {"at", FormatTime(info.at)},
                    {"by", info.by}});
    table.Add({ToHex(approval.object), Harmless(approval.operation), Harmless(approval.tee),
               Harmless(approval.measurement), FormatTime(approval.expires),
               Harmless(NamesText(info.by)), Harmless(approval.reason)});
  }
  if (globals.json) {
    PrintJson({{"token", token.label}, {"approvals", list}});
  } else {
    Print(table.empty() ? "No approvals are in force.\n" : table.Text());
  }
  return kExitOk;
}

}  // namespace

void AddApprovals(CLI::App& app, Invocation& invocation) {
  CLI::App* group = app.add_subcommand("approvals", "approvals that owners gave");
  group->require_subcommand(1);
  auto choice = std::make_shared<TokenChoice>();
  CLI::App* list = group->add_subcommand("list", "those that are in force");
  AddTokenOptions(*list, *choice);
  list->callback([choice, &invocation] {
    invocation.action = [choice, &invocation] { return List(*choice, invocation.globals); };
  });
}

}  // namespace keyclave::ctl
