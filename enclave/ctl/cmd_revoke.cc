// keyclave revoke: the kill switch: callers and keys that are refused from the next request on.
#include <CLI/CLI.hpp>
#include <memory>

#include "enclave/base/clock.h"
#include "enclave/ctl/enclave_link.h"
#include "enclave/ctl/output.h"

namespace keyclave::ctl {
namespace {

// A claim that callers are told apart by, and the values of it that are revoked.
struct ClaimValues {
  const char* claim;
  std::vector<std::string> values;
};

struct Options {
  TokenChoice token;
  std::string expression;
  std::vector<ClaimValues> claims;
  std::string name;  // of a key; of a revocation, its id
  std::string reason;
};

std::string NamesText(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text.append(text.empty() ? "" : ", ").append(name);
  return text;
}

// Any of the values revokes: any: [{measurement: {in: ["ab", "cd"]}}, {signer: {in: ["ef"]}}].
std::string ExpressionOf(const std::vector<ClaimValues>& claims) {
  std::string terms;
  for (const ClaimValues& claim : claims) {
    if (claim.values.empty()) continue;
    // Numbers are written bare, texts as JSON has them, which is YAML, too.
    const bool number = std::string_view(claim.claim) == "peer.uid";
    std::string values;
    for (const std::string& value : claim.values)
      values.append(values.empty() ? "" : ", ").append(number ? value : Json(value).dump());
    terms.append(terms.empty() ? "{" : ", {").append(claim.claim);
    terms.append(": {in: [").append(values).append("]}}");
  }
  return terms.empty() ? terms : "any: [" + terms + "]";
}

Result<std::string> WhomOf(const Options& options) {
  const std::string listed = ExpressionOf(options.claims);
  if (listed.empty() == options.expression.empty())
    return Fail(Code::kInvalidArgument, "say whom: an expression, or values of claims");
  const std::string& whom = listed.empty() ? options.expression : listed;
  KC_ASSIGN(const YamlValue yaml, ParseYaml(whom, "expression"));
  KC_ASSIGN(const attest::Expression parsed, attest::Expression::Parse(yaml));
  return whom;
}

Result<int> Revoke(Enclave& enclave, const wire::RevokeRequest& request, const Globals& globals) {
  KC_ASSIGN(const auto reply, enclave.Change<wire::Op::kRevoke>(request));
  if (!reply) return enclave.WriteRequests(globals.json);
  const std::string id = ToHex(reply->id);
  if (globals.json) {
    PrintJson({{"id", id}});
  } else {
    Print("Revoked, from the next request on. To take it back: keyclave revoke lift " + id + "\n");
  }
  return kExitOk;
}

Result<int> RevokeCallers(const Options& options, const Globals& globals) {
  KC_ASSIGN(const std::string whom, WhomOf(options));
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, options.token));
  KC_ASSIGN(const wire::TokenInfo token, enclave->Token(options.token.label));
  return Revoke(*enclave,
                {.token = token.id, .whom = whom, .object = std::nullopt, .reason = options.reason},
                globals);
}

Result<int> RevokeKey(const Options& options, const Globals& globals) {
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, options.token));
  KC_ASSIGN(const wire::ObjectInfo key, enclave->Object(options.name, options.token.label));
  return Revoke(
      *enclave,
      {.token = key.token, .whom = std::nullopt, .object = key.id, .reason = options.reason},
      globals);
}

Result<int> List(const Options& options, const Globals& globals) {
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, options.token));
  KC_ASSIGN(const wire::TokenInfo token, enclave->Token(options.token.label));
  KC_ASSIGN(const wire::ListRevocationsReply reply,
            enclave->Call<wire::Op::kListRevocations>({token.id}));
  Json list = Json::array();
  Table table({"ID", "WHOM", "SINCE", "BY", "REASON"});
  for (const wire::RevocationInfo& info : reply.revocations) {
    const wire::RevokeRequest& what = info.revocation;
    const std::string whom = what.object ? "object " + ToHex(*what.object) : what.whom.value_or("");
    list.push_back({{"id", ToHex(info.id)},
                    {"whom", whom},
                    {"at", FormatTime(info.at)},
                    {"by", info.by},
                    {"reason", what.reason}});
    table.Add({ToHex(info.id), Harmless(whom), FormatTime(info.at), Harmless(NamesText(info.by)),
               Harmless(what.reason)});
  }
  if (globals.json) {
    PrintJson({{"token", token.label}, {"revocations", list}});
  } else {
    Print(table.empty() ? "Nothing is revoked.\n" : table.Text());
  }
  return kExitOk;
}

Result<int> Lift(const Options& options, const Globals& globals) {
  wire::LiftRevocationRequest request;
  const auto id = FromHex(options.name);
  if (!id.ok() || id->size() != request.id.size())
    return Fail(Code::kInvalidArgument, options.name + " is no id: keyclave revoke list");
  std::copy(id->begin(), id->end(), request.id.begin());
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, options.token));
  KC_ASSIGN(const wire::TokenInfo token, enclave->Token(options.token.label));
  request.token = token.id;
  KC_ASSIGN(const auto reply, enclave->Change<wire::Op::kLiftRevocation>(request));
  if (!reply) return enclave->WriteRequests(globals.json);
  if (globals.json) {
    PrintJson({{"lifted", options.name}});
  } else {
    Print("Lifted: what it revoked is as policies say again.\n");
  }
  return kExitOk;
}

using RevokeAction = Result<int> (*)(const Options&, const Globals&);

CLI::App* AddCommand(CLI::App& group, Invocation& invocation, const char* name,
                     const char* description, RevokeAction action,
                     const std::shared_ptr<Options>& options) {
  CLI::App* command = group.add_subcommand(name, description);
  AddTokenOptions(*command, options->token);
  command->callback([options, action, &invocation] {
    invocation.action = [options, action, &invocation] {
      return action(*options, invocation.globals);
    };
  });
  return command;
}

void AddReason(CLI::App& command, Options& options) {
  AddChangeOptions(command, options.token.owner);
  command.add_option("--reason", options.reason, "why; it is kept and audited")->required();
}

// An option for each claim: --measurement HEX, repeatable.
void AddClaims(CLI::App& command, Options& options,
               std::initializer_list<std::pair<const char*, const char*>> claims) {
  for (const auto& [option, claim] : claims) options.claims.push_back({claim, {}});
  size_t at = 0;
  for (const auto& [option, claim] : claims)
    command
        .add_option(option, options.claims[at++].values,
                    std::string("whose ") + claim + " is this; may be repeated")
        ->type_name("VALUE")
        ->allow_extra_args(false);
}

}  // namespace

void AddRevoke(CLI::App& app, Invocation& invocation) {
  CLI::App* group = app.add_subcommand("revoke", "the kill switch: refuse callers, or a key");
  group->require_subcommand(1);
  group->footer(
      "It counts from the next request on, in open sessions too. Examples:\n"
      "  keyclave revoke evidence --token edge --measurement 5f1c… --reason CVE-2026-1 --owner "
      "ops=ops.pem\n"
      "  keyclave revoke evidence --token edge 'svn: {max: 3}' --reason CVE-2026-1 --owner "
      "ops=ops.pem");

  auto evidence_options = std::make_shared<Options>();
  CLI::App* evidence = AddCommand(*group, invocation, "evidence", "refuse what evidence says this",
                                  RevokeCallers, evidence_options);
  evidence->add_option("expression", evidence_options->expression, "as `when` has it in policies");
  AddClaims(
      *evidence, *evidence_options,
      {{"--measurement", "measurement"}, {"--platform-id", "platform_id"}, {"--signer", "signer"}});
  AddReason(*evidence, *evidence_options);

  auto caller_options = std::make_shared<Options>();
  CLI::App* caller = AddCommand(*group, invocation, "caller", "refuse whom the channel tells",
                                RevokeCallers, caller_options);
  AddClaims(*caller, *caller_options,
            {{"--tls-key", "tls.key"},
             {"--san", "tls.san"},
             {"--subject", "tls.subject"},
             {"--uid", "peer.uid"}});
  AddReason(*caller, *caller_options);

  auto key_options = std::make_shared<Options>();
  CLI::App* key =
      AddCommand(*group, invocation, "key", "refuse every use of a key", RevokeKey, key_options);
  key->add_option("key", key_options->name, "a label, or a pkcs11: URI")
      ->required()
      ->type_name("KEY");
  AddReason(*key, *key_options);

  AddCommand(*group, invocation, "list", "what is revoked", List, std::make_shared<Options>());
  auto lift_options = std::make_shared<Options>();
  CLI::App* lift =
      AddCommand(*group, invocation, "lift", "take a revocation back", Lift, lift_options);
  lift->add_option("id", lift_options->name, "as keyclave revoke list shows it")->required();
  AddChangeOptions(*lift, lift_options->token.owner);
}

}  // namespace keyclave::ctl
