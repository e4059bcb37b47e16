// keyclave key release: a key or data object, wrapped for a public key that goes into this
// process's own evidence.
#include <CLI/CLI.hpp>
#include <memory>

#include "enclave/base/file.h"
#include "enclave/client/release_key.h"
#include "enclave/ctl/cmd_key.h"
#include "enclave/ctl/enclave_link.h"
#include "enclave/ctl/release_call.h"

namespace keyclave::ctl {
namespace {

constexpr uint32_t kSecretMode = 0600;
constexpr uint32_t kPublicMode = 0644;

struct ReleaseOptions {
  TokenChoice token;
  std::string key;
  std::string recipient;
  std::string form;
  std::string out;
  bool unwrap = false;
};

Status WriteResult(const ReleaseOptions& options, const Recipient& recipient,
                   const Released& released, const wire::ObjectId& object) {
  const wire::ReleaseReply& reply = released.reply;
  if (options.unwrap) {
    KC_ASSIGN(const SecretBytes secret,
              mech::OpenReleased(*recipient.form, *recipient.private_key, object, reply.wrapped));
    KC_CHECK_OK(ReplaceFile(options.out, secret.Expose(SecretAccess()), kSecretMode));
  } else {
    KC_CHECK_OK(ReplaceFile(options.out, reply.wrapped, kPublicMode));
  }
  return WriteReceipt(options.out + ".receipt", {reply.receipt, reply.signature, reply.jws});
}

Result<int> Release(const ReleaseOptions& options, const Globals& globals) {
  if (options.recipient.empty() != options.unwrap) {
    return Fail(Code::kInvalidArgument,
                options.unwrap ? "--unwrap opens what is released to a key of this process: leave "
                                 "--recipient out"
                               : "name the public key with --recipient FILE, or say --unwrap");
  }
  KC_ASSIGN(client::ClientConfig config, client::LoadClientConfig(globals.config));
  if (config.evidence_type.empty()) {
    return Fail(Code::kEvidenceUnavailable,
                config.source + " says evidence: none; a key is released to evidence only");
  }
  Recipient recipient;
  if (options.unwrap) {
    KC_ASSIGN(recipient, NewRecipient(options.form));
  } else {
    KC_ASSIGN(const wire::ReleaseKey key,
              client::ReadReleaseKey(std::string(kReleaseKeyName), options.recipient));
    KC_ASSIGN(recipient, RecipientOf(key.spki, options.form));
  }
  NameInEvidence(config, recipient.spki);
  KC_ASSIGN(const auto opened, Enclave::Open(std::move(config), options.token));
  Enclave& enclave = *opened;
  KC_ASSIGN(const wire::ObjectInfo object, enclave.Object(options.key, options.token.label));
  KC_ASSIGN(const Released released, ReleaseTo(enclave, object, recipient));
  KC_CHECK_OK(WriteResult(options, recipient, released, object.id));
  if (globals.json) {
    Json document = ReceiptJson(released.receipt);
    document["file"] = options.out;
    document["receipt_file"] = options.out + ".receipt";
    document["unwrapped"] = options.unwrap;
    PrintJson(document);
    return kExitOk;
  }
  Print("Wrote " + Harmless(options.out) + (options.unwrap ? " (the key itself)" : "") + " and " +
        Harmless(options.out) + ".receipt:\n" + ReceiptText(released.receipt));
  return kExitOk;
}

}  // namespace

void AddKeyRelease(CLI::App& group, Invocation& invocation) {
  auto options = std::make_shared<ReleaseOptions>();
  CLI::App* command =
      group.add_subcommand("release", "have a key wrapped for a public key, with a receipt");
  command->add_option("key", options->key, "a label, or a URI: pkcs11:token=edge;object=www")
      ->required()
      ->type_name("KEY");
  AddTokenOptions(*command, options->token);
  command
      ->add_option("--recipient", options->recipient,
                   "the public key (PEM or DER) that is put into this process's evidence")
      ->type_name("FILE");
  command
      ->add_option("--form", options->form,
                   "rsa-aes-key-wrap-sha256|384, rsa-oaep-sha256|384, hpke-p256, hpke-x25519, "
                   "jwe-rsa-oaep-256, jwe-ecdh-es-a256kw "
                   "(default: what fits the recipient's key)")
      ->type_name("FORM");
  command->add_option("-o,--out", options->out, "the file; the receipt goes to FILE.receipt")
      ->required()
      ->type_name("FILE");
  command->add_flag("--unwrap", options->unwrap,
                    "release to a new key of this process, and write the key itself (PKCS#8 DER, "
                    "or a secret key's bytes), mode 0600");
  command->footer(
      "The key's policy must permit `release` to this program's measurement, in this form.\n"
      "Example: keyclave key release --token edge www --recipient backup.pub -o www.wrapped");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return Release(*options, invocation.globals); };
  });
}

}  // namespace keyclave::ctl
