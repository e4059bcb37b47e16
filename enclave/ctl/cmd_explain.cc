// keyclave explain: why a key refused, or would refuse this very process.
#include "enclave/ctl/cmd_explain.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "enclave/authz/set_document.h"
#include "enclave/ctl/enclave_link.h"
#include "enclave/ctl/key_text.h"

namespace keyclave::ctl {
namespace {

struct Options {
  TokenChoice token;
  std::string key;
  std::string operation;  // empty: any, or sign for --self
  bool last = false;
  bool self = false;
  OfflineOptions offline;
};

Json ReplyJson(const Options& options, const wire::ObjectInfo& key,
               const wire::ExplainReply& reply) {
  Json document = {{"key", ObjectJson(key)},   {"operation", options.operation},
                   {"allowed", reply.allowed}, {"policy", reply.policy},
                   {"caller", reply.caller},   {"claims", Json::array()},
                   {"permits", Json::array()}};
  if (reply.when != 0) document["when"] = FormatTime(reply.when);
  for (const wire::ClaimText& claim : reply.claims) {
    document["claims"].push_back(
        {{"name", claim.name}, {"value", claim.value}, {"attested", claim.attested}});
  }
  for (const wire::PermitText& permit : reply.permits) {
    document["permits"].push_back({{"permit", permit.permit},
                                   {"line", permit.line},
                                   {"operations", permit.operations},
                                   {"applies", permit.term.empty()},
                                   {"term", permit.term},
                                   {"wanted", permit.wanted},
                                   {"got", permit.got}});
    if (permit.policy) document["permits"].back()["policy"] = *permit.policy;
    if (permit.used) document["permits"].back()["used"] = *permit.used;
  }
  return document;
}

void PrintPermits(const wire::ExplainReply& reply) {
  for (const wire::PermitText& permit : reply.permits) {
    const std::string of = permit.policy ? "of " + Harmless(*permit.policy) + ", " : "";
    const std::string used = permit.used ? "; used " + std::to_string(*permit.used) + " times" : "";
    Print("permit " + std::to_string(permit.permit) + " (" + of + "line " +
          std::to_string(permit.line) + ": " + Harmless(permit.operations) + used + ") ");
    if (permit.term.empty()) {
      Print(Paint(Colour::kGood, "permits it") + "\n");
      continue;
    }
    Print(Paint(Colour::kBad, "does not apply") + ", its first failing term is\n");
    Fields fields;
    fields.Add("  term", permit.term);
    fields.Add("  wanted", permit.wanted);
    fields.Add("  got", permit.got);
    Print(fields.Text());
  }
  if (reply.permits.empty()) Print("the policy has no permit\n");
}

// "sign is refused for this process"; "the latest denied request is refused by the policy as it is
// now": the policy may have changed since.
std::string Verdict(const Options& options, const wire::ExplainReply& reply) {
  const std::string verdict =
      reply.allowed ? Paint(Colour::kGood, "allowed") : Paint(Colour::kBad, "refused");
  if (options.self) {
    const std::string& operation = options.operation;
    return (operation.empty() ? "sign" : operation) + " is " + verdict + " for this process";
  }
  const std::string of = options.operation.empty() ? "" : " for " + options.operation;
  return "the latest denied request" + of + " is " + verdict + " by the policy as it is now";
}

void PrintReply(const Options& options, const wire::ObjectInfo& key,
                const wire::ExplainReply& reply) {
  Print("Key " + Harmless(key.attributes.Text(CKA_LABEL)) + ", policy " + Harmless(reply.policy) +
        ": " + Verdict(options, reply) + "\n");
  Fields fields;
  if (reply.when != 0) fields.Add("when", FormatTime(reply.when));
  if (!reply.caller.empty()) fields.Add("caller", reply.caller);
  Print(fields.Text() + "\n");
  PrintPermits(reply);
  Print("\nWhat the caller is, as the enclave saw it:\n");
  Table table({"CLAIM", "VALUE", "ATTESTED"});
  for (const wire::ClaimText& claim : reply.claims) {
    table.Add({Harmless(claim.name), Harmless(claim.value),
               claim.attested ? "yes" : Paint(Colour::kWarn, "no")});
  }
  Print(table.Text());
}

// The sets that the policy compares with, as the token has them.
Result<authz::TokenRules> FetchSets(Enclave& enclave, const wire::TokenId& token,
                                    const authz::Policy& policy) {
  authz::TokenRules rules;
  for (const std::string& name : policy.set_names()) {
    KC_ASSIGN(const wire::ShowSetReply reply, enclave.Call<wire::Op::kShowSet>({token, name}));
    KC_ASSIGN(const authz::SetDocument set, authz::SetDocument::Parse(reply.text, name));
    rules.sets[name] = std::make_shared<const attest::ReferenceSet>(set.Values());
  }
  return rules;
}

// The key's policy is fetched; what it says to evidence in files is found out here.
Result<int> ExplainEvidence(const Options& options, const Globals& globals) {
  OfflineOptions offline = options.offline;
  offline.operation = options.operation;
  if (!offline.policy.empty()) return ExplainFile(offline, globals.json);
  if (!offline.sets.empty())
    return Fail(Code::kInvalidArgument, "--set is for --policy: the key's sets are fetched");
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, options.token));
  KC_ASSIGN(const wire::ObjectInfo key, enclave->Object(options.key, options.token.label));
  KC_ASSIGN(const wire::ShowPolicyReply reply,
            enclave->Call<wire::Op::kShowPolicy>({key.token, key.attributes.Text(kCkaPolicy)}));
  KC_ASSIGN(const authz::Policy policy, authz::Policy::Parse(reply.text, reply.policy.name));
  KC_ASSIGN(const authz::TokenRules rules, FetchSets(*enclave, key.token, policy));
  return ExplainPolicy(offline, policy, rules, key.attributes.Text(CKA_LABEL), globals.json);
}

Result<int> Explain(const Options& options, const Globals& globals) {
  if (options.key.empty() == options.offline.policy.empty())
    return Fail(Code::kInvalidArgument, "wanted a KEY, or --policy FILE with --evidence FILE");
  if (IsOffline(options.offline)) return ExplainEvidence(options, globals);
  if (!options.operation.empty() && !authz::ParseOperation(options.operation)) {
    return Fail(Code::kInvalidArgument,
                "--operation " + options.operation +
                    " is not known: sign, verify, encrypt, decrypt, wrap, unwrap, derive, release, "
                    "read, manage");
  }
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, options.token));
  KC_ASSIGN(const wire::ObjectInfo key, enclave->Object(options.key, options.token.label));
  KC_ASSIGN(const wire::ExplainReply reply,
            enclave->Call<wire::Op::kExplain>({RefTo(key), options.operation, options.self}));
  if (globals.json) {
    PrintJson(ReplyJson(options, key, reply));
  } else if (!options.self && reply.when == 0) {
    Print("Key " + Harmless(key.attributes.Text(CKA_LABEL)) +
          " has refused nobody since the daemon started (--self asks about this process).\n");
  } else {
    PrintReply(options, key, reply);
  }
  return kExitOk;
}

}  // namespace

void AddExplain(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("explain", "why a key refused: term, wanted, got");
  command->add_option("key", options->key, "a label, or a URI: pkcs11:token=edge;object=www")
      ->type_name("KEY");
  AddTokenOptions(*command, options->token);
  command
      ->add_option("--operation", options->operation,
                   "the operation in question (default: whichever was refused; sign for --self and "
                   "--evidence)")
      ->type_name("OPERATION");
  CLI::Option* last =
      command->add_flag("--last", options->last, "the key's latest refusal (this is the default)");
  command->add_flag("--self", options->self, "what it would say to this process")->excludes(last);
  AddOfflineOptions(*command, options->offline);
  command->footer(
      "For operators, and callers with `manage`: the refused program itself is told no more than "
      "no.\n"
      "Examples:\n"
      "  keyclave explain --token edge www\n"
      "  keyclave explain 'pkcs11:token=edge;object=www' --self --operation decrypt\n"
      "  keyclave explain --token edge www --evidence web1/ --mechanism ecdsa\n"
      "  keyclave explain --policy edge.yaml --evidence web1/ --claim tls.san=www.example\n"
      "With --evidence the exit code is 1 if it is refused.");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return Explain(*options, invocation.globals); };
  });
}

}  // namespace keyclave::ctl
