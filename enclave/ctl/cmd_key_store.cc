// keyclave key store: a file's bytes as a data object, which a policy can have released.
#include <CLI/CLI.hpp>
#include <memory>

#include "enclave/base/file.h"
#include "enclave/ctl/cmd_key.h"
#include "enclave/ctl/enclave_link.h"
#include "enclave/wire/pkcs11_numbers.h"

namespace keyclave::ctl {
namespace {

constexpr size_t kMaxData = size_t{64} << 10;  // bytes

struct StoreOptions {
  TokenChoice token;
  std::string label;
  std::string policy;
  std::string file;
};

Status CheckLabelIsFree(Enclave& enclave, const wire::TokenInfo& token, const std::string& label) {
  wire::AttributeList match;
  match.SetText(CKA_LABEL, label);
  KC_ASSIGN(const auto found, enclave.Objects(token.id, match));
  if (found.empty()) return Done{};
  return Fail(Code::kTemplateInconsistent,
              "token " + token.label + " has an object " + label +
                  " already: choose another label, or delete that one (keyclave key delete)");
}

Result<int> Store(const StoreOptions& options, const Globals& globals) {
  if (!options.token.owner.out.empty())
    return Fail(Code::kInvalidArgument,
                "data cannot be put into a request's file (--out): they would be in it. Sign with "
                "enough owners at once (--owner, repeated)");
  KC_ASSIGN(const Bytes data, ReadFile(options.file, kMaxData));
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, options.token));
  KC_ASSIGN(const wire::TokenInfo token, enclave->Token(options.token.label));
  KC_CHECK_OK(CheckLabelIsFree(*enclave, token, options.label));
  wire::CreateObjectRequest request;
  request.token = token.id;
  request.attributes.SetUlong(CKA_CLASS, CKO_DATA);
  request.attributes.SetBool(CKA_TOKEN, true);
  request.attributes.SetBool(CKA_PRIVATE, true);
  request.attributes.SetText(CKA_LABEL, options.label);
  request.attributes.Set(CKA_VALUE, data);
  if (!options.policy.empty()) request.attributes.SetText(kCkaPolicy, options.policy);
  KC_ASSIGN(const auto reply, enclave->Change<wire::Op::kCreateObject>(request));
  if (!reply) return Fail(Code::kInternal, "data in a file");
  if (globals.json) {
    PrintJson({{"token", token.label},
               {"label", options.label},
               {"object", ToHex(reply->object.id)},
               {"size", data.size()},
               {"policy", reply->object.attributes.Text(kCkaPolicy)}});
    return kExitOk;
  }
  Print("Stored " + std::to_string(data.size()) + " bytes as " + Harmless(options.label) +
        " in token " + Harmless(token.label) + ", under policy " +
        Harmless(reply->object.attributes.Text(kCkaPolicy)) + ".\nThe file " +
        Harmless(options.file) +
        " still holds them: destroy it (shred -u) once they are in use.\n");
  return kExitOk;
}

}  // namespace

void AddKeyStore(CLI::App& group, Invocation& invocation) {
  auto options = std::make_shared<StoreOptions>();
  CLI::App* command =
      group.add_subcommand("store", "keep a file's bytes: a password, another system's key");
  AddTokenOptions(*command, options->token);
  AddChangeOptions(*command, options->token.owner);
  command->add_option("--label", options->label, "the object's name in the token")->required();
  command
      ->add_option("--policy", options->policy,
                   "the policy that governs it (default: the token's default policy)")
      ->type_name("NAME");
  command->add_option("file", options->file, "at most 64 KiB")->required()->type_name("FILE");
  command->footer(
      "It is a data object, for callers whom its policy permits `read`, or `release` in a form.\n"
      "Example: keyclave key store --token secrets --label default/key/disk passphrase");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return Store(*options, invocation.globals); };
  });
}

}  // namespace keyclave::ctl
