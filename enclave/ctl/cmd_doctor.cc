// keyclave doctor: finds what is wrong, and says how to mend it.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "enclave/ctl/doctor.h"
#include "enclave/ctl/output.h"

namespace keyclave::ctl {
namespace {

std::string_view Word(Severity severity) {
  switch (severity) {
    case Severity::kOk: return "ok";
    case Severity::kNote: return "note";
    case Severity::kWarning: return "warning";
    case Severity::kProblem: return "problem";
  }
  return "";
}

Colour ColourOf(Severity severity) {
  switch (severity) {
    case Severity::kOk: return Colour::kGood;
    case Severity::kNote: return Colour::kDim;
    case Severity::kWarning: return Colour::kWarn;
    case Severity::kProblem: return Colour::kBad;
  }
  return Colour::kNone;
}

std::string CodeText(const Finding& finding) { return "KD" + std::to_string(finding.number); }

void PrintFindings(const Findings& findings) {
  Table table({"CODE", "RESULT", "WHAT"});
  for (const Finding& finding : findings) {
    const std::string word(Word(finding.severity));
    table.Add({CodeText(finding), Paint(ColourOf(finding.severity), word), Harmless(finding.what)});
    if (!finding.mend.empty()) table.Add({"", "", "-> " + Harmless(finding.mend)});
  }
  Print(table.Text());
}

struct Options {
  std::string key;
  std::string certificate;
};

Result<int> Doctor(const Options& options, const Globals& globals) {
  Findings findings;
  if (const auto config = CheckClientConfig(globals.config, findings)) {
    CheckEnclave(*config, findings);
    CheckOwnEvidence(*config, findings);
  }
  CheckModules(globals.config, findings);
  CheckDaemonFiles(globals.config, findings);
  if (!options.key.empty()) CheckKey(globals, options.key, options.certificate, findings);
  const auto problems = std::count_if(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.severity == Severity::kProblem;
  });
  if (globals.json) {
    Json list = Json::array();
    for (const Finding& finding : findings) {
      list.push_back({{"code", CodeText(finding)},
                      {"result", std::string(Word(finding.severity))},
                      {"what", finding.what},
                      {"mend", finding.mend}});
    }
    PrintJson({{"healthy", problems == 0}, {"findings", list}});
  } else {
    PrintFindings(findings);
    Print(problems == 0
              ? Paint(Colour::kGood, "\nNothing is wrong.\n")
              : "\n" + Paint(Colour::kBad, std::to_string(problems) + " problems") + "\n");
  }
  return problems == 0 ? kExitOk : kExitRefused;
}

}  // namespace

void AddDoctor(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("doctor", "find what is wrong here, and how to mend it");
  CLI::Option* key = command->add_option("--key", options->key,
                                         "also this key: a server's reference file, or a URI");
  key->type_name("FILE");
  command
      ->add_option("--certificate", options->certificate, "the certificate that it is served with")
      ->type_name("FILE")
      ->needs(key);
  command->footer(
      "Exit code 1 if there is a problem. Checks the configuration, the socket and the\n"
      "channel, evidence, the clock, the modules and OpenSSL's configuration (OPENSSL_CONF,\n"
      "or openssl.cnf beside client.yaml), and the daemon's files. With --key what stands\n"
      "between a server and that key, too.");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return Doctor(*options, invocation.globals); };
  });
}

}  // namespace keyclave::ctl
