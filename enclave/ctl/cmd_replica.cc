// keyclave replica: the daemons that share one enclave's keys.
#include <CLI/CLI.hpp>
#include <memory>

#include "enclave/base/clock.h"
#include "enclave/ctl/enclave_link.h"
#include "enclave/ctl/output.h"

namespace keyclave::ctl {
namespace {

Result<int> Found(const TokenChoice& choice, const Globals& globals) {
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, choice));
  KC_ASSIGN(const wire::TokenInfo token, enclave->Token(choice.label));
  KC_ASSIGN(const wire::Empty done, enclave->Call<wire::Op::kFoundFleet>({token.id}));
  static_cast<void>(done);
  if (globals.json) {
    PrintJson({{"token", token.label}});
  } else {
    Print("Founded: who may join, and so use every key, is what the default policy of " +
          Harmless(token.label) + " permits to `join`; its owners decide about that.\n" +
          "On the other machines: keyclaved --join\n");
  }
  return kExitOk;
}

std::string ClaimOf(const wire::FleetMember& member, std::string_view name) {
  const auto found = std::find_if(member.claims.begin(), member.claims.end(),
                                  [&](const auto& claim) { return claim.name == name; });
  return found == member.claims.end() ? "" : found->value;
}

Result<int> List(const Globals& globals) {
  KC_ASSIGN(const auto enclave, Enclave::Open(globals));
  KC_ASSIGN(const wire::ListMembersReply reply, enclave->Call<wire::Op::kListMembers>({}));
  Json list = Json::array();
  Table table({"NAME", "SINCE", "TEE", "MEASUREMENT"});
  for (const wire::FleetMember& member : reply.members) {
    Json claims = Json::object();
    for (const wire::ClaimText& claim : member.claims) claims[claim.name] = claim.value;
    list.push_back(
        {{"name", member.name}, {"joined", FormatTime(member.joined)}, {"claims", claims}});
    table.Add({Harmless(member.name), FormatTime(member.joined), Harmless(ClaimOf(member, "tee")),
               Harmless(ClaimOf(member, "measurement"))});
  }
  if (globals.json) {
    PrintJson({{"founded", reply.object.has_value()}, {"members", list}});
  } else {
    Print(table.empty() ? "No fleet was founded.\n" : table.Text());
  }
  return kExitOk;
}

}  // namespace

void AddReplica(CLI::App& app, Invocation& invocation) {
  CLI::App* group = app.add_subcommand("replica", "the daemons that share one enclave's keys");
  group->require_subcommand(1);
  group->footer(
      "docs/fleet.md has the whole way. Examples:\n"
      "  keyclave token create fleet --policy join.yaml --owner ops=ops.pub\n"
      "  keyclave replica found --token fleet\n"
      "  keyclave replica list");

  auto choice = std::make_shared<TokenChoice>();
  CLI::App* found = group->add_subcommand(
      "found", "let the token's owners decide who joins; before the enclave has any keys");
  AddTokenOptions(*found, *choice);
  found->callback([choice, &invocation] {
    invocation.action = [choice, &invocation] { return Found(*choice, invocation.globals); };
  });

  CLI::App* list = group->add_subcommand("list", "who has joined, with what it proved then");
  list->callback(
      [&invocation] { invocation.action = [&invocation] { return List(invocation.globals); }; });
}

}  // namespace keyclave::ctl
