// keyclave store: look for damage in the enclave's store while it is in use, and give back what it
// does not need.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "enclave/ctl/enclave_link.h"
#include "enclave/ctl/output.h"

namespace keyclave::ctl {
namespace {

struct CheckOptions {
  bool structure = false;
};

struct Checked {
  uint64_t rows = 0;
  std::vector<wire::StoreFinding> findings;
  std::optional<std::string> skipped;

  void Take(wire::CheckStoreReply reply) {
    rows += reply.rows;
    for (wire::StoreFinding& finding : reply.findings) findings.push_back(std::move(finding));
    if (reply.skipped) skipped = std::move(reply.skipped);
  }
};

// One line that is written over, for people who wait.
class ProgressLine {
 public:
  explicit ProgressLine(const Globals& globals)
      : shown_(!globals.json && isatty(STDERR_FILENO) == 1) {}
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  ~ProgressLine() {
    if (shown_) PrintNote("\r\x1b[K");
  }
  void Show(uint64_t rows, uint64_t all) const {
    if (shown_) PrintNote("\r" + std::to_string(rows) + " of " + std::to_string(all) + " rows");
  }

 private:
  const bool shown_;
};

Result<Checked> CheckAll(Enclave& enclave, const CheckOptions& options, const Globals& globals) {
  using wire::StoreStep;
  Checked checked;
  const auto take = [&](const wire::CheckStoreRequest& request) -> Result<wire::CheckStoreReply> {
    KC_ASSIGN(wire::CheckStoreReply reply, enclave.Call<wire::Op::kCheckStore>(request));
    checked.Take(reply);
    return reply;
  };
  const ProgressLine line(globals);
  KC_ASSIGN(wire::CheckStoreReply reply, take({StoreStep::kHead, std::nullopt, false}));
  do {
    KC_ASSIGN(reply, take({StoreStep::kRows, reply.next, false}));
    line.Show(checked.rows, reply.all);
  } while (reply.next.has_value());
  KC_ASSIGN(reply, take({StoreStep::kStructure, std::nullopt, options.structure}));
  return checked;
}

Json CheckedJson(const Checked& checked) {
  Json findings = Json::array();
  for (const wire::StoreFinding& finding : checked.findings) {
    findings.push_back({{"row", finding.row},
                        {"subject", finding.subject},
                        {"what", finding.what},
                        {"mend", finding.mend}});
  }
  return {{"whole", checked.findings.empty()},
          {"rows", checked.rows},
          {"structure_checked", !checked.skipped.has_value()},
          {"findings", findings}};
}

void PrintChecked(const Checked& checked) {
  for (const wire::StoreFinding& finding : checked.findings) {
    Print(Paint(Colour::kBad, "damage") + ": " +
          (finding.row.empty() ? "" : "row " + Harmless(finding.row) + ": ") +
          Harmless(finding.what) +
          (finding.subject.empty() ? "" : " (" + Harmless(finding.subject) + ")") + "\n  -> " +
          Harmless(finding.mend) + "\n");
  }
  if (checked.findings.empty())
    Print(Paint(Colour::kGood, "The store is whole") + ": " + std::to_string(checked.rows) +
          " rows, the head and the witness.\n");
  if (checked.skipped) {
    Print("The file's own structure was " + Paint(Colour::kWarn, "not checked") + ": " +
          Harmless(*checked.skipped) +
          ", and changes would wait. `keyclave store check\n--structure` checks it all the same, "
          "`keyclaved --check-store` with the daemon stopped.\n");
  }
}

Result<int> Check(const CheckOptions& options, const Globals& globals) {
  KC_ASSIGN(const auto enclave, Enclave::Open(globals));
  KC_ASSIGN(const Checked checked, CheckAll(*enclave, options, globals));
  if (globals.json) {
    PrintJson(CheckedJson(checked));
  } else {
    PrintChecked(checked);
  }
  return checked.findings.empty() ? kExitOk : kExitRefused;
}

Json SizeJson(const wire::StoreSize& size) {
  return {{"file", size.store}, {"log", size.log}, {"unused", size.unused}};
}

std::string SizeText(const wire::StoreSize& size) {
  return std::to_string(size.store) + " bytes (" + std::to_string(size.unused) + " unused), log " +
         std::to_string(size.log) + " bytes";
}

Result<int> Compact(const Globals& globals) {
  KC_ASSIGN(const auto enclave, Enclave::Open(globals));
  KC_ASSIGN(const wire::CompactStoreReply reply, enclave->Call<wire::Op::kCompactStore>({}));
  if (globals.json) {
    PrintJson({{"before", SizeJson(reply.before)},
               {"after", SizeJson(reply.after)},
               {"left", reply.left}});
    return kExitOk;
  }
  Fields fields;
  fields.Add("before", SizeText(reply.before));
  fields.Add("after", SizeText(reply.after));
  if (!reply.left.empty()) fields.Add("not rewritten", reply.left);
  Print(fields.Text());
  return kExitOk;
}

}  // namespace

void AddStore(CLI::App& app, Invocation& invocation) {
  CLI::App* group = app.add_subcommand("store", "the enclave's store: check it, compact it");
  group->require_subcommand(1);

  auto options = std::make_shared<CheckOptions>();
  CLI::App* check = group->add_subcommand("check", "look for damage while the enclave goes on");
  check->add_flag("--structure", options->structure,
                  "look at the file's own structure however large it is: changes wait meanwhile");
  check->footer(
      "Opens every row and compares it with what the enclave remembers, and the head with the\n"
      "witness. Exit code 1 if anything is wrong. For operators.\n"
      "Example: keyclave store check --json | jq .findings");
  check->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return Check(*options, invocation.globals); };
  });

  CLI::App* compact = group->add_subcommand("compact", "give back what the store does not need");
  compact->footer(
      "Empties the write-ahead log into the file, and rewrites the file if an eighth of it is\n"
      "free. Changes wait meanwhile. For operators.");
  compact->callback(
      [&invocation] { invocation.action = [&invocation] { return Compact(invocation.globals); }; });
}

}  // namespace keyclave::ctl
