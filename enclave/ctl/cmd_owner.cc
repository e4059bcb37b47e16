// keyclave owner: keys of owners, proofs of possession, and who the owners of a token are.
#include <CLI/CLI.hpp>
#include <map>
#include <memory>

#include "attest/public_key.h"
#include "enclave/base/file.h"
#include "enclave/base/hash.h"
#include "enclave/base/name.h"
#include "enclave/ctl/enclave_link.h"
#include "enclave/ctl/output.h"

namespace keyclave::ctl {
namespace {

constexpr uint32_t kPrivate = 0600;
constexpr uint32_t kReadable = 0644;

struct KeygenOptions {
  std::string name;
  std::string out;
  OwnerKeyType type = OwnerKeyType::kP256;
};

struct ProveOptions {
  std::string key;  // NAME=KEY
  std::string passphrase_file;
  std::string token_label;
  std::string enclave_id;  // empty: ask the enclave
  bool auditor = false;
  std::string out;
};

struct OwnerOptions {
  TokenChoice token;
  std::string name;  // of the one to remove; NAME=KEY of the one to add
  std::string proof_file;
  bool auditor = false;
};

wire::OwnerRole RoleOf(bool auditor) {
  return auditor ? wire::OwnerRole::kAuditor : wire::OwnerRole::kOwner;
}

std::string KeyText(const Bytes& spki) {
  const auto key = attest::PublicKey::FromSpki(spki);
  if (!key.ok()) return "?";
  switch (key->kind()) {
    case attest::KeyKind::kEcP256: return "P-256";
    case attest::KeyKind::kEd25519: return "Ed25519";
    case attest::KeyKind::kRsa: return "RSA " + std::to_string(key->bits());
    case attest::KeyKind::kEcP384:
    case attest::KeyKind::kEcP521:
    case attest::KeyKind::kOther: break;
  }
  return "?";
}

Result<int> Keygen(const KeygenOptions& options, const Globals& globals) {
  if (!IsName(options.name)) return Fail(Code::kInvalidArgument, std::string(kNameRule));
  KC_ASSIGN(const SecretBytes pem, MakeOwnerKey(options.type));
  KC_CHECK_OK(WriteNewFile(options.out, pem.Expose(SecretAccess()), kPrivate));
  KC_ASSIGN(const OwnerKey key, OwnerKey::Open({options.name, options.out}, {}));
  const std::string fingerprint = ToHex(Sha256(key.spki()));
  if (globals.json) {
    PrintJson({{"name", options.name}, {"file", options.out}, {"fingerprint", fingerprint}});
    return kExitOk;
  }
  Print("Wrote " + Harmless(options.out) + ", the private key of owner " + options.name +
        " (public key, SHA-256: " + fingerprint + ").\n" +
        "Whoever has it decides: keep it off the enclave's machine. Use it as --owner " +
        options.name + "=" + Harmless(options.out) + "\n");
  return kExitOk;
}

Result<std::string> EnclaveIdFor(const ProveOptions& options, const Globals& globals) {
  if (!options.enclave_id.empty()) return options.enclave_id;
  KC_ASSIGN(const auto enclave, Enclave::Open(globals));
  KC_ASSIGN(const client::SessionId session, enclave->client().Session());
  return session.enclave_id;
}

Result<int> Prove(const ProveOptions& options, const Globals& globals) {
  KC_ASSIGN(const OwnerKeySpec spec, ParseOwnerKeySpec(options.key));
  KC_ASSIGN(const OwnerKey key, OwnerKey::Open(spec, options.passphrase_file));
  KC_ASSIGN(const std::string enclave_id, EnclaveIdFor(options, globals));
  KC_ASSIGN(const wire::NewOwner owner,
            key.Enrol(enclave_id, options.token_label, RoleOf(options.auditor)));
  const std::string text = PrintOwnerProof(owner, enclave_id, options.token_label);
  if (options.out.empty()) {
    Print(text);
    return kExitOk;
  }
  KC_CHECK_OK(WriteNewFile(options.out, AsBytes(text), kReadable));
  if (globals.json) {
    PrintJson({{"name", spec.name}, {"file", options.out}});
    return kExitOk;
  }
  Print("Wrote " + Harmless(options.out) + ": the holder of this key wants to be " +
        std::string(RoleName(owner.owner.role)) + " " + spec.name + " of token " +
        Harmless(options.token_label) + ". It holds no secret.\n");
  return kExitOk;
}

Result<int> List(const OwnerOptions& options, const Globals& globals) {
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, options.token));
  KC_ASSIGN(const wire::TokenInfo token, enclave->Token(options.token.label));
  KC_ASSIGN(const wire::ListOwnersReply reply, enclave->Call<wire::Op::kListOwners>({token.id}));
  if (globals.json) {
    Json list = Json::array();
    for (const wire::Owner& owner : reply.owners)
      list.push_back({{"name", owner.name},
                      {"role", RoleName(owner.role)},
                      {"key", KeyText(owner.spki)},
                      {"fingerprint", ToHex(Sha256(owner.spki))},
                      {"public_key", ToBase64(owner.spki)}});
    PrintJson({{"token", token.label},
               {"enclave", reply.enclave_id},
               {"quorum", reply.quorum},
               {"sequence", reply.sequence},
               {"owners", list}});
    return kExitOk;
  }
  if (reply.owners.empty()) {
    Print("Token " + Harmless(token.label) + " has no owners: operators decide about it.\n");
    return kExitOk;
  }
  Table table({"NAME", "ROLE", "KEY", "SHA-256 OF THE PUBLIC KEY"});
  for (const wire::Owner& owner : reply.owners)
    table.Add({Harmless(owner.name), std::string(RoleName(owner.role)), KeyText(owner.spki),
               ToHex(Sha256(owner.spki))});
  Print(table.Text() +
        "\nWhere no policy says how many must sign: " + std::to_string(reply.quorum) + "\n");
  return kExitOk;
}

Result<wire::NewOwner> Newcomer(Enclave& enclave, const wire::TokenInfo& token,
                                const OwnerOptions& options) {
  if (options.name.empty() == options.proof_file.empty())
    return Fail(Code::kInvalidArgument, "say who: NAME=KEY, or --owner-file FILE");
  KC_ASSIGN(const client::SessionId session, enclave.client().Session());
  if (!options.proof_file.empty())
    return ReadOwnerProof(options.proof_file, session.enclave_id, token.label);
  KC_ASSIGN(const OwnerKeySpec spec, ParseOwnerKeySpec(options.name));
  KC_ASSIGN(const OwnerKey key, OwnerKey::Open(spec, options.token.owner.passphrase_file));
  return key.Enrol(session.enclave_id, token.label, RoleOf(options.auditor));
}

Result<int> Add(const OwnerOptions& options, const Globals& globals) {
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, options.token));
  KC_ASSIGN(const wire::TokenInfo token, enclave->Token(options.token.label));
  KC_ASSIGN(const wire::NewOwner owner, Newcomer(*enclave, token, options));
  KC_ASSIGN(const auto reply, enclave->Change<wire::Op::kSetOwner>({token.id, owner}));
  if (!reply) return enclave->WriteRequests(globals.json);
  if (globals.json) {
    PrintJson({{"name", owner.owner.name}, {"role", RoleName(owner.owner.role)}});
  } else {
    Print(owner.owner.name + " is now an " + std::string(RoleName(owner.owner.role)) +
          " of token " + Harmless(token.label) + ".\n");
  }
  return kExitOk;
}

Result<int> Remove(const OwnerOptions& options, const Globals& globals) {
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, options.token));
  KC_ASSIGN(const wire::TokenInfo token, enclave->Token(options.token.label));
  KC_ASSIGN(const auto reply, enclave->Change<wire::Op::kRemoveOwner>({token.id, options.name}));
  if (!reply) return enclave->WriteRequests(globals.json);
  if (globals.json) {
    PrintJson({{"removed", options.name}});
  } else {
    Print(Harmless(options.name) + " is no owner of token " + Harmless(token.label) +
          " any more.\n");
  }
  return kExitOk;
}

void AddKeygen(CLI::App& group, Invocation& invocation) {
  static const std::map<std::string, OwnerKeyType> kTypes = {{"p256", OwnerKeyType::kP256},
                                                             {"ed25519", OwnerKeyType::kEd25519},
                                                             {"rsa", OwnerKeyType::kRsa}};
  auto options = std::make_shared<KeygenOptions>();
  CLI::App* command = group.add_subcommand("keygen", "make an owner's private key in a file");
  command->add_option("name", options->name, "the owner's name")->required();
  command->add_option("-o,--out", options->out, "the new file, mode 0600")
      ->required()
      ->type_name("FILE");
  command->add_option("--type", options->type, "p256 (the default), ed25519 or rsa")
      ->transform(CLI::CheckedTransformer(kTypes))
      ->type_name("TYPE");
  command->footer("Example: keyclave owner keygen ops -o ops.pem");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return Keygen(*options, invocation.globals); };
  });
}

void AddProve(CLI::App& group, Invocation& invocation) {
  auto options = std::make_shared<ProveOptions>();
  CLI::App* command = group.add_subcommand(
      "prove", "prove possession of a key, for whoever makes the token or adds the owner");
  command->add_option("key", options->key, "NAME=FILE or NAME=pkcs11:URI")
      ->required()
      ->type_name("NAME=KEY");
  command->add_option("--token-label", options->token_label, "the token's label")
      ->required()
      ->type_name("LABEL");
  command
      ->add_option("--enclave", options->enclave_id,
                   "the enclave's id, as keyclave status shows it (default: ask the enclave)")
      ->type_name("ID");
  command->add_flag("--auditor", options->auditor, "as an auditor");
  command
      ->add_option("--key-pass-file", options->passphrase_file,
                   "read the key file's passphrase from here (-: stdin; default: ask)")
      ->type_name("FILE");
  command->add_option("-o,--out", options->out, "the new file (default: standard output)")
      ->type_name("FILE");
  command->footer(
      "Example: keyclave owner prove audit=audit.pem --token-label edge --enclave 5d1c… -o "
      "audit.json");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return Prove(*options, invocation.globals); };
  });
}

using OwnerAction = Result<int> (*)(const OwnerOptions&, const Globals&);

CLI::App* AddTokenCommand(CLI::App& group, Invocation& invocation, const char* name,
                          const char* description, OwnerAction action,
                          const std::shared_ptr<OwnerOptions>& options) {
  CLI::App* command = group.add_subcommand(name, description);
  AddTokenLabel(*command, options->token.label);
  AddOwnerOptions(*command, options->token.owner);
  command->callback([options, action, &invocation] {
    invocation.action = [options, action, &invocation] {
      return action(*options, invocation.globals);
    };
  });
  return command;
}

}  // namespace

void AddOwner(CLI::App& app, Invocation& invocation) {
  CLI::App* group = app.add_subcommand("owner", "owners: who decides about a token");
  group->require_subcommand(1);
  AddKeygen(*group, invocation);
  AddProve(*group, invocation);
  AddTokenCommand(*group, invocation, "list", "list a token's owners and auditors", List,
                  std::make_shared<OwnerOptions>());

  auto add_options = std::make_shared<OwnerOptions>();
  CLI::App* add = AddTokenCommand(
      *group, invocation, "add", "add an owner, or give one another key or role", Add, add_options);
  add->add_option("key", add_options->name, "NAME=FILE or NAME=pkcs11:URI")->type_name("NAME=KEY");
  add->add_option("--owner-file", add_options->proof_file,
                  "the proof of a key that is elsewhere (keyclave owner prove)")
      ->type_name("FILE");
  add->add_flag("--auditor", add_options->auditor, "as an auditor");
  AddChangeOptions(*add, add_options->token.owner);
  add->footer(
      "Example: keyclave owner add --token edge --owner-file audit.json --owner ops=ops.pem");

  auto remove_options = std::make_shared<OwnerOptions>();
  CLI::App* remove = AddTokenCommand(*group, invocation, "remove", "remove an owner or auditor",
                                     Remove, remove_options);
  remove->add_option("name", remove_options->name, "whom")->required();
  AddChangeOptions(*remove, remove_options->token.owner);
}

}  // namespace keyclave::ctl
