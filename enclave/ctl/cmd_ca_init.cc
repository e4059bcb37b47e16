// keyclave ca init: the key and the certificate of a new CA, both or neither.
#include <CLI/CLI.hpp>
#include <memory>

#include "enclave/base/file.h"
#include "enclave/ctl/cmd_ca.h"
#include "enclave/ctl/new_objects.h"
#include "enclave/ctl/output.h"

namespace keyclave::ctl {
namespace {

struct InitOptions {
  TokenChoice token;
  std::string label;
  std::string subject;
  std::string type = "ec:p384";
  std::string policy;
  uint64_t days = 3650;
  std::string out;
};

Result<WantedSecret> Wanted(const InitOptions& options) {
  WantedSecret wanted;
  wanted.where = "keyclave ca init";
  wanted.name = options.label;
  wanted.kind = SecretKind::kCertificate;
  wanted.policy = options.policy;
  wanted.type = options.type;
  KC_ASSIGN(wanted.key_type, ParseKeyType(options.type, "--type"));
  if (wanted.key_type.kind == KeyType::Kind::kAes)
    return Fail(Code::kInvalidArgument, "--type: a secret key signs no certificates");
  wanted.subject = options.subject;
  wanted.days = options.days;
  wanted.is_ca = true;
  return wanted;
}

Result<int> Init(const InitOptions& options, const Globals& globals) {
  KC_ASSIGN(const WantedSecret wanted, Wanted(options));
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, options.token));
  KC_ASSIGN(const wire::TokenInfo token, enclave->Token(options.token.label));
  wire::AttributeList same;
  same.SetText(CKA_LABEL, options.label);
  KC_ASSIGN(const auto present, enclave->Objects(token.id, same));
  if (!present.empty())
    return Fail(Code::kTemplateInconsistent, "token " + token.label +
                                                 " has something of the name " + options.label +
                                                 " already: choose another one");
  NewObjects objects(*enclave, token);
  KC_CHECK_OK(objects.Make({.wanted = &wanted, .creates = true, .public_policy = options.policy}));
  KC_ASSIGN(const wire::KeepObjectsReply kept, objects.Keep({}));
  std::string pem;
  for (const wire::ObjectInfo& object : kept.objects) {
    const Bytes* der = object.attributes.Find(CKA_VALUE);
    if (object.attributes.Ulong(CKA_CLASS) == CKO_CERTIFICATE && der != nullptr)
      pem = ToPem("CERTIFICATE", *der);
  }
  if (pem.empty()) return Fail(Code::kInternal, "the enclave kept no certificate");
  if (!options.out.empty()) KC_CHECK_OK(ReplaceFile(options.out, AsBytes(pem), 0644));
  if (globals.json) {
    PrintJson(
        {{"token", token.label}, {"label", options.label}, {"pem", pem}, {"file", options.out}});
  } else if (options.out.empty()) {
    Print(pem);
  } else {
    Print("Made the CA " + Harmless(options.label) + " in token " + Harmless(token.label) +
          ", and wrote its certificate to " + Harmless(options.out) + ".\n");
  }
  return kExitOk;
}

}  // namespace

void AddCaInit(CLI::App& group, Invocation& invocation) {
  auto options = std::make_shared<InitOptions>();
  CLI::App* command =
      group.add_subcommand("init", "make a CA: its key in the enclave, and its own certificate");
  command->add_option("label,--label", options->label, "its name in the token")->required();
  AddTokenOptions(*command, options->token);
  command->add_option("--subject", options->subject, "RFC 4514: CN=Mesh CA,O=Example")
      ->required()
      ->type_name("NAME");
  command->add_option("--type", options->type, "of its key, as keyclave key generate has them")
      ->capture_default_str();
  command
      ->add_option("--policy", options->policy,
                   "the policy that governs it (default: the token's default policy)")
      ->type_name("NAME");
  command->add_option("--days", options->days, "how long its certificate is valid")
      ->check(CLI::Range(1, 36525))
      ->capture_default_str();
  command->add_option("-o,--out", options->out, "the PEM file (default: standard output)")
      ->type_name("FILE");
  command->footer(
      "Its certificate says path length 0: what it issues are leaves. Example:\n"
      "  keyclave ca init mesh-ca --token mesh --subject \"CN=Mesh CA\" --policy mesh-ca -o "
      "mesh.crt");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return Init(*options, invocation.globals); };
  });
}

}  // namespace keyclave::ctl
