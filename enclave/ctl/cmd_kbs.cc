// keyclave kbs: becomes keyclave-kbs, which lies beside it and brings HTTP.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "enclave/base/file.h"
#include "enclave/ctl/command.h"
#include "enclave/ctl/installation.h"

namespace keyclave::ctl {
namespace {

struct KbsOptions {
  std::string listen;
  std::string token;
  std::string certificate;
  std::string key;
};

Result<int> Kbs(const KbsOptions& options, const Globals& globals) {
  const std::string program = FindInstallation().programs + "/keyclave-kbs";
  if (::access(program.c_str(), X_OK) != 0)
    return Fail(Code::kNotFound, program + ": it comes with its own package, keyclave-kbs");
  std::vector<std::string> words = {program, "--config", globals.config, "--token", options.token};
  if (!options.listen.empty()) words.insert(words.end(), {"--listen", options.listen});
  if (!options.certificate.empty())
    words.insert(words.end(), {"--tls-certificate", options.certificate});
  if (!options.key.empty()) words.insert(words.end(), {"--tls-key", options.key});
  return Become(words, {});
}

}  // namespace

void AddKbs(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<KbsOptions>();
  CLI::App* command =
      app.add_subcommand("kbs", "serve clients of Trustee's Key Broker Service (RCAR)");
  command->add_option("--token", options->token, "the token that has the objects")
      ->required()
      ->type_name("LABEL");
  command
      ->add_option("--listen", options->listen,
                   "HOST:PORT, or unix:/path (default: 127.0.0.1:8080)")
      ->type_name("ADDRESS");
  command->add_option("--tls-certificate", options->certificate, "certificate chain (PEM)")
      ->type_name("FILE");
  command->add_option("--tls-key", options->key, "its key (PEM)")->type_name("FILE");
  command->footer(
      "Passes the evidence of those clients on to the enclave, and back what the enclave "
      "encrypted\n"
      "to their keys (docs/trustee.md). It is trusted with nothing. Runs until SIGTERM.\n"
      "Example: keyclave kbs --token secrets --listen 127.0.0.1:8080");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return Kbs(*options, invocation.globals); };
  });
}

}  // namespace keyclave::ctl
