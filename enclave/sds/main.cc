// keyclave-sds: Envoy's Secret Discovery Service, with leaf keys of its own and certificates of the
// enclave's CAs.
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "enclave/client/config.h"
#include "enclave/gateway/process.h"
#include "enclave/sds/server.h"

namespace {

int Main(int argc, char** argv) {
  keyclave::sds::Arguments arguments;
  arguments.client = keyclave::client::DefaultConfigPath();
  CLI::App app(
      "keyclave-sds gives Envoy its certificates: short-lived keys, made in memory for processes "
      "that the configuration names, with certificates that a CA in the enclave issues.");
  bool check = false;
  app.add_option("--sds-config", arguments.config, "who may have which secrets (sds.yaml)")
      ->capture_default_str();
  app.add_option("--config", arguments.client, "client.yaml, where sds.yaml names none")
      ->capture_default_str();
  app.add_flag("--check", check, "only read the configuration, and say what is wrong with it");
  app.footer("SIGHUP reads sds.yaml again; SIGTERM ends it. See docs/servers/envoy.md.");
  app.set_version_flag("--version", "keyclave-sds " KEYCLAVE_VERSION);
  CLI11_PARSE(app, argc, argv);
  umask(077);
  keyclave::gateway::StartLogging("keyclave-sds");
  keyclave::Status status = keyclave::Done{};
  if (check) {
    const auto config = keyclave::sds::LoadSdsConfig(arguments.config);
    if (!config.ok()) status = config.error();
  } else {
    status = keyclave::sds::Serve(arguments);
  }
  if (status.ok()) return 0;
  std::cerr << "keyclave-sds: " << status.error().Text() << '\n';
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return Main(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "keyclave-sds: internal error: " << error.what() << "\n";
    return 1;
  }
}
