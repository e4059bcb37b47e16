// keyclave request: requests in files, for several owners to sign.
#include "enclave/ctl/cmd_request.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "enclave/base/clock.h"
#include "enclave/base/file.h"
#include "enclave/ctl/enclave_link.h"
#include "enclave/ctl/output.h"
#include "enclave/ctl/request_text.h"
#include "enclave/ctl/secret_input.h"

namespace keyclave::ctl {
namespace {

constexpr uint32_t kReadable = 0644;

struct Options {
  std::string file;
  OwnerChoice owner;
  bool yes = false;
};

// A statement as it is shown: from its bytes, never from the file's own words.
struct Shown {
  std::vector<std::string> lines;
  bool differs = false;  // from the file's own words
};

Result<std::vector<Shown>> Look(const RequestFile& file) {
  std::vector<Shown> all;
  for (const RequestFile::Item& item : file.items) {
    KC_ASSIGN(std::vector<std::string> lines, DescribeStatement(item.statement));
    const bool differs = lines != item.what;
    all.push_back({std::move(lines), differs});
  }
  return all;
}

bool AnyDiffers(const std::vector<Shown>& shown) {
  return std::any_of(shown.begin(), shown.end(), [](const Shown& one) { return one.differs; });
}

std::string SignersText(const wire::AdministerRequest& request) {
  std::string names;
  for (const wire::OwnerSignature& signature : request.signatures)
    names.append(names.empty() ? "" : ", ").append(Harmless(signature.owner));
  return names.empty() ? "nobody yet" : names;
}

void PrintItems(const RequestFile& file, const std::vector<Shown>& shown) {
  for (size_t i = 0; i < shown.size(); ++i) {
    const RequestFile::Item& item = file.items[i];
    const wire::Statement& statement = item.statement;
    Fields fields;
    fields.Add("operation", wire::OpName(static_cast<wire::Op>(statement.op)));
    fields.Add("enclave", statement.enclave_id);
    fields.Add("token",
               ToHex(statement.token).substr(0, 16) + " (" + file.token_label + ", says the file)");
    fields.Add("sequence", std::to_string(statement.sequence));
    const bool expired = SystemClock().Now() >= statement.expires;
    fields.AddPainted("expires", FormatTime(statement.expires) +
                                     (expired ? Paint(Colour::kBad, " (it has expired)") : ""));
    fields.AddPainted("signed by", SignersText(item.request));
    Print(fields.Text());
    for (const std::string& line : shown[i].lines) Print("  " + line + "\n");
    if (shown[i].differs)
      Print(Paint(Colour::kBad, "warning") +
            ": the file's own words about this request differ from what is signed, which is "
            "above\n");
    Print("\n");
  }
}

Json ItemsJson(const RequestFile& file, const std::vector<Shown>& shown) {
  Json items = Json::array();
  for (size_t i = 0; i < shown.size(); ++i) {
    const RequestFile::Item& item = file.items[i];
    Json names = Json::array();
    for (const wire::OwnerSignature& signature : item.request.signatures)
      names.push_back(signature.owner);
    items.push_back({{"operation", wire::OpName(static_cast<wire::Op>(item.statement.op))},
                     {"enclave", item.statement.enclave_id},
                     {"serial", ToHex(item.statement.token).substr(0, 16)},
                     {"sequence", item.statement.sequence},
                     {"expires", FormatTime(item.statement.expires)},
                     {"what", shown[i].lines},
                     {"text_differs", shown[i].differs},
                     {"signed_by", names}});
  }
  return items;
}

Result<int> Show(const Options& options, const Globals& globals) {
  KC_ASSIGN(const RequestFile file, ReadRequestFile(options.file));
  KC_ASSIGN(const std::vector<Shown> shown, Look(file));
  if (globals.json) {
    PrintJson({{"token", file.token_label}, {"requests", ItemsJson(file, shown)}});
  } else {
    PrintItems(file, shown);
  }
  return AnyDiffers(shown) ? kExitRefused : kExitOk;
}

Result<Signers> ChooseSigners(const Options& options, const Globals& globals) {
  const auto config = client::LoadClientConfig(globals.config);
  // Whoever signs need not be where the enclave can be reached.
  if (!config.ok() && options.owner.owners.empty()) return config.error();
  KC_ASSIGN(Signers signers,
            Signers::Choose(options.owner, config.ok() ? config->owner : std::nullopt));
  if (signers.empty()) return Fail(Code::kInvalidArgument, "say who signs: --owner NAME=KEY");
  return signers;
}

Status CheckUnsigned(const RequestFile::Item& item, const std::vector<OwnerKey>& keys) {
  for (const wire::OwnerSignature& signature : item.request.signatures) {
    for (const OwnerKey& key : keys) {
      if (key.name() == signature.owner)
        return Fail(Code::kInvalidArgument, key.name() + " has signed it already");
    }
  }
  if (SystemClock().Now() < item.statement.expires) return Done{};
  return Fail(Code::kStatementExpired, FormatTime(item.statement.expires));
}

Result<int> Sign(const Options& options, const Globals& globals) {
  KC_ASSIGN(RequestFile file, ReadRequestFile(options.file));
  KC_ASSIGN(const std::vector<Shown> shown, Look(file));
  if (!globals.json) PrintItems(file, shown);
  if (AnyDiffers(shown))
    return Fail(Code::kStatementInvalid,
                options.file + " was edited: its words differ from what would be signed");
  KC_ASSIGN(Signers signers, ChooseSigners(options, globals));
  if (!options.yes) {
    KC_ASSIGN(const bool sure, Confirm("Sign this?"));
    if (!sure) {
      PrintNote("Nothing was signed.\n");
      return kExitRefused;
    }
  }
  KC_ASSIGN(const std::vector<OwnerKey>* keys, signers.Keys());
  for (RequestFile::Item& item : file.items) {
    KC_CHECK_OK(CheckUnsigned(item, *keys));
    for (const OwnerKey& key : *keys) {
      KC_ASSIGN(Bytes signature, key.Sign(item.request.statement));
      item.request.signatures.push_back({key.name(), std::move(signature)});
    }
  }
  KC_CHECK_OK(ReplaceFile(options.file, AsBytes(PrintRequestFile(file)), kReadable));
  const std::string names = SignersText(file.items.front().request);
  if (globals.json) {
    PrintJson({{"request", options.file}, {"requests", ItemsJson(file, shown)}});
  } else {
    Print(Harmless(options.file) + " is now signed by " + names + ".\n");
  }
  return kExitOk;
}

Result<int> Send(const Options& options, const Globals& globals) {
  return SendRequestFile(options.file, globals);
}

using RequestAction = Result<int> (*)(const Options&, const Globals&);

CLI::App* AddCommand(CLI::App& group, Invocation& invocation, const char* name,
                     const char* description, RequestAction action,
                     const std::shared_ptr<Options>& options) {
  CLI::App* command = group.add_subcommand(name, description);
  command->add_option("file", options->file, "as --out of another command made it")
      ->required()
      ->type_name("FILE");
  command->callback([options, action, &invocation] {
    invocation.action = [options, action, &invocation] {
      return action(*options, invocation.globals);
    };
  });
  return command;
}

}  // namespace

bool IsRequestFile(std::string_view text) {
  return text.find("\"keyclave/request/") != std::string_view::npos;
}

Result<int> SendRequestFile(const std::string& path, const Globals& globals) {
  KC_ASSIGN(const RequestFile file, ReadRequestFile(path));
  KC_ASSIGN(const std::vector<Shown> shown, Look(file));
  KC_ASSIGN(const auto enclave, Enclave::Open(globals));
  for (size_t i = 0; i < file.items.size(); ++i) {
    const auto reply = enclave->Administer(file.items[i].request);
    if (!reply.ok() && i > 0)
      return reply.error().In("request " + std::to_string(i + 1) +
                              " (those before were carried "
                              "out)");
    if (!reply.ok()) return reply.error();
    if (!globals.json) Print("Done: " + shown[i].lines.front() + ".\n");
  }
  if (globals.json) PrintJson({{"carried_out", ItemsJson(file, shown)}});
  return kExitOk;
}

void AddRequest(CLI::App& app, Invocation& invocation) {
  CLI::App* group = app.add_subcommand("request", "requests in files, for several owners to sign");
  group->require_subcommand(1);
  group->footer(
      "Any command that changes a token with owners takes --out FILE. Example, quorum 2:\n"
      "  keyclave policy apply --token edge edge.yaml --owner ops=ops.pem --out r.json\n"
      "  keyclave request sign r.json --owner security=security.pem     (elsewhere)\n"
      "  keyclave request send r.json");
  AddCommand(*group, invocation, "show", "what signatures on it would carry out", Show,
             std::make_shared<Options>());
  auto sign_options = std::make_shared<Options>();
  CLI::App* sign = AddCommand(*group, invocation, "sign", "show it, ask, and add a signature", Sign,
                              sign_options);
  AddOwnerOptions(*sign, sign_options->owner);
  sign->add_flag("--yes", sign_options->yes, "do not ask");
  AddCommand(*group, invocation, "send", "have it carried out", Send, std::make_shared<Options>());
}

}  // namespace keyclave::ctl
