// keyclave secret: data, configurations and keys that a policy lets go, for the programs that need
// them.
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "enclave/base/file.h"
#include "enclave/ctl/key_file.h"
#include "enclave/ctl/output.h"
#include "enclave/ctl/release_call.h"
#include "enclave/ctl/secret_output.h"
#include "enclave/ctl/secrets_file.h"

namespace keyclave::ctl {
namespace {

struct PutOptions {
  TokenChoice token;
  std::string name;
  std::string file;
  std::string policy;
};

struct GetOptions {
  TokenChoice token;
  std::string name;
  std::string out;
  bool exec = false;
  std::string variable;
  std::string form;
  bool pem = false;
  bool is_public = false;
};

uint64_t ClassOf(const wire::ObjectInfo& object) {
  return object.attributes.Ulong(CKA_CLASS).value_or(CKO_VENDOR_DEFINED);
}

Result<int> Put(const PutOptions& options, const Globals& globals) {
  Bytes value;
  KC_ASSIGN(value, ReadFile(options.file == "-" ? "/dev/stdin" : options.file, kMaxSecret));
  if (value.empty()) return Fail(Code::kInvalidArgument, options.file + " is empty");
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, options.token));
  KC_ASSIGN(const wire::TokenInfo token, enclave->Token(options.token.label));
  wire::AttributeList attributes;
  attributes.SetText(CKA_LABEL, options.name);
  KC_ASSIGN(const auto present, enclave->Objects(token.id, attributes));
  KC_CHECK_OK(enclave->SawAll());
  if (!present.empty())
    return Fail(Code::kTemplateInconsistent,
                "token " + token.label + " has something of the name " + options.name +
                    " already, and nothing is replaced: keyclave key delete removes it");
  attributes.SetUlong(CKA_CLASS, CKO_DATA);
  attributes.SetBool(CKA_TOKEN, true);
  attributes.SetBool(CKA_PRIVATE, true);
  attributes.Set(CKA_VALUE, value);
  if (!options.policy.empty()) attributes.SetText(kCkaPolicy, options.policy);
  KC_ASSIGN(const auto reply,
            enclave->Change<wire::Op::kCreateObject>({token.id, std::move(attributes)}));
  if (!reply) return Fail(Code::kInternal, "data in a file");
  const std::string policy = reply->object.attributes.Text(kCkaPolicy);
  if (globals.json) {
    PrintJson({{"object", ToHex(reply->object.id)},
               {"name", options.name},
               {"token", token.label},
               {"policy", policy},
               {"bytes", value.size()}});
    return kExitOk;
  }
  Print("Put " + Harmless(options.name) + " (" + std::to_string(value.size()) +
        " bytes) into token " + Harmless(token.label) + ", under policy " + Harmless(policy) +
        ".\n");
  return kExitOk;
}

// A key that its policy lets go, to a key pair that ends with this process.
Result<SecretBytes> FetchKey(Enclave& enclave, const wire::ObjectInfo& object,
                             const std::optional<Recipient>& recipient, const GetOptions& options) {
  if (!recipient.has_value())
    return Fail(Code::kEvidenceUnavailable,
                "client.yaml says evidence: none; a key is released to evidence only");
  KC_ASSIGN(const Released released, ReleaseTo(enclave, object, *recipient));
  KC_ASSIGN(SecretBytes key, mech::OpenReleased(*recipient->form, *recipient->private_key,
                                                object.id, released.reply.wrapped));
  if (!options.pem) return key;
  if (ClassOf(object) != CKO_PRIVATE_KEY)
    return Fail(Code::kInvalidArgument, "--pem is for private keys: " + options.name + " is a " +
                                            ClassText(object.attributes));
  return SecretBytes::CopyOf(AsBytes(ToPem("PRIVATE KEY", key.Expose(SecretAccess()))));
}

Result<SecretBytes> FetchData(Enclave& enclave, const wire::ObjectInfo& object,
                              const GetOptions& options) {
  if (options.pem) return Fail(Code::kInvalidArgument, "--pem is for keys: it is data");
  KC_ASSIGN(const wire::ObjectReply reply, enclave.Call<wire::Op::kGetObject>({RefTo(object)}));
  const Bytes* value = reply.object.attributes.Find(CKA_VALUE);
  if (value == nullptr)
    return Fail(Code::kDenied, options.name + ": its policy does not let this caller `read` it");
  return SecretBytes::CopyOf(*value);
}

// The certificate of this name; where there is none, the public key. PEM.
Result<std::string> FetchPublic(Enclave& enclave, const GetOptions& options) {
  KC_ASSIGN(const wire::TokenInfo token, enclave.Token(options.token.label));
  wire::AttributeList match;
  match.SetText(CKA_LABEL, options.name);
  KC_ASSIGN(const auto objects, enclave.Objects(token.id, match));
  for (const wire::ObjectInfo& object : objects) {
    const Bytes* der = object.attributes.Find(CKA_VALUE);
    if (ClassOf(object) == CKO_CERTIFICATE && der != nullptr) return ToPem("CERTIFICATE", *der);
  }
  for (const wire::ObjectInfo& object : objects) {
    const Bytes* spki = object.attributes.Find(CKA_PUBLIC_KEY_INFO);
    if (spki != nullptr && !spki->empty()) return ToPem("PUBLIC KEY", *spki);
  }
  return Fail(Code::kObjectNotFound,
              options.name + " has no public key or certificate in token " + token.label);
}

Result<int> GetPublic(const GetOptions& options, const Globals& globals) {
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, options.token));
  KC_ASSIGN(const std::string pem, FetchPublic(*enclave, options));
  if (!options.out.empty()) KC_CHECK_OK(ReplaceFile(options.out, AsBytes(pem), 0644));
  if (globals.json) {
    PrintJson({{"pem", pem}, {"file", options.out}});
  } else {
    Print(options.out.empty() ? pem : "Wrote " + Harmless(options.out) + ".\n");
  }
  return kExitOk;
}

Status CheckGetOptions(const GetOptions& options, const Globals& globals) {
  const auto bad = [](const std::string& what) { return Fail(Code::kInvalidArgument, what); };
  if (options.is_public) {
    if (options.exec || !options.variable.empty() || options.pem)
      return bad("--public writes the public part, as PEM: to --out FILE, or to standard output");
  } else if (options.out.empty() == !options.exec) {
    return bad("say where to: --out FILE, or --exec -- COMMAND {}");
  }
  if (!options.variable.empty() && !options.exec) return bad("--env is for --exec");
  if (options.exec == globals.program.empty())
    return bad(options.exec ? "say what to run: keyclave secret get NAME --exec -- COMMAND {}"
                            : "a program after -- is for --exec");
  return Done{};
}

Result<int> Get(const GetOptions& options, const Globals& globals) {
  KC_CHECK_OK(CheckGetOptions(options, globals));
  if (options.is_public) return GetPublic(options, globals);
  KC_ASSIGN(client::ClientConfig config, client::LoadClientConfig(globals.config));
  // Evidence names the key that it may be released to before anybody knows what the name means.
  std::optional<Recipient> recipient;
  if (!config.evidence_type.empty()) {
    KC_ASSIGN(recipient, NewRecipient(options.form));
    NameInEvidence(config, recipient->spki);
  }
  KC_ASSIGN(const auto enclave, Enclave::Open(std::move(config), options.token));
  KC_ASSIGN(const wire::ObjectInfo object, enclave->Object(options.name, options.token.label));
  const bool is_data = ClassOf(object) == CKO_DATA;
  auto secret = is_data ? FetchData(*enclave, object, options)
                        : FetchKey(*enclave, object, recipient, options);
  if (!secret.ok()) return secret.error();
  if (options.exec) return BecomeWithSecret({globals.program, options.variable}, *secret);
  KC_CHECK_OK(WriteSecretFile(options.out, *secret));
  if (globals.json) {
    PrintJson({{"file", options.out}, {"bytes", secret->size()}});
  } else {
    Print("Wrote " + Harmless(options.out) + " (" + std::to_string(secret->size()) +
          " bytes, mode 0600).\n");
  }
  return kExitOk;
}

void AddPut(CLI::App& group, Invocation& invocation) {
  auto options = std::make_shared<PutOptions>();
  CLI::App* command = group.add_subcommand("put", "bring data from a file");
  command->add_option("name", options->name, "its name in the token")->required();
  AddTokenOptions(*command, options->token);
  command->add_option("--in", options->file, "the data, at most 1 MiB (-: standard input)")
      ->required()
      ->type_name("FILE");
  command
      ->add_option("--policy", options->policy,
                   "the policy that governs it (default: the token's default policy)")
      ->type_name("NAME");
  command->footer(
      "Callers read it where its policy has `read`. Example:\n"
      "  keyclave secret put db-password --token archive --policy readers --in password.txt");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return Put(*options, invocation.globals); };
  });
}

void AddGet(CLI::App& group, Invocation& invocation) {
  auto options = std::make_shared<GetOptions>();
  CLI::App* command = group.add_subcommand("get", "have data, or a key that may leave the enclave");
  command->add_option("name", options->name, "a label, or a URI: pkcs11:token=archive;object=db")
      ->required()
      ->type_name("NAME");
  AddTokenOptions(*command, options->token);
  command->add_option("--out", options->out, "a new file of mode 0600, whole or not there")
      ->type_name("FILE");
  command
      ->add_flag("--exec", options->exec,
                 "become the program after --, with the secret in a file in memory at {}, or "
                 "on standard input where it has no {}")
      ->excludes("--out");
  command
      ->add_option("--env", options->variable,
                   "put it into this variable of the program's environment, too: which its "
                   "children inherit, and every process of the same user can read")
      ->type_name("VARIABLE");
  command->add_flag("--pem", options->pem, "a private key as PEM (default: PKCS#8 DER)");
  command->add_flag("--public", options->is_public,
                    "its certificate, or public key, as PEM (default: to standard output)");
  command
      ->add_option("--form", options->form,
                   "how a key is wrapped on its way: hpke-x25519, hpke-p256, rsa-oaep-sha256|384, "
                   "rsa-aes-key-wrap-sha256|384 (default: hpke-x25519)")
      ->type_name("FORM");
  command->footer(
      "Policies permit `read` of data, and `release` of keys, to this program's measurement. "
      "Examples:\n"
      "  keyclave secret get settings --token archive --out settings.json\n"
      "  keyclave secret get db-password --token archive --exec -- backup --password-file {}");
  command->callback([options, &invocation] {
    invocation.takes_program = true;
    invocation.action = [options, &invocation] { return Get(*options, invocation.globals); };
  });
}

}  // namespace

void AddSecret(CLI::App& app, Invocation& invocation) {
  CLI::App* group = app.add_subcommand("secret", "data and keys that policies let programs have");
  group->require_subcommand(1);
  AddPut(*group, invocation);
  AddGet(*group, invocation);
}

}  // namespace keyclave::ctl
