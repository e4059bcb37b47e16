// keyclave set apply, sign, add: new versions of reference-value sets.
#include <CLI/CLI.hpp>
#include <memory>

#include "enclave/base/clock.h"
#include "enclave/base/file.h"
#include "enclave/ctl/cmd_request.h"
#include "enclave/ctl/cmd_set.h"
#include "enclave/ctl/enclave_link.h"
#include "enclave/ctl/output.h"
#include "enclave/ctl/set_text.h"
#include "enclave/ctl/weakening.h"

namespace keyclave::ctl {
namespace {

constexpr size_t kMaxFile = size_t{8} << 20;  // bytes

struct ApplyOptions {
  TokenChoice token;
  std::string file;
  bool yes = false;
};

struct AddOptions {
  TokenChoice token;
  std::string name;
  std::string value;
  std::string reason;
  std::string not_before;
  std::string not_after;
};

Result<int> Put(Enclave& enclave, const wire::TokenInfo& token, const std::string& text,
                const Globals& globals) {
  KC_ASSIGN(const auto reply, enclave.Change<wire::Op::kApplySet>({token.id, text}));
  if (!reply) return enclave.WriteRequests(globals.json);
  const wire::SetInfo& set = reply->set;
  if (globals.json) {
    PrintJson({{"set", set.name},
               {"version", set.version},
               {"digest", ToHex(set.digest)},
               {"entries", set.entries},
               {"current", set.current}});
    return kExitOk;
  }
  Print("Set " + Harmless(set.name) + " version " + std::to_string(set.version) + " of token " +
        Harmless(token.label) + " has " + std::to_string(set.entries) + " entries, " +
        std::to_string(set.current) + " of which count now. Policies follow it at once.\n");
  return kExitOk;
}

Result<int> Apply(const ApplyOptions& options, const Globals& globals) {
  KC_ASSIGN(const Bytes text, ReadFile(options.file, kMaxFile));
  if (IsRequestFile(AsText(text))) return SendRequestFile(options.file, globals);
  KC_ASSIGN(const SetFile file, ReadSetFile(options.file));
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, options.token));
  KC_ASSIGN(const wire::TokenInfo token, enclave->Token(options.token.label));
  const auto present = enclave->Call<wire::Op::kShowSet>({token.id, file.set.name()});
  if (!present.ok() && present.code() != Code::kSetNotFound) return present.error();
  if (present.ok()) {
    KC_ASSIGN(const authz::SetDocument before,
              authz::SetDocument::Parse(present->text, "present version"));
    KC_ASSIGN(const bool sure,
              AcceptWeakening("set " + before.name(), Weakenings(before, file.set), options.yes));
    if (!sure) {
      PrintNote("Nothing was changed.\n");
      return kExitRefused;
    }
  }
  return Put(*enclave, token, file.text, globals);
}

Result<std::optional<UnixTime>> TimeOf(const std::string& text) {
  if (text.empty()) return std::optional<UnixTime>();
  const auto time = ParseTime(text);
  if (time.ok()) return std::optional(*time);
  return Fail(Code::kInvalidArgument, text + ": wanted 2026-12-01 or 2026-12-01T08:00:00Z");
}

// Who adds a value means to let it in: nobody asks once more.
Result<int> Add(const AddOptions& options, const Globals& globals) {
  authz::SetDocument::Entry entry{.value = options.value,
                                  .not_before = std::nullopt,
                                  .not_after = std::nullopt,
                                  .reason = options.reason,
                                  .line = 0};
  KC_ASSIGN(entry.not_before, TimeOf(options.not_before));
  KC_ASSIGN(entry.not_after, TimeOf(options.not_after));
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, options.token));
  KC_ASSIGN(const wire::TokenInfo token, enclave->Token(options.token.label));
  return AddToSet(*enclave, token, options.name, entry, globals);
}

CLI::App* AddApply(CLI::App& group, Invocation& invocation, const char* name,
                   const char* description) {
  auto options = std::make_shared<ApplyOptions>();
  CLI::App* command = group.add_subcommand(name, description);
  AddTokenOptions(*command, options->token);
  AddChangeOptions(*command, options->token.owner);
  command->add_option("file", options->file)->required()->type_name("FILE");
  command->add_flag("--yes", options->yes, "do not ask, also where it lets in more");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return Apply(*options, invocation.globals); };
  });
  return command;
}

}  // namespace

Result<int> AddToSet(Enclave& enclave, const wire::TokenInfo& token, const std::string& name,
                     const authz::SetDocument::Entry& entry, const Globals& globals) {
  KC_ASSIGN(const wire::ShowSetReply present, enclave.Call<wire::Op::kShowSet>({token.id, name}));
  KC_ASSIGN(const std::string text, WithEntry(present.text, entry));
  return Put(enclave, token, text, globals);
}

void AddSetApply(CLI::App& group, Invocation& invocation) {
  CLI::App* apply = AddApply(group, invocation, "apply", "add or replace a token's set");
  apply->footer("Example: keyclave set apply --token edge edge-prod.yaml --owner ops=ops.pem");
  CLI::App* sign =
      AddApply(group, invocation, "sign", "sign a set into a request file (apply --out)");
  sign->get_option("--out")->required();
}

void AddSetAdd(CLI::App& group, Invocation& invocation) {
  auto options = std::make_shared<AddOptions>();
  CLI::App* command =
      group.add_subcommand("add", "add a value: the present text with one more entry");
  AddTokenOptions(*command, options->token);
  AddChangeOptions(*command, options->token.owner);
  command->add_option("name", options->name, "the set")->required();
  command->add_option("--value", options->value, "what is compared with")->required();
  command->add_option("--reason", options->reason, "why it is there")->required();
  command->add_option("--not-before", options->not_before, "it counts from then on")
      ->type_name("TIME");
  command->add_option("--not-after", options->not_after, "it counts until then")->type_name("TIME");
  command->footer(
      "Example: keyclave set add edge-prod --token edge --value 5f1c… --reason 'release 4.2' \\\n"
      "  --not-before 2026-12-01 --owner ops=ops.pem");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return Add(*options, invocation.globals); };
  });
}

}  // namespace keyclave::ctl
