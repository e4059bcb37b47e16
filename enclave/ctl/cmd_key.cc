// keyclave key list, show, delete, reference.
#include "enclave/ctl/cmd_key.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "enclave/base/file.h"
#include "enclave/client/key_reference.h"
#include "enclave/ctl/enclave_link.h"
#include "enclave/ctl/key_line.h"
#include "enclave/ctl/key_text.h"
#include "enclave/ctl/secret_input.h"

namespace keyclave::ctl {
namespace {

struct KeyOptions {
  TokenChoice token;
  std::string key;
};

struct ListOptions {
  TokenChoice token;
  bool all = false;
};

struct DeleteOptions {
  KeyOptions key;
  bool yes = false;
};

struct ReferenceOptions {
  KeyOptions key;
  bool pin = false;
  bool current = false;
  std::string out;
};

bool IsKey(const wire::ObjectInfo& object) {
  const auto object_class = object.attributes.Ulong(CKA_CLASS);
  return object_class == CKO_PRIVATE_KEY || object_class == CKO_SECRET_KEY;
}

Result<std::string> TokenLabel(Enclave& enclave, const wire::TokenId& id) {
  KC_ASSIGN(const wire::ListTokensReply reply, enclave.Call<wire::Op::kListTokens>({}));
  for (const wire::TokenInfo& token : reply.tokens) {
    if (token.id == id) return token.label;
  }
  return Fail(Code::kTokenNotFound, ToHex(id));
}

// The pkcs11: URI that names this object for every program; with `pin` for this enclave's
// measurement and the policy of today alone.
Result<std::string> UriOf(Enclave& enclave, const wire::ObjectInfo& object, ByteSpan spki,
                          bool pin = false) {
  wire::ObjectRef ref;
  KC_ASSIGN(ref.token_label, TokenLabel(enclave, object.token));
  ref.object_class = object.attributes.Ulong(CKA_CLASS);
  if (const Bytes* id = object.attributes.Find(CKA_ID); id != nullptr && !id->empty()) {
    ref.cka_id = *id;
  }
  if (const std::string label = object.attributes.Text(CKA_LABEL); !label.empty()) {
    ref.label = label;
  }
  if (!pin) return client::MakeUri(ref, spki);
  const Bytes* digest = object.attributes.Find(kCkaPolicyDigest);
  KC_ASSIGN(const attest::ClaimSet claims, enclave.client().EnclaveClaims());
  const attest::Claim* measurement = claims.Find("measurement");
  ByteArray<32> pinned{};
  if (digest == nullptr || digest->size() != pinned.size() || measurement == nullptr)
    return Fail(Code::kUnsupported, "the enclave told no policy digest or has no measurement");
  std::copy(digest->begin(), digest->end(), pinned.begin());
  ref.policies = {pinned};
  return client::MakeUri(ref, spki, attest::ToText(measurement->value));
}

Result<int> List(const ListOptions& options, const Globals& globals) {
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, options.token));
  KC_ASSIGN(const wire::TokenInfo token, enclave->Token(options.token.label));
  KC_ASSIGN(std::vector<wire::ObjectInfo> objects, enclave->Objects(token.id, {}));
  if (objects.empty()) KC_CHECK_OK(enclave->SawAll());
  if (!options.all) std::erase_if(objects, [](const auto& object) { return !IsKey(object); });
  const UnixTime now = SystemClock().Now();
  if (globals.json) {
    Json list = Json::array();
    for (const wire::ObjectInfo& object : objects) {
      Json json = ObjectJson(object);
      json["version"] = VersionOf(object.attributes);
      if (IsKey(object)) json["state"] = StateOf(object.attributes, now);
      list.push_back(std::move(json));
    }
    PrintJson({{"token", token.label}, {"objects", list}});
    return kExitOk;
  }
  Table table({"LABEL", "VERSION", "ID", "CLASS", "TYPE", "USAGE", "POLICY"});
  for (const wire::ObjectInfo& object : objects) {
    const wire::AttributeList& attributes = object.attributes;
    table.Add({Harmless(attributes.Text(CKA_LABEL)), VersionText(attributes, now),
               IdText(attributes), ClassText(attributes), TypeText(attributes),
               UsageText(attributes), Harmless(attributes.Text(kCkaPolicy))});
  }
  Print(table.empty() ? "No keys in token " + Harmless(token.label) + " that this caller may see.\n"
                      : table.Text());
  return kExitOk;
}

Result<int> Show(const KeyOptions& options, const Globals& globals) {
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, options.token));
  KC_ASSIGN(const wire::ObjectInfo object, enclave->Object(options.key, options.token.label));
  KC_ASSIGN(const std::string uri, UriOf(*enclave, object, {}));
  if (globals.json) {
    Json document = ObjectJson(object);
    document["uri"] = uri;
    for (const AttributeText& text : AttributeTexts(object.attributes)) {
      document["attributes"][text.name] = text.value;
    }
    PrintJson(document);
    return kExitOk;
  }
  Fields fields;
  fields.Add("uri", uri);
  fields.Add("key", TypeText(object.attributes) + " " + ClassText(object.attributes));
  for (const AttributeText& text : AttributeTexts(object.attributes)) {
    fields.Add(text.name, text.value);
  }
  Print(fields.Text());
  return kExitOk;
}

// The object, and for a private key the public key made with it.
Result<std::vector<wire::ObjectInfo>> WithPublicHalf(Enclave& enclave,
                                                     const wire::ObjectInfo& object) {
  std::vector<wire::ObjectInfo> objects = {object};
  const Bytes* info = object.attributes.Find(CKA_PUBLIC_KEY_INFO);
  if (object.attributes.Ulong(CKA_CLASS) != CKO_PRIVATE_KEY || info == nullptr) return objects;
  wire::AttributeList match;
  match.SetUlong(CKA_CLASS, CKO_PUBLIC_KEY);
  match.Set(CKA_PUBLIC_KEY_INFO, *info);
  KC_ASSIGN(std::vector<wire::ObjectInfo> halves, enclave.Objects(object.token, match));
  const Bytes* id = object.attributes.Find(CKA_ID);
  for (wire::ObjectInfo& half : halves) {
    const Bytes* half_id = half.attributes.Find(CKA_ID);
    if (id != nullptr && half_id != nullptr && *id == *half_id) objects.push_back(std::move(half));
  }
  return objects;
}

Result<int> Delete(const DeleteOptions& options, const Globals& globals) {
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, options.key.token));
  KC_ASSIGN(const wire::ObjectInfo object,
            enclave->Object(options.key.key, options.key.token.label));
  const std::string name = TypeText(object.attributes) + " " + ClassText(object.attributes) + " " +
                           Harmless(object.attributes.Text(CKA_LABEL)) + " (id " +
                           IdText(object.attributes) + ")";
  if (!options.yes && options.key.token.owner.out.empty()) {
    KC_ASSIGN(const bool sure, Confirm("Delete the " + name + "? It cannot be brought back."));
    if (!sure) {
      PrintNote("Nothing was deleted.\n");
      return kExitRefused;
    }
  }
  KC_ASSIGN(const auto objects, WithPublicHalf(*enclave, object));
  Json deleted = Json::array();
  bool is_file = false;
  for (const wire::ObjectInfo& each : objects) {
    KC_ASSIGN(const auto reply, enclave->Change<wire::Op::kDestroyObject>({RefTo(each)}));
    is_file = !reply.has_value();
    deleted.push_back(ObjectJson(each));
  }
  if (is_file) return enclave->WriteRequests(globals.json);
  if (globals.json) {
    PrintJson({{"deleted", deleted}});
  } else {
    Print("Deleted the " + name + (objects.size() > 1 ? " and its public key.\n" : ".\n"));
  }
  return kExitOk;
}

Result<int> Reference(const ReferenceOptions& options, const Globals& globals) {
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, options.key.token));
  KC_ASSIGN(const wire::ObjectInfo object,
            enclave->Object(options.key.key, options.key.token.label));
  const Bytes* spki = object.attributes.Find(CKA_PUBLIC_KEY_INFO);
  if (object.attributes.Ulong(CKA_CLASS) != CKO_PRIVATE_KEY || spki == nullptr) {
    return Fail(Code::kInvalidArgument, options.key.key + " is a " + ClassText(object.attributes) +
                                            ": references are for private keys");
  }
  std::string uri;
  if (options.current) {
    wire::ObjectRef ref;
    KC_ASSIGN(ref.token_label, TokenLabel(*enclave, object.token));
    ref.object_class = CKO_PRIVATE_KEY;
    ref.label = object.attributes.Text(CKA_LABEL);
    KC_ASSIGN(uri, client::MakeUri(ref, {}, {}, std::string(client::kCurrentVersion)));
  } else {
    KC_ASSIGN(uri, UriOf(*enclave, object, *spki, options.pin));
  }
  KC_ASSIGN(const std::string pem, client::EncodeKeyReferencePem(uri));
  if (!options.out.empty()) KC_CHECK_OK(ReplaceFile(options.out, AsBytes(pem), 0644));
  if (globals.json) {
    PrintJson({{"uri", uri}, {"pem", pem}, {"file", options.out}});
  } else if (options.out.empty()) {
    Print(pem);
  } else {
    Print("Wrote " + Harmless(options.out) +
          ": give it where a private key's PEM file is asked for. It holds no secret.\n");
  }
  return kExitOk;
}

void AddKeyArgument(CLI::App& command, KeyOptions& options) {
  command.add_option("key", options.key, "a label, or a URI: pkcs11:token=edge;object=www")
      ->required()
      ->type_name("KEY");
  AddTokenOptions(command, options.token);
}

void AddReference(CLI::App& group, Invocation& invocation) {
  auto options = std::make_shared<ReferenceOptions>();
  CLI::App* command = group.add_subcommand("reference", "write the PEM file that stands for a key");
  AddKeyArgument(*command, options->key);
  command->add_option("--out", options->out, "the file (default: standard output)")
      ->type_name("FILE");
  command->add_flag("--pin", options->pin,
                    "good for this enclave's measurement and the key's policy of today only");
  command
      ->add_flag("--current", options->current,
                 "for whichever version of the key is in service when it is loaded, or fits the "
                 "server's certificate (keyclave key rotate)")
      ->excludes("--pin");
  command->footer(
      "nginx, HAProxy, PostgreSQL and every OpenSSL 3 program that wants a key file take\n"
      "it, with OPENSSL_CONF set as `keyclave run` does. Example:\n"
      "  keyclave key reference --token edge www --out /etc/nginx/www.key.pem");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return Reference(*options, invocation.globals); };
  });
}

}  // namespace

void AddKey(CLI::App& app, Invocation& invocation) {
  CLI::App* group = app.add_subcommand("key", "keys: make, import, list, delete, refer to");
  group->require_subcommand(1);
  AddKeyGenerate(*group, invocation);
  AddKeyImport(*group, invocation);
  AddKeyRelease(*group, invocation);
  AddKeyAttest(*group, invocation);
  AddKeyRotate(*group, invocation);

  auto list_options = std::make_shared<ListOptions>();
  CLI::App* list = group->add_subcommand("list", "list a token's keys");
  AddTokenOptions(*list, list_options->token);
  list->add_flag("--all", list_options->all, "public keys, certificates and data objects too");
  list->callback([list_options, &invocation] {
    invocation.action = [list_options, &invocation] {
      return List(*list_options, invocation.globals);
    };
  });

  auto show_options = std::make_shared<KeyOptions>();
  CLI::App* show = group->add_subcommand("show", "show a key's attributes");
  AddKeyArgument(*show, *show_options);
  show->callback([show_options, &invocation] {
    invocation.action = [show_options, &invocation] {
      return Show(*show_options, invocation.globals);
    };
  });

  auto delete_options = std::make_shared<DeleteOptions>();
  CLI::App* remove = group->add_subcommand("delete", "delete a key and its public key");
  AddKeyArgument(*remove, delete_options->key);
  AddChangeOptions(*remove, delete_options->key.token.owner);
  remove->add_flag("--yes", delete_options->yes, "do not ask");
  remove->callback([delete_options, &invocation] {
    invocation.action = [delete_options, &invocation] {
      return Delete(*delete_options, invocation.globals);
    };
  });
  AddReference(*group, invocation);
}

}  // namespace keyclave::ctl
