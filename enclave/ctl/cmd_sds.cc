// keyclave sds: becomes keyclave-sds, which lies beside it and brings gRPC.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "enclave/base/file.h"
#include "enclave/ctl/command.h"
#include "enclave/ctl/installation.h"

namespace keyclave::ctl {
namespace {

struct SdsOptions {
  std::string config;
  bool check = false;
};

Result<int> Sds(const SdsOptions& options, const Globals& globals) {
  const std::string program = FindInstallation().programs + "/keyclave-sds";
  if (::access(program.c_str(), X_OK) != 0)
    return Fail(Code::kNotFound, program + ": it comes with its own package, keyclave-sds");
  std::vector<std::string> words = {program, "--config", globals.config};
  if (!options.config.empty()) words.insert(words.end(), {"--sds-config", options.config});
  if (options.check) words.emplace_back("--check");
  return Become(words, {});
}

}  // namespace

void AddSds(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<SdsOptions>();
  CLI::App* command =
      app.add_subcommand("sds", "serve Envoy's certificates (Secret Discovery Service)");
  command
      ->add_option("--sds-config", options->config,
                   "who may have which secrets (default: /etc/keyclave/sds.yaml)")
      ->type_name("FILE");
  command->add_flag("--check", options->check,
                    "only read that file, and say what is wrong with it");
  command->footer(
      "Makes short-lived keys in memory, has their certificates issued by a CA in the enclave, "
      "and\n"
      "gives both to processes that its file names by user and executable "
      "(docs/servers/envoy.md).\n"
      "Runs until SIGTERM; SIGHUP reads the file again.");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return Sds(*options, invocation.globals); };
  });
}

}  // namespace keyclave::ctl
