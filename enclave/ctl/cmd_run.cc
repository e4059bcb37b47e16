// keyclave run: becomes a program that finds the provider and the module configured.
#include <CLI/CLI.hpp>
#include <memory>

#include "enclave/ctl/enclave_link.h"
#include "enclave/ctl/installation.h"

namespace keyclave::ctl {
namespace {

struct Options {
  std::string token;
  std::string openssl_config;
};

Result<int> Run(const Options& options, const Globals& globals) {
  if (globals.program.empty()) {
    return Fail(Code::kInvalidArgument, "say what to run: keyclave run -- nginx -g 'daemon off;'");
  }
  // A configuration that does not load would show up as a strange error in the program's own log.
  KC_ASSIGN(const client::ClientConfig config, client::LoadClientConfig(globals.config));
  const std::string openssl_config = options.openssl_config.empty()
                                         ? DirectoryOf(globals.config) + "/openssl.cnf"
                                         : options.openssl_config;
  KC_ASSIGN(const Environment environment,
            ProgramEnvironment(FindInstallation(), globals.config, openssl_config, options.token));
  return Become(globals.program, environment);
}

}  // namespace

void AddRun(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("run", "run a program with the provider and module configured");
  AddTokenLabel(*command, options->token);
  command
      ->add_option("--openssl-conf", options->openssl_config,
                   "the OpenSSL configuration (default: openssl.cnf beside client.yaml)")
      ->type_name("FILE");
  command->footer(
      "Sets KEYCLAVE_CONFIG, OPENSSL_CONF, KEYCLAVE_PKCS11_MODULE, KEYCLAVE_PROVIDER and\n"
      "KEYCLAVE_TOKEN, then becomes the program. Examples:\n"
      "  keyclave run -- nginx -g 'daemon off;'\n"
      "  keyclave run -- openssl pkey -in 'pkcs11:token=edge;object=www' -pubout");
  command->callback([options, &invocation] {
    invocation.takes_program = true;
    invocation.action = [options, &invocation] { return Run(*options, invocation.globals); };
  });
}

}  // namespace keyclave::ctl
