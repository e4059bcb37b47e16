// keyclave: the command line. Parses, does one command, and turns its outcome into an exit code.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>

#include "enclave/client/config.h"
#include "enclave/ctl/command.h"
#include "enclave/ctl/output.h"

namespace {

using namespace keyclave;       // NOLINT(google-build-using-namespace)
using namespace keyclave::ctl;  // NOLINT(google-build-using-namespace)

constexpr const char* kFooter =
    "Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 keyclaved cannot be reached.\n"
    "A first look: keyclave dev -- bash          (a throw-away enclave, gone when bash ends)\n"
    "For keeps:    keyclave init --simulated     (then it prints what to type next)";

void AddGlobals(CLI::App& app, Globals& globals) {
  app.add_flag("--json", globals.json, "print JSON for programs instead of tables for people");
  globals.config = client::DefaultConfigPath();
  app.add_option("--config", globals.config,
                 "the client configuration (KEYCLAVE_CONFIG names another default)")
      ->type_name("FILE")
      ->capture_default_str();
  app.set_version_flag("--version", "keyclave " KEYCLAVE_VERSION);
}

// The words before "--" are ours, those after it belong to a program.
std::vector<std::string> SplitProgram(int argc, char** argv, Globals& globals) {
  std::vector<std::string> own;
  bool ours = true;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (ours && word == "--") {
      ours = false;
    } else {
      (ours ? own : globals.program).push_back(word);
    }
  }
  std::reverse(own.begin(), own.end());  // as CLI11 takes them
  return own;
}

int ReportUsage(const CLI::App& app, const CLI::ParseError& error, bool json) {
  if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
  const std::vector<std::string> unknown = app.remaining(/*recurse=*/true);
  const std::string what =
      unknown.empty() ? error.what() : "there is no command or option " + unknown.front() + " here";
  PrintError(Fail(Code::kInvalidArgument, what), json);
  if (!json) std::cerr << "See: keyclave --help, or --help after the command.\n";
  return kExitUsage;
}

int Main(int argc, char** argv) {
  CLI::App app("Keyclave keeps private keys in an enclave, for callers that prove what they are.",
               "keyclave");
  Invocation invocation;
  app.fallthrough();
  app.require_subcommand(1);
  AddGlobals(app, invocation.globals);
#define KEYCLAVE_COMMAND(name) Add##name(app, invocation);
#include "enclave/ctl/commands.inc"
#undef KEYCLAVE_COMMAND
  app.footer(kFooter);  // last, or every command would end with it
  std::vector<std::string> words = SplitProgram(argc, argv, invocation.globals);
  try {
    app.parse(words);
  } catch (const CLI::ParseError& error) {
    const bool json = std::find(words.begin(), words.end(), "--json") != words.end();
    return ReportUsage(app, error, json || invocation.globals.json);
  }
  const Globals& globals = invocation.globals;
  if (!globals.program.empty() && !invocation.takes_program) {
    PrintError(Fail(Code::kInvalidArgument, "this command takes no program after --"),
               globals.json);
    return kExitUsage;
  }
  if (!invocation.action) return kExitUsage;
  const Result<int> outcome = invocation.action();
  std::cout.flush();
  if (outcome.ok()) return *outcome;
  PrintError(outcome.error(), globals.json);
  return ExitCodeOf(outcome.code());
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return Main(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "keyclave: internal error: " << error.what() << "\n";
    return kExitRefused;
  }
}
