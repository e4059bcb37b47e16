// keyclaved: arguments -> configuration -> set up -> drop privileges -> serve.

#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "enclave/daemon/daemon.h"
#include "enclave/daemon/process.h"
#include "enclave/keys/object_store.h"

namespace keyclave {
namespace {

struct Arguments {
  std::string config = "/etc/keyclave/keyclaved.yaml";
  bool init = false;
  bool verbose = false;
};

Status Run(const Arguments& arguments) {
  umask(077);
  daemon::StartLogging(arguments.verbose ? LogLevel::kDebug : LogLevel::kInfo);
  KC_ASSIGN(config::DaemonConfig config, config::LoadDaemonConfig(arguments.config));
  if (arguments.init) return keys::InitState(config.state);
  const SystemClock clock;
  KC_ASSIGN(const std::unique_ptr<daemon::Daemon> keyclaved,
            daemon::Daemon::SetUp(std::move(config), clock));
  KC_CHECK_OK(keyclaved->Drop());
  return keyclaved->Serve();
}

}  // namespace
}  // namespace keyclave

int main(int argc, char** argv) {
  keyclave::Arguments arguments;
  CLI::App app(
      "keyclaved holds keys inside an enclave and uses them for callers that prove what they are.");
  app.add_option("--config", arguments.config, "configuration file")->capture_default_str();
  app.add_flag("--init", arguments.init,
               "make the state (root secret, empty store, witness) and exit");
  app.add_flag("--verbose", arguments.verbose, "log refused requests with their reasons");
  app.set_version_flag("--version", KEYCLAVE_VERSION);
  CLI11_PARSE(app, argc, argv);
  const keyclave::Status status = keyclave::Run(arguments);
  if (status.ok()) return 0;
  std::cerr << "keyclaved: " << status.error().Text() << '\n';
  return 1;
}
