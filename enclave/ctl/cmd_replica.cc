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

std::string GenerationText(uint64_t generation, uint64_t older_rows) {
  return "Generation " + std::to_string(generation) +
         " of the root secret seals what is written; " +
         (older_rows == 0 ? "no row is" : std::to_string(older_rows) + " rows are still") +
         " sealed under an older one.\n";
}

struct RemoveOptions {
  TokenChoice token;
  std::string member;
};

Result<int> Remove(const RemoveOptions& options, const Globals& globals) {
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, options.token));
  KC_ASSIGN(const wire::TokenInfo token, enclave->Token(options.token.label));
  KC_ASSIGN(const auto reply, enclave->Change<wire::Op::kRemoveMember>({token.id, options.member}));
  if (!reply) return enclave->WriteRequests(globals.json);
  if (globals.json) {
    PrintJson({{"removed", options.member},
               {"generation", reply->generation},
               {"older_rows", reply->older_rows}});
  } else {
    Print(Harmless(options.member) + " is no member any more. " +
          GenerationText(reply->generation, reply->older_rows) +
          "Whether it may join again is what the policy of the fleet's object says.\n");
  }
  return kExitOk;
}

Result<int> List(const Globals& globals) {
  KC_ASSIGN(const auto enclave, Enclave::Open(globals));
  KC_ASSIGN(const wire::ListMembersReply reply, enclave->Call<wire::Op::kListMembers>({}));
  Json list = Json::array();
  Table table({"NAME", "SINCE", "TEE", "MEASUREMENT", "KEY"});
  for (const wire::FleetMember& member : reply.members) {
    Json claims = Json::object();
    for (const wire::ClaimText& claim : member.claims) claims[claim.name] = claim.value;
    list.push_back({{"name", member.name},
                    {"joined", FormatTime(member.joined)},
                    {"claims", claims},
                    {"has_key", member.key.has_value()}});
    table.Add({Harmless(member.name), FormatTime(member.joined), Harmless(ClaimOf(member, "tee")),
               Harmless(ClaimOf(member, "measurement")), member.key.has_value() ? "yes" : "no"});
  }
  if (globals.json) {
    PrintJson({{"founded", reply.object.has_value()},
               {"members", list},
               {"generation", reply.generation.value_or(1)},
               {"older_rows", reply.older_rows.value_or(0)}});
  } else if (table.empty()) {
    Print("No fleet was founded.\n");
  } else {
    Print(table.Text() + "\n" +
          GenerationText(reply.generation.value_or(1), reply.older_rows.value_or(0)));
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
      "  keyclave replica list\n"
      "  keyclave replica remove host-c --token fleet --owner ops=ops.pem");

  auto choice = std::make_shared<TokenChoice>();
  CLI::App* found = group->add_subcommand(
      "found", "let the token's owners decide who joins; before the enclave has any keys");
  AddTokenOptions(*found, *choice);
  found->callback([choice, &invocation] {
    invocation.action = [choice, &invocation] { return Found(*choice, invocation.globals); };
  });

  auto removed = std::make_shared<RemoveOptions>();
  CLI::App* remove = group->add_subcommand(
      "remove", "take a member out, and keep from it what is written from now on");
  remove->add_option("member", removed->member, "as keyclave replica list shows it")
      ->required()
      ->type_name("NAME");
  AddTokenOptions(*remove, removed->token);
  AddChangeOptions(*remove, removed->token.owner);
  remove->callback([removed, &invocation] {
    invocation.action = [removed, &invocation] { return Remove(*removed, invocation.globals); };
  });

  CLI::App* list = group->add_subcommand("list", "who has joined, with what it proved then");
  list->callback(
      [&invocation] { invocation.action = [&invocation] { return List(invocation.globals); }; });
}

}  // namespace keyclave::ctl
