// keyclave audit: read the enclave's audit log, and check a copy of it offline.
#include "enclave/ctl/cmd_audit.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>

#include "enclave/audit/line.h"
#include "enclave/audit/verify.h"
#include "enclave/base/file.h"
#include "enclave/ctl/enclave_link.h"
#include "enclave/ctl/key_file.h"
#include "enclave/ctl/output.h"

namespace keyclave::ctl {
namespace {

constexpr uint64_t kPage = 1000;              // lines
constexpr size_t kMaxFile = size_t{1} << 30;  // bytes
constexpr std::string_view kPublicKey = "PUBLIC KEY";

struct ShowOptions {
  TokenChoice token;
  uint64_t from = 1;
  uint64_t limit = 0;  // 0: all
};

struct ExportOptions {
  TokenChoice token;
  uint64_t from = 1;
  uint64_t to = UINT64_MAX;
  std::string out;
};

struct VerifyOptions {
  std::string path;
  std::string key_file;
  bool from_checkpoint = false;
  std::vector<std::string> expected;
};

// "7  2026-…Z  denial  operation=sign …": the chain's own members are left out, and what is too
// long to read (--json has it).
std::string LineText(const std::string& line) {
  const Json record = Json::parse(line, nullptr, false);
  // A NUL would end the text for the parser, whatever follows it.
  if (!record.is_object() || line.find('\0') != std::string::npos) return Harmless(line) + "\n";
  const auto member = [&](const char* name) {
    const auto found = record.find(name);
    if (found == record.end()) return std::string("?");
    return Harmless(found->is_string() ? found->get<std::string>() : found->dump());
  };
  const std::string event = member("event");
  const Colour colour = event == "denial" ? Colour::kBad : Colour::kBold;
  std::string text = member("seq") + "  " + member("time") + "  " + Paint(colour, event);
  for (const auto& [name, value] : record.items()) {
    const bool shown = name == "seq" || name == "time" || name == "event" || name == "prev" ||
                       name == "hash" || name == "signature" || name == "claims" ||
                       name == "evidence" || name == "policy_digest";
    if (!shown) {
      text += "  " + Harmless(name) + "=" +
              Harmless(value.is_string() ? value.get<std::string>() : value.dump());
    }
  }
  return text + "\n";
}

Result<uint64_t> SequenceOf(const std::string& line) {
  KC_ASSIGN(const audit::Line parsed, audit::ParseLine(line));
  return parsed.sequence;
}

// Calls `take` with each line from `from` on, oldest first, until it answers false.
Status ForEachRecord(Enclave& enclave, uint64_t from, uint64_t limit,
                     const std::function<Result<bool>(const std::string&)>& take) {
  uint64_t next = from;
  uint64_t left = limit;
  while (left > 0) {
    KC_ASSIGN(const wire::ReadAuditReply reply,
              enclave.Call<wire::Op::kReadAudit>({next, std::min(kPage, left)}));
    for (const std::string& line : reply.lines) {
      KC_ASSIGN(const bool more, take(line));
      if (!more) return Done{};
      KC_ASSIGN(next, SequenceOf(line));
      ++next;
    }
    left -= std::min<uint64_t>(left, reply.lines.size());
    if (!reply.more || reply.lines.empty()) break;
  }
  return Done{};
}

// Owners and auditors are those of a token; operators need to name none.
Result<std::unique_ptr<Enclave>> OpenFor(const TokenChoice& choice, const Globals& globals) {
  KC_ASSIGN(std::unique_ptr<Enclave> enclave, Enclave::Open(globals, choice));
  if (!enclave->signers().empty()) {
    const auto token = enclave->Token(choice.label);
    if (!token.ok() && !choice.label.empty()) return token.error();
  }
  return enclave;
}

Result<int> Show(const ShowOptions& options, const Globals& globals) {
  KC_ASSIGN(const auto enclave, OpenFor(options.token, globals));
  const uint64_t limit = options.limit == 0 ? UINT64_MAX : options.limit;
  KC_CHECK_OK(
      ForEachRecord(*enclave, options.from, limit, [&](const std::string& line) -> Result<bool> {
        // For programs the lines as they are: one JSON object each, fit for `audit verify`.
        Print(globals.json ? line + "\n" : LineText(line));
        return true;
      }));
  return kExitOk;
}

Result<int> Export(const ExportOptions& options, const Globals& globals) {
  KC_ASSIGN(const auto enclave, OpenFor(options.token, globals));
  std::ofstream file;
  if (!options.out.empty()) {
    file.open(options.out, std::ios::binary | std::ios::trunc);
    if (!file) return ErrnoError(options.out);
  }
  uint64_t records = 0;
  KC_CHECK_OK(ForEachRecord(*enclave, options.from, UINT64_MAX,
                            [&](const std::string& line) -> Result<bool> {
                              KC_ASSIGN(const uint64_t sequence, SequenceOf(line));
                              if (sequence > options.to) return false;
                              ++records;
                              if (options.out.empty()) {
                                Print(line + "\n");
                              } else if (!(file << line << '\n')) {
                                return ErrnoError(options.out);
                              }
                              return true;
                            }));
  if (options.out.empty()) return kExitOk;
  file.close();
  if (!file) return ErrnoError(options.out);
  if (globals.json) {
    PrintJson({{"file", options.out}, {"records", records}});
  } else {
    Print("Wrote " + std::to_string(records) + " records to " + Harmless(options.out) + ".\n");
  }
  return kExitOk;
}

// What the log had come to, for `verify --expect`.
Result<int> Head(const TokenChoice& choice, const Globals& globals) {
  KC_ASSIGN(const auto enclave, OpenFor(choice, globals));
  KC_ASSIGN(const wire::AuditHeadReply reply, enclave->Call<wire::Op::kAuditHead>({}));
  KC_ASSIGN(const wire::StatusReply status, enclave->Call<wire::Op::kStatus>({}));
  KC_ASSIGN(const audit::Line line, audit::ParseLine(reply.line));
  const std::string mark = audit::MarkText({line.sequence, line.hash});
  if (globals.json) {
    PrintJson({{"enclave", status.enclave_id},
               {"head", mark},
               {"checkpoint", Json::parse(reply.line, nullptr, false)},
               {"key", ToPem(kPublicKey, status.audit_key)}});
  } else {
    Print(mark + "\n");
  }
  return kExitOk;
}

Result<int> Key(const std::string& out, const Globals& globals) {
  KC_ASSIGN(const auto enclave, Enclave::Open(globals));
  KC_ASSIGN(const wire::StatusReply status, enclave->Call<wire::Op::kStatus>({}));
  const std::string pem = ToPem(kPublicKey, status.audit_key);
  if (!out.empty()) KC_CHECK_OK(ReplaceFile(out, AsBytes(pem), 0644));
  if (globals.json) {
    PrintJson({{"enclave", status.enclave_id}, {"pem", pem}, {"file", out}});
  } else {
    Print(out.empty() ? pem : "Wrote " + Harmless(out) + ".\n");
  }
  return kExitOk;
}

// The lines of a file, or of a directory's files in the order of their names.
Result<std::vector<std::string>> ReadLines(const std::string& path) {
  std::vector<std::string> files = {path};
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    files.clear();
    for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
      if (entry.is_regular_file(error)) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    if (files.empty()) return Fail(Code::kNotFound, path + " holds no audit file");
  }
  std::vector<std::string> lines;
  for (const std::string& file : files) {
    KC_ASSIGN(const Bytes content, ReadFile(file, kMaxFile));
    std::string_view rest = AsText(content);
    while (!rest.empty()) {
      const size_t end = std::min(rest.find('\n'), rest.size());
      lines.emplace_back(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  return lines;
}

Result<int> Verify(const VerifyOptions& options, const Globals& globals) {
  Bytes key;
  if (!options.key_file.empty()) {
    KC_ASSIGN(key, ReadPublicKey(options.key_file));
  }
  audit::VerifyRules rules{
      .public_key = key, .from_checkpoint = options.from_checkpoint, .expected = {}};
  for (const std::string& text : options.expected) {
    KC_ASSIGN(rules.expected.emplace_back(), audit::ParseMark(text));
  }
  KC_ASSIGN(const std::vector<std::string> lines, ReadLines(options.path));
  KC_ASSIGN(const audit::VerifyReport report, audit::VerifyAuditLines(lines, rules));
  if (globals.json) {
    PrintJson({{"whole", true},
               {"records", report.records},
               {"first", report.first},
               {"last", report.last.sequence},
               {"checkpoints", report.checkpoints},
               {"unsigned_tail", report.unsigned_tail},
               {"expected", rules.expected.size()},
               {"signatures_checked", !key.empty()}});
    return kExitOk;
  }
  Print(Paint(Colour::kGood, "The chain is whole") + ": records " + std::to_string(report.first) +
        " to " + std::to_string(report.last.sequence) + ", " + std::to_string(report.checkpoints) +
        " signed checkpoints; " + std::to_string(report.unsigned_tail) +
        " records after the last one.\n");
  if (key.empty()) {
    Print("Signatures were " + Paint(Colour::kWarn, "not checked") +
          ": whoever wrote the file could have made the whole chain. Get the key with `keyclave\n"
          "audit key --out audit.pem` from the enclave, and say --key audit.pem.\n");
  }
  return kExitOk;
}

void AddExport(CLI::App& group, Invocation& invocation) {
  auto options = std::make_shared<ExportOptions>();
  CLI::App* command = group.add_subcommand("export", "write records as JSON lines, oldest first");
  AddTokenLabel(*command, options->token.label);
  AddOwnerOptions(*command, options->token.owner);
  command->add_option("--from", options->from, "the first sequence number")->capture_default_str();
  command->add_option("--to", options->to, "the last sequence number (default: the newest)");
  command->add_option("--out", options->out, "the file (default: standard output)")
      ->type_name("FILE");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return Export(*options, invocation.globals); };
  });
}

void AddVerify(CLI::App& group, Invocation& invocation) {
  auto verify_options = std::make_shared<VerifyOptions>();
  CLI::App* verify = group.add_subcommand("verify", "check a copy of the log, without any enclave");
  verify->add_option("path", verify_options->path, "the file, or the directory of files")
      ->required()
      ->type_name("FILE|DIR");
  verify
      ->add_option("--key", verify_options->key_file,
                   "the enclave's audit key (keyclave audit key)")
      ->type_name("FILE");
  verify->add_flag("--from-checkpoint", verify_options->from_checkpoint,
                   "the copy may begin at a checkpoint, as each file does: older files were "
                   "deleted");
  verify
      ->add_option("--expect", verify_options->expected,
                   "what `keyclave audit head` printed earlier must be in it (repeatable)")
      ->type_name("NUMBER:HASH");
  verify->footer(
      "Finds lines that were edited, removed, doubled or put elsewhere. A tail that was cut off "
      "shows\n"
      "only with --expect. Example:\n"
      "  keyclave audit key --out audit.pem\n"
      "  keyclave audit verify /var/lib/keyclave/audit --key audit.pem");
  verify->callback([verify_options, &invocation] {
    invocation.action = [verify_options, &invocation] {
      return Verify(*verify_options, invocation.globals);
    };
  });
}

}  // namespace

void AddAudit(CLI::App& app, Invocation& invocation) {
  CLI::App* group = app.add_subcommand("audit", "the record of grants, denials and changes");
  group->require_subcommand(1);

  auto show_options = std::make_shared<ShowOptions>();
  CLI::App* show = group->add_subcommand("show", "show records, oldest first");
  AddTokenLabel(*show, show_options->token.label);
  AddOwnerOptions(*show, show_options->token.owner);
  show->add_option("--from", show_options->from, "the first sequence number")
      ->capture_default_str();
  show->add_option("--limit", show_options->limit, "how many (default: all)");
  show->footer(
      "With --json the lines are printed as they are: a copy that `audit verify` takes.\n"
      "Example: keyclave audit show --json > copy.jsonl");
  show->callback([show_options, &invocation] {
    invocation.action = [show_options, &invocation] {
      return Show(*show_options, invocation.globals);
    };
  });

  auto out = std::make_shared<std::string>();
  CLI::App* key = group->add_subcommand("key", "print the public key that signs checkpoints");
  key->add_option("--out", *out, "the PEM file (default: standard output)")->type_name("FILE");
  key->callback([out, &invocation] {
    invocation.action = [out, &invocation] { return Key(*out, invocation.globals); };
  });

  AddAuditReceipt(*group, invocation);
  CLI::App* head =
      group->add_subcommand("head", "print what the log has come to: NUMBER:HASH of a checkpoint");
  head->footer(
      "Keep it somewhere else: `audit verify --expect` then finds a log whose end was cut off.");
  auto head_token = std::make_shared<TokenChoice>();
  AddTokenLabel(*head, head_token->label);
  AddOwnerOptions(*head, head_token->owner);
  head->callback([head_token, &invocation] {
    invocation.action = [head_token, &invocation] { return Head(*head_token, invocation.globals); };
  });

  AddExport(*group, invocation);
  AddVerify(*group, invocation);
}

}  // namespace keyclave::ctl
