// keyclave set: reference-value sets: check them offline; list, show and compare those of a token.
#include "enclave/ctl/cmd_set.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "enclave/base/clock.h"
#include "enclave/base/file.h"
#include "enclave/ctl/document_history.h"
#include "enclave/ctl/enclave_link.h"
#include "enclave/ctl/output.h"
#include "enclave/ctl/weakening.h"

namespace keyclave::ctl {
namespace {

constexpr size_t kMaxSet = size_t{1} << 20;  // bytes

struct Options {
  TokenChoice token;
  std::string name;  // or, of check and diff, the file
};

Json EntriesJson(const authz::SetDocument& set) {
  Json entries = Json::array();
  for (const authz::SetDocument::Entry& entry : set.entries()) {
    Json json = {{"value", entry.value}, {"reason", entry.reason}};
    if (entry.not_before) json["not_before"] = FormatTime(*entry.not_before);
    if (entry.not_after) json["not_after"] = FormatTime(*entry.not_after);
    entries.push_back(std::move(json));
  }
  return entries;
}

Result<int> Check(const std::string& path, const Globals& globals) {
  KC_ASSIGN(const SetFile file, ReadSetFile(path));
  const authz::SetDocument& set = file.set;
  const size_t current = set.CountCurrent(SystemClock().Now());
  if (globals.json) {
    PrintJson({{"set", set.name()},
               {"version", set.version()},
               {"digest", ToHex(set.digest())},
               {"current", current},
               {"entries", EntriesJson(set)}});
    return kExitOk;
  }
  Print("Set " + Harmless(set.name()) + ", version " + std::to_string(set.version()) + ", digest " +
        ToHex(set.digest()) + ": " + std::to_string(set.entries().size()) + " entries, " +
        std::to_string(current) + " of which count now.\n");
  Table table({"VALUE", "FROM", "UNTIL", "REASON"});
  for (const authz::SetDocument::Entry& entry : set.entries())
    table.Add({Harmless(entry.value), entry.not_before ? FormatTime(*entry.not_before) : "-",
               entry.not_after ? FormatTime(*entry.not_after) : "-", Harmless(entry.reason)});
  if (!table.empty()) Print(table.Text());
  return kExitOk;
}

Result<int> List(const Options& options, const Globals& globals) {
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, options.token));
  KC_ASSIGN(const wire::TokenInfo token, enclave->Token(options.token.label));
  KC_ASSIGN(const wire::ListSetsReply reply, enclave->Call<wire::Op::kListSets>({token.id}));
  if (globals.json) {
    Json list = Json::array();
    for (const wire::SetInfo& set : reply.sets)
      list.push_back({{"set", set.name},
                      {"version", set.version},
                      {"entries", set.entries},
                      {"current", set.current},
                      {"applied", FormatTime(set.applied)},
                      {"signed_by", set.by},
                      {"digest", ToHex(set.digest)}});
    PrintJson({{"token", token.label}, {"sets", list}});
    return kExitOk;
  }
  Table table({"SET", "VERSION", "ENTRIES", "COUNT NOW", "APPLIED", "DIGEST"});
  for (const wire::SetInfo& set : reply.sets)
    table.Add({Harmless(set.name), std::to_string(set.version), std::to_string(set.entries),
               std::to_string(set.current), FormatTime(set.applied), ToHex(set.digest)});
  Print(table.empty() ? "Token " + Harmless(token.label) + " has no sets.\n" : table.Text());
  return kExitOk;
}

Result<int> Show(const Options& options, const Globals& globals) {
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, options.token));
  KC_ASSIGN(const wire::TokenInfo token, enclave->Token(options.token.label));
  KC_ASSIGN(const wire::ShowSetReply reply,
            enclave->Call<wire::Op::kShowSet>({token.id, options.name}));
  if (!globals.json) {
    Print(reply.text);
    return kExitOk;
  }
  PrintJson({{"set", reply.set.name},
             {"version", reply.set.version},
             {"digest", ToHex(reply.set.digest)},
             {"current", reply.set.current},
             {"signed_by", reply.set.by},
             {"text", reply.text}});
  return kExitOk;
}

Result<int> Diff(const Options& options, const Globals& globals) {
  KC_ASSIGN(const SetFile file, ReadSetFile(options.name));
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, options.token));
  KC_ASSIGN(const wire::TokenInfo token, enclave->Token(options.token.label));
  KC_ASSIGN(const wire::ShowSetReply present,
            enclave->Call<wire::Op::kShowSet>({token.id, file.set.name()}));
  KC_ASSIGN(const authz::SetDocument before,
            authz::SetDocument::Parse(present.text, "present version"));
  const std::vector<std::string> lines = Differences(before, file.set);
  if (globals.json) {
    PrintJson({{"set", before.name()},
               {"from", before.version()},
               {"to", file.set.version()},
               {"differences", lines},
               {"weaker", Weakenings(before, file.set)}});
    return kExitOk;
  }
  for (const std::string& line : lines) Print(Harmless(line) + "\n");
  if (lines.empty()) Print("Both versions hold the same.\n");
  return kExitOk;
}

using SetAction = Result<int> (*)(const Options&, const Globals&);

void AddTokenCommand(CLI::App& group, Invocation& invocation, const char* name,
                     const char* description, SetAction action, const char* argument) {
  auto options = std::make_shared<Options>();
  CLI::App* command = group.add_subcommand(name, description);
  AddTokenOptions(*command, options->token);
  if (argument != nullptr) command->add_option(argument, options->name)->required()->type_name("");
  command->callback([options, action, &invocation] {
    invocation.action = [options, action, &invocation] {
      return action(*options, invocation.globals);
    };
  });
}

void AddHistory(CLI::App& group, Invocation& invocation) {
  auto options = std::make_shared<HistoryOptions>();
  CLI::App* command = group.add_subcommand("history", "the versions of a set, newest first");
  AddHistoryOptions(*command, *options);
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] {
      return ShowHistory(*options, wire::DocumentKind::kSet, invocation.globals);
    };
  });
}

}  // namespace

Result<SetFile> ReadSetFile(const std::string& path) {
  KC_ASSIGN(const Bytes text, ReadFile(path, kMaxSet));
  KC_ASSIGN(authz::SetDocument set, authz::SetDocument::Parse(AsText(text), path));
  return SetFile{std::string(AsText(text)), std::move(set)};
}

void AddSet(CLI::App& app, Invocation& invocation) {
  CLI::App* group = app.add_subcommand("set", "reference-value sets: what policies say in-set of");
  group->require_subcommand(1);
  auto path = std::make_shared<std::string>();
  CLI::App* check = group->add_subcommand("check", "check a set's text, without any enclave");
  check->add_option("file", *path)->required()->type_name("FILE");
  check->callback([path, &invocation] {
    invocation.action = [path, &invocation] { return Check(*path, invocation.globals); };
  });
  AddSetApply(*group, invocation);
  AddSetAdd(*group, invocation);
  AddTokenCommand(*group, invocation, "list", "list a token's sets", List, nullptr);
  AddTokenCommand(*group, invocation, "show", "show a set's text", Show, "name");
  AddTokenCommand(*group, invocation, "diff", "compare a file with the version in force", Diff,
                  "file");
  AddHistory(*group, invocation);
}

}  // namespace keyclave::ctl
