// A command of `keyclave`: one file cmd_NAME.cc that defines AddNAME, and one line in commands.inc.
//
// AddNAME puts its subcommand (and theirs) into the parser with the help that a stranger needs;
// when the parser chose one, the subcommand's callback stores what to do in Invocation::action.
// Nothing is done while parsing.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "enclave/base/result.h"

namespace CLI {
class App;  // CLI11's; who builds a parser includes <CLI/CLI.hpp>
}

namespace keyclave::ctl {

// Exit codes, the same for every command.
inline constexpr int kExitOk = 0;
inline constexpr int kExitRefused = 1;  // refused, failed, or a check that found something
inline constexpr int kExitUsage = 2;
inline constexpr int kExitUnreachable = 3;

// What every command understands.
struct Globals {
  bool json = false;
  std::string config;                // client.yaml
  std::vector<std::string> program;  // what stood after "--"
};

// The value is the exit code: a finding (a policy with warnings, a program's own code) is no Error.
using Action = std::function<Result<int>()>;

struct Invocation {
  Globals globals;
  Action action;
  bool takes_program = false;  // whether the chosen command runs what stands after "--"
};

#define KEYCLAVE_COMMAND(name) void Add##name(CLI::App& app, Invocation& invocation);
#include "enclave/ctl/commands.inc"
#undef KEYCLAVE_COMMAND

// The exit code that stands for an error.
int ExitCodeOf(Code code);

}  // namespace keyclave::ctl
