// keyclave token: create, list and delete tokens.
#include <CLI/CLI.hpp>
#include <memory>

#include "enclave/authz/policy.h"
#include "enclave/base/file.h"
#include "enclave/ctl/enclave_link.h"
#include "enclave/ctl/output.h"
#include "enclave/ctl/secret_input.h"

namespace keyclave::ctl {
namespace {

constexpr size_t kMaxPolicy = size_t{1} << 20;  // bytes

struct CreateOptions {
  std::string label;
  std::string policy_file;
  bool ask_pin = false;
  bool ask_so_pin = false;
  std::string pin_file;
  std::string so_pin_file;
  OwnerChoice owner;
  std::vector<std::string> auditors;     // NAME=KEY
  std::vector<std::string> proof_files;  // of keyclave owner prove
  uint64_t quorum = 0;                   // 0: a majority
};

Json TokenJson(const wire::TokenInfo& token) {
  return {{"label", token.label},
          {"serial", token.serial},
          {"slot", token.slot},
          {"initialized", token.initialized},
          {"default_policy", token.default_policy},
          {"user_pin", token.has_user_pin},
          {"so_pin", token.has_so_pin},
          {"user_tries_left", token.user_tries_left},
          {"so_tries_left", token.so_tries_left},
          {"owners", token.owners.value_or(0)}};
}

// A PIN to set, from its file or the terminal; nullopt if the token gets none.
Result<std::optional<SecretBytes>> NewPin(const std::string& what, const std::string& file,
                                          bool ask) {
  if (!file.empty()) {
    KC_ASSIGN(SecretBytes pin, ReadSecretFile(file));
    return std::optional(std::move(pin));
  }
  if (!ask) return std::optional<SecretBytes>();
  KC_ASSIGN(SecretBytes pin, AskNewSecret(what));
  return std::optional(std::move(pin));
}

// Those who decide about the token from its birth, each with its key's proof of possession.
Result<std::vector<wire::NewOwner>> FirstOwners(Enclave& enclave, const CreateOptions& options) {
  KC_ASSIGN(const client::SessionId session, enclave.client().Session());
  std::vector<wire::NewOwner> owners;
  const auto enrol = [&](const std::vector<std::string>& names, wire::OwnerRole role) -> Status {
    OwnerChoice choice = options.owner;
    choice.owners = names;
    KC_ASSIGN(Signers signers, Signers::Choose(choice, std::nullopt));
    KC_ASSIGN(const std::vector<OwnerKey>* keys, signers.Keys());
    for (const OwnerKey& key : *keys) {
      KC_ASSIGN(wire::NewOwner owner, key.Enrol(session.enclave_id, options.label, role));
      owners.push_back(std::move(owner));
    }
    return Done{};
  };
  KC_CHECK_OK(enrol(options.owner.owners, wire::OwnerRole::kOwner));
  KC_CHECK_OK(enrol(options.auditors, wire::OwnerRole::kAuditor));
  for (const std::string& path : options.proof_files) {
    KC_ASSIGN(wire::NewOwner owner, ReadOwnerProof(path, session.enclave_id, options.label));
    owners.push_back(std::move(owner));
  }
  return owners;
}

Result<int> Create(const CreateOptions& options, const Globals& globals) {
  wire::CreateTokenRequest request;
  request.label = options.label;
  if (!options.policy_file.empty()) {
    KC_ASSIGN(const Bytes text, ReadFile(options.policy_file, kMaxPolicy));
    // Mistakes are told here, with the file's name and line, before anything is sent.
    const auto policy = authz::Policy::Parse(AsText(text), options.policy_file);
    if (!policy.ok()) return policy.error();
    request.policy = AsText(text);
  }
  KC_ASSIGN(request.so_pin,
            NewPin("security officer PIN", options.so_pin_file, options.ask_so_pin));
  KC_ASSIGN(request.user_pin, NewPin("PIN", options.pin_file, options.ask_pin));
  KC_ASSIGN(const auto enclave, Enclave::Open(globals));
  KC_ASSIGN(std::vector<wire::NewOwner> owners, FirstOwners(*enclave, options));
  if (!owners.empty()) request.owners = std::move(owners);
  if (options.quorum != 0) request.quorum = options.quorum;
  KC_ASSIGN(const wire::CreateTokenReply reply, enclave->Call<wire::Op::kCreateToken>(request));
  const wire::TokenInfo& token = reply.token;
  if (globals.json) {
    PrintJson(TokenJson(token));
    return kExitOk;
  }
  Print("Created token " + Harmless(token.label) + " (serial " + token.serial + "), its keys are " +
        "under policy " + Harmless(token.default_policy) + " unless they name another.\n");
  if (!token.has_user_pin) {
    Print("It has no PIN: evidence alone is what callers need.\n");
  }
  Print(token.owners ? "It has owners, who alone decide about it: operators see no keys in it.\n"
                     : "It has no owners, and never will: operators decide about it.\n");
  return kExitOk;
}

std::string PinText(bool has, uint64_t tries) {
  if (!has) return "none";
  if (tries == 0) return Paint(Colour::kBad, "locked");
  return "set, " + std::to_string(tries) + " tries";
}

Result<int> List(const Globals& globals) {
  KC_ASSIGN(const auto enclave, Enclave::Open(globals));
  KC_ASSIGN(const wire::ListTokensReply reply, enclave->Call<wire::Op::kListTokens>({}));
  if (globals.json) {
    Json list = Json::array();
    for (const wire::TokenInfo& token : reply.tokens) list.push_back(TokenJson(token));
    PrintJson({{"tokens", list}});
    return kExitOk;
  }
  Table table({"LABEL", "SERIAL", "SLOT", "DEFAULT POLICY", "PIN", "SO PIN", "OWNERS"});
  for (const wire::TokenInfo& token : reply.tokens) {
    table.Add({Harmless(token.label), token.serial, std::to_string(token.slot),
               Harmless(token.default_policy), PinText(token.has_user_pin, token.user_tries_left),
               PinText(token.has_so_pin, token.so_tries_left),
               token.owners ? std::to_string(*token.owners) : "operators"});
  }
  Print(table.empty() ? "There is no token yet: keyclave token create LABEL\n" : table.Text());
  return kExitOk;
}

Result<int> Delete(const TokenChoice& choice, bool yes, const Globals& globals) {
  if (choice.label.empty()) return Fail(Code::kInvalidArgument, "say which token to delete");
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, choice));
  KC_ASSIGN(const wire::TokenInfo token, enclave->Token(choice.label));
  KC_ASSIGN(const auto objects, enclave->Objects(token.id, {}));
  KC_CHECK_OK(enclave->SawAll());
  if (!yes && choice.owner.out.empty()) {
    KC_ASSIGN(const bool sure,
              Confirm("Delete token " + Harmless(token.label) + " with its " +
                      std::to_string(objects.size()) + " objects? They cannot be brought back."));
    if (!sure) {
      PrintNote("Nothing was deleted.\n");
      return kExitRefused;
    }
  }
  KC_ASSIGN(const auto reply, enclave->Change<wire::Op::kDeleteToken>({token.id}));
  if (!reply) return enclave->WriteRequests(globals.json);
  if (globals.json) {
    PrintJson({{"deleted", token.label}, {"objects", objects.size()}});
  } else {
    Print("Deleted token " + Harmless(token.label) + ".\n");
  }
  return kExitOk;
}

void AddFirstOwners(CLI::App& command, CreateOptions& options) {
  AddOwnerOptions(command, options.owner);
  command
      .add_option("--auditor", options.auditors,
                  "who may read the audit log, and nothing else; may be repeated")
      ->type_name("NAME=KEY")
      ->allow_extra_args(false);
  command
      .add_option("--owner-file", options.proof_files,
                  "an owner or auditor whose key is elsewhere (keyclave owner prove)")
      ->type_name("FILE")
      ->allow_extra_args(false);
  command
      .add_option("--quorum", options.quorum,
                  "how many owners must sign where no policy says (default: a majority)")
      ->check(CLI::Range(1, 64));
}

void AddCreate(CLI::App& group, Invocation& invocation) {
  auto options = std::make_shared<CreateOptions>();
  CLI::App* command = group.add_subcommand("create", "create a token");
  command->add_option("label,--label", options->label, "its label, at most 32 bytes")->required();
  command
      ->add_option("--policy", options->policy_file,
                   "its default policy (default: the daemon's default_policy)")
      ->type_name("FILE");
  command->add_flag("--ask-pin", options->ask_pin, "ask for a user PIN: a second factor");
  command->add_flag("--ask-so-pin", options->ask_so_pin, "ask for a security officer PIN");
  command->add_option("--pin-file", options->pin_file, "read the user PIN from here (-: stdin)")
      ->type_name("FILE")
      ->excludes("--ask-pin");
  command
      ->add_option("--so-pin-file", options->so_pin_file, "read the security officer PIN from here")
      ->type_name("FILE")
      ->excludes("--ask-so-pin");
  AddFirstOwners(*command, *options);
  command->footer(
      "Whoever is to own the token is named now: a token without owners is the operators' for "
      "ever.\n"
      "Example: keyclave token create edge --policy edge.yaml --owner ops=ops.pem \\\n"
      "  --owner 'security=pkcs11:token=yubikey;id=%01' --owner-file audit.json --quorum 2");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return Create(*options, invocation.globals); };
  });
}

}  // namespace

void AddToken(CLI::App& app, Invocation& invocation) {
  CLI::App* group =
      app.add_subcommand("token", "tokens: namespaces of keys, one PKCS#11 slot each");
  group->require_subcommand(1);
  AddCreate(*group, invocation);
  CLI::App* list = group->add_subcommand("list", "list the tokens");
  list->callback(
      [&invocation] { invocation.action = [&invocation] { return List(invocation.globals); }; });
  auto choice = std::make_shared<TokenChoice>();
  auto yes = std::make_shared<bool>(false);
  CLI::App* remove = group->add_subcommand("delete", "delete a token and every key in it");
  remove->add_option("label,--label", choice->label, "its label")->required();
  AddOwnerOptions(*remove, choice->owner);
  AddChangeOptions(*remove, choice->owner);
  remove->add_flag("--yes", *yes, "do not ask");
  remove->callback([choice, yes, &invocation] {
    invocation.action = [choice, yes, &invocation] {
      return Delete(*choice, *yes, invocation.globals);
    };
  });
}

}  // namespace keyclave::ctl
