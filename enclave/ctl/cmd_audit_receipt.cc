// keyclave audit receipt: what the receipt of a released key says, and whether the enclave signed
// it.
#include <CLI/CLI.hpp>
#include <memory>

#include "enclave/base/file.h"
#include "enclave/base/hash.h"
#include "enclave/ctl/cmd_audit.h"
#include "enclave/ctl/key_file.h"
#include "enclave/ctl/receipt_file.h"

namespace keyclave::ctl {
namespace {

constexpr size_t kMaxWrapped = size_t{1} << 20;  // bytes

struct ReceiptOptions {
  std::string path;
  std::string key_file;
  std::string wrapped;
};

Result<int> Check(const ReceiptOptions& options, const Globals& globals) {
  KC_ASSIGN(const Bytes key, ReadPublicKey(options.key_file));
  KC_ASSIGN(const SignedReceipt file, ReadReceipt(options.path));
  KC_ASSIGN(const wire::ReleaseReceipt receipt, VerifyReceipt(file, key));
  if (!options.wrapped.empty()) {
    KC_ASSIGN(const Bytes wrapped, ReadFile(options.wrapped, kMaxWrapped));
    const ByteArray<32> digest = Sha256(wrapped);
    if (digest != receipt.wrapped)
      return FailWanted(Code::kReceiptInvalid, options.wrapped, ToHex(receipt.wrapped),
                        ToHex(digest));
  }
  if (globals.json) {
    PrintJson(ReceiptJson(receipt));
  } else {
    Print(Paint(Colour::kGood, "The receipt is genuine") + ".\n" + ReceiptText(receipt));
  }
  return kExitOk;
}

}  // namespace

void AddAuditReceipt(CLI::App& group, Invocation& invocation) {
  auto options = std::make_shared<ReceiptOptions>();
  CLI::App* command =
      group.add_subcommand("receipt", "check a released key's receipt, without any enclave");
  command->add_option("file", options->path, "the receipt (keyclave key release wrote it)")
      ->required()
      ->type_name("FILE");
  command->add_option("--key", options->key_file, "the enclave's audit key (keyclave audit key)")
      ->required()
      ->type_name("FILE");
  command->add_option("--wrapped", options->wrapped, "the wrapped key that it must be for")
      ->type_name("FILE");
  command->footer("Example: keyclave audit receipt www.wrapped.receipt --key audit.pem");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return Check(*options, invocation.globals); };
  });
}

}  // namespace keyclave::ctl
