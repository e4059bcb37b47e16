// keyclave key generate, keyclave key import: how keys come into the enclave.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "enclave/base/hash.h"
#include "enclave/ctl/cmd_key.h"
#include "enclave/ctl/enclave_link.h"
#include "enclave/ctl/key_file.h"
#include "enclave/ctl/key_text.h"
#include "enclave/ctl/new_key.h"
#include "enclave/ctl/secret_input.h"
#include "enclave/wire/pkcs11_numbers.h"

namespace keyclave::ctl {
namespace {

// What both commands say of the key to be.
struct NewKeyOptions {
  TokenChoice token;
  NewKey key;
};

struct GenerateOptions {
  NewKeyOptions key;
  std::string type;
};

struct ImportOptions {
  NewKeyOptions key;
  std::string file;
  std::string passphrase_file;
};

// A second key of the same label could be reached by its id only.
Status CheckLabelIsFree(Enclave& enclave, const wire::TokenInfo& token, const std::string& label) {
  wire::AttributeList match;
  match.SetText(CKA_LABEL, label);
  KC_ASSIGN(const auto found, enclave.Objects(token.id, match));
  for (const wire::ObjectInfo& object : found) {
    const auto object_class = object.attributes.Ulong(CKA_CLASS);
    if (object_class == CKO_PRIVATE_KEY || object_class == CKO_SECRET_KEY) {
      return Fail(Code::kTemplateInconsistent, "token " + token.label + " has a key " + label +
                                                   " already: choose another label, "
                                                   "or delete that one (keyclave key delete)");
    }
  }
  return Done{};
}

int Report(const std::string& what, const wire::TokenInfo& token, const wire::ObjectInfo& key,
           bool json) {
  if (json) {
    Json document = ObjectJson(key);
    document["token"] = token.label;
    PrintJson(document);
    return kExitOk;
  }
  Print(what + " " + TypeText(key.attributes) + " key " + Harmless(key.attributes.Text(CKA_LABEL)) +
        " (id " + IdText(key.attributes) + ") in token " + Harmless(token.label) +
        ", under policy " + Harmless(key.attributes.Text(kCkaPolicy)) + ".\n");
  return kExitOk;
}

Result<int> Generate(const GenerateOptions& options, const Globals& globals) {
  KC_ASSIGN(const KeyType type, ParseKeyType(options.type, "--type"));
  KC_ASSIGN(KeyTemplates templates, MakeKeyTemplates(options.key.key, type));
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, options.key.token));
  KC_ASSIGN(const wire::TokenInfo token, enclave->Token(options.key.token.label));
  KC_CHECK_OK(CheckLabelIsFree(*enclave, token, options.key.key.label));
  if (type.kind == KeyType::Kind::kAes) {
    const wire::GenerateKeyRequest request = GenerateSecretKey(token.id, type, templates);
    KC_ASSIGN(const auto reply, enclave->Change<wire::Op::kGenerateKey>(request));
    if (!reply) return enclave->WriteRequests(globals.json);
    return Report("Generated", token, reply->object, globals.json);
  }
  KC_ASSIGN(const wire::GenerateKeyPairRequest request, GenerateKeyPair(token.id, type, templates));
  KC_ASSIGN(const auto reply, enclave->Change<wire::Op::kGenerateKeyPair>(request));
  if (!reply) return enclave->WriteRequests(globals.json);
  return Report("Generated", token, reply->private_key, globals.json);
}

Result<int> Import(const ImportOptions& options, const Globals& globals) {
  if (!options.key.token.owner.out.empty())
    return Fail(Code::kInvalidArgument,
                "an import cannot be put into a file (--out): the private key would be in it. Sign "
                "with enough owners at once (--owner, repeated)");
  KC_ASSIGN(PrivateKeyFile file, ReadPrivateKey(options.file, [&]() -> Result<SecretBytes> {
              if (!options.passphrase_file.empty()) return ReadSecretFile(options.passphrase_file);
              return AskSecret("passphrase of " + options.file);
            }));
  KC_ASSIGN(KeyTemplates templates, MakeKeyTemplates(options.key.key, KeyTypeOf(file.attributes)));
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, options.key.token));
  KC_ASSIGN(const wire::TokenInfo token, enclave->Token(options.key.token.label));
  KC_CHECK_OK(CheckLabelIsFree(*enclave, token, options.key.key.label));
  wire::ImportKeyRequest request;
  request.token = token.id;
  request.pkcs8 = std::move(file.pkcs8);
  request.public_attributes = std::move(templates.public_attributes);
  request.private_attributes = std::move(templates.private_attributes);
  KC_ASSIGN(const auto reply, enclave->Change<wire::Op::kImportKey>(request));
  if (!reply) return Fail(Code::kInternal, "an import in a file");
  const int code = Report("Imported", token, reply->private_key, globals.json);
  if (!globals.json) {
    Print("The file " + Harmless(options.file) +
          " still holds the key: destroy it and its copies (shred -u) once the key is in use.\n");
  }
  return code;
}

void AddNewKeyOptions(CLI::App& command, NewKeyOptions& options) {
  AddTokenOptions(command, options.token);
  AddChangeOptions(command, options.token.owner);
  command.add_option("--label", options.key.label, "the key's name in the token")->required();
  command.add_option("--id", options.key.id, "CKA_ID, hexadecimal (default: 8 random bytes)")
      ->type_name("HEX");
  command
      .add_option("--policy", options.key.policy,
                  "the policy that governs it (default: the token's default policy)")
      ->type_name("NAME");
  command
      .add_option("--usage", options.key.usage,
                  "what it may do: sign, verify, encrypt, decrypt, wrap, unwrap, derive, "
                  "encapsulate, decapsulate")
      ->delimiter(',')
      ->type_name("USAGE,…");
  command.add_flag("--extractable", options.key.extractable,
                   "let it be wrapped (and so leave the enclave) where its policy permits that");
}

}  // namespace

void AddKeyGenerate(CLI::App& group, Invocation& invocation) {
  auto options = std::make_shared<GenerateOptions>();
  CLI::App* command = group.add_subcommand("generate", "make a key in the enclave");
  AddNewKeyOptions(*command, options->key);
  command
      ->add_option("--type", options->type,
                   "rsa:2048|3072|4096, ec:p256|p384|p521|secp256k1, ed25519, ed448, x25519, x448, "
                   "sm2, aes:128|192|256, ml-dsa:44|65|87, ml-kem:512|768|1024, "
                   "slh-dsa:sha2-128s …")
      ->required();
  command->footer(
      "Usage, unless --usage says otherwise: RSA and SM2 sign,decrypt; EC, Ed25519, Ed448, ML-DSA "
      "and "
      "SLH-DSA sign; X25519 and X448 derive; ML-KEM decapsulate; AES "
      "encrypt,decrypt,wrap,unwrap.\n"
      "Example: keyclave key generate --token edge --type ec:p256 --label www");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return Generate(*options, invocation.globals); };
  });
}

void AddKeyImport(CLI::App& group, Invocation& invocation) {
  auto options = std::make_shared<ImportOptions>();
  CLI::App* command = group.add_subcommand("import", "bring a private key from a file");
  AddNewKeyOptions(*command, options->key);
  command->add_option("file", options->file, "PEM or DER: PKCS#8 (also encrypted), PKCS#1, SEC1")
      ->required()
      ->type_name("FILE");
  command
      ->add_option("--passphrase-file", options->passphrase_file,
                   "read the file's passphrase from here (-: stdin; default: ask)")
      ->type_name("FILE");
  command->footer("Example: keyclave key import --token edge --label www /etc/ssl/private/www.key");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return Import(*options, invocation.globals); };
  });
}

}  // namespace keyclave::ctl
