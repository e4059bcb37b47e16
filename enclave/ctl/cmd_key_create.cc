// keyclave key generate, keyclave key import: how keys come into the enclave.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "enclave/base/hash.h"
#include "enclave/ctl/cmd_key.h"
#include "enclave/ctl/enclave_link.h"
#include "enclave/ctl/key_file.h"
#include "enclave/ctl/key_text.h"
#include "enclave/ctl/secret_input.h"
#include "enclave/wire/pkcs11_numbers.h"

namespace keyclave::ctl {
namespace {

// What both commands say of the key to be.
struct NewKeyOptions {
  TokenChoice token;
  std::string label;
  std::string id;
  std::string policy;
  std::vector<std::string> usage;
  bool extractable = false;
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

enum class Kind { kRsa, kAes, kPair };

struct KeyType {
  Kind kind = Kind::kPair;
  uint64_t size = 0;  // bits of RSA and AES keys
  const PairKind* pair = nullptr;
  std::string_view usage;  // unless something else is said
};

Result<KeyType> ParseType(const std::string& text) {
  if (text == "rsa:2048" || text == "rsa:3072" || text == "rsa:4096") {
    return KeyType{Kind::kRsa, std::stoul(text.substr(4)), nullptr, "sign,decrypt"};
  }
  if (text == "aes:128" || text == "aes:192" || text == "aes:256") {
    return KeyType{Kind::kAes, std::stoul(text.substr(4)), nullptr, "encrypt,decrypt,wrap,unwrap"};
  }
  if (const PairKind* pair = FindPairKind(text)) return KeyType{Kind::kPair, 0, pair, pair->usage};
  return Fail(Code::kInvalidArgument,
              "--type " + text +
                  " is not known: rsa:2048, rsa:3072, rsa:4096, ec:p256, ec:p384, ec:p521, "
                  "ec:secp256k1, ed25519, ed448, x25519, x448, sm2, aes:128, aes:192, aes:256, "
                  "ml-dsa:44, ml-dsa:65, ml-dsa:87, ml-kem:512, ml-kem:768, ml-kem:1024, "
                  "slh-dsa:sha2-128s … slh-dsa:shake-256f");
}

std::vector<std::string> Words(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    words.emplace_back(text.substr(0, text.find(',')));
    text.remove_prefix(std::min(words.back().size() + 1, text.size()));
  }
  return words;
}

// The attributes that the key (and, for pairs, its public key) gets besides those of its type.
struct Templates {
  wire::AttributeList private_attributes;
  wire::AttributeList public_attributes;
};

Status SetUsage(const std::vector<std::string>& usage, Templates& templates) {
  for (const UsageWord& word : UsageWords()) {
    templates.private_attributes.SetBool(word.attribute, false);
    templates.public_attributes.SetBool(word.public_attribute, false);
  }
  for (const std::string& name : usage) {
    const auto& words = UsageWords();
    const auto found = std::find_if(words.begin(), words.end(),
                                    [&](const UsageWord& word) { return word.word == name; });
    if (found == words.end()) {
      return Fail(Code::kInvalidArgument, "--usage " + name +
                                              " is not known: sign, verify, encrypt, decrypt, "
                                              "wrap, unwrap, derive, encapsulate, decapsulate");
    }
    templates.private_attributes.SetBool(found->attribute, true);
    templates.public_attributes.SetBool(found->public_attribute, true);
  }
  return Done{};
}

// Attributes that PKCS#11 has for one half of a pair only, or for pairs only.
void DropForeignAttributes(Kind kind, Templates& templates) {
  if (kind == Kind::kAes) {
    for (const uint64_t type : {CKA_ENCAPSULATE, CKA_DECAPSULATE})
      templates.private_attributes.Remove(type);
    return;
  }
  for (const uint64_t type : {CKA_VERIFY, CKA_ENCRYPT, CKA_WRAP, CKA_ENCAPSULATE}) {
    templates.private_attributes.Remove(type);
  }
  for (const uint64_t type : {CKA_SIGN, CKA_DECRYPT, CKA_UNWRAP, CKA_DECAPSULATE}) {
    templates.public_attributes.Remove(type);
  }
}

Result<Templates> MakeTemplates(const NewKeyOptions& options, const KeyType& type) {
  Bytes id;
  if (options.id.empty()) {
    const ByteArray<8> random = RandomArray<8>();
    id = ToBytes(ByteSpan(random));
  } else {
    KC_ASSIGN(id, ParseId(options.id));
  }
  Templates templates;
  for (wire::AttributeList* list : {&templates.private_attributes, &templates.public_attributes}) {
    list->SetBool(CKA_TOKEN, true);
    list->SetText(CKA_LABEL, options.label);
    list->Set(CKA_ID, id);
    if (!options.policy.empty()) list->SetText(kCkaPolicy, options.policy);
  }
  templates.private_attributes.SetBool(CKA_PRIVATE, true);
  templates.private_attributes.SetBool(CKA_SENSITIVE, true);
  templates.private_attributes.SetBool(CKA_EXTRACTABLE, options.extractable);
  templates.public_attributes.SetBool(CKA_PRIVATE, false);
  KC_CHECK_OK(SetUsage(options.usage.empty() ? Words(type.usage) : options.usage, templates));
  DropForeignAttributes(type.kind, templates);
  return templates;
}

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
  KC_ASSIGN(const KeyType type, ParseType(options.type));
  KC_ASSIGN(Templates templates, MakeTemplates(options.key, type));
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, options.key.token));
  KC_ASSIGN(const wire::TokenInfo token, enclave->Token(options.key.token.label));
  KC_CHECK_OK(CheckLabelIsFree(*enclave, token, options.key.label));
  if (type.kind == Kind::kAes) {
    wire::GenerateKeyRequest request;
    request.token = token.id;
    request.mechanism.type = CKM_AES_KEY_GEN;
    request.attributes = std::move(templates.private_attributes);
    request.attributes.SetUlong(CKA_VALUE_LEN, type.size / 8);
    KC_ASSIGN(const auto reply, enclave->Change<wire::Op::kGenerateKey>(request));
    if (!reply) return enclave->WriteRequests(globals.json);
    return Report("Generated", token, reply->object, globals.json);
  }
  wire::GenerateKeyPairRequest request;
  request.token = token.id;
  request.public_attributes = std::move(templates.public_attributes);
  request.private_attributes = std::move(templates.private_attributes);
  if (type.kind == Kind::kRsa) {
    request.mechanism.type = CKM_RSA_PKCS_KEY_PAIR_GEN;
    request.public_attributes.SetUlong(CKA_MODULUS_BITS, type.size);
    request.public_attributes.Set(CKA_PUBLIC_EXPONENT, ByteArray<3>{1, 0, 1});
  } else {
    request.mechanism.type = type.pair->mechanism;
    if (type.pair->set != 0) request.public_attributes.SetUlong(CKA_PARAMETER_SET, type.pair->set);
    if (!type.pair->curve.empty()) {
      KC_ASSIGN(const Bytes curve, FromHex(type.pair->curve));
      request.public_attributes.Set(CKA_EC_PARAMS, curve);
    }
  }
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
  const PairKind* pair = PairKindOf(file.attributes);
  const bool is_rsa = file.attributes.Ulong(CKA_KEY_TYPE) == CKK_RSA;
  const KeyType type{Kind::kPair, 0, pair,
                     pair != nullptr ? pair->usage : (is_rsa ? "sign,decrypt" : "sign")};
  KC_ASSIGN(Templates templates, MakeTemplates(options.key, type));
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, options.key.token));
  KC_ASSIGN(const wire::TokenInfo token, enclave->Token(options.key.token.label));
  KC_CHECK_OK(CheckLabelIsFree(*enclave, token, options.key.label));
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
  command.add_option("--label", options.label, "the key's name in the token")->required();
  command.add_option("--id", options.id, "CKA_ID, hexadecimal (default: 8 random bytes)")
      ->type_name("HEX");
  command
      .add_option("--policy", options.policy,
                  "the policy that governs it (default: the token's default policy)")
      ->type_name("NAME");
  command
      .add_option("--usage", options.usage,
                  "what it may do: sign, verify, encrypt, decrypt, wrap, unwrap, derive, "
                  "encapsulate, decapsulate")
      ->delimiter(',')
      ->type_name("USAGE,…");
  command.add_flag("--extractable", options.extractable,
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
