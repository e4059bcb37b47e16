// keyclave-kbs: Trustee's protocol (RCAR) for its clients, as a gateway to the enclave.
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "enclave/client/config.h"
#include "enclave/gateway/process.h"
#include "enclave/kbs/server.h"

namespace {

int Main(int argc, char** argv) {
  keyclave::kbs::Arguments arguments;
  arguments.client = keyclave::client::DefaultConfigPath();
  CLI::App app(
      "keyclave-kbs answers clients of Trustee's Key Broker Service: it passes their evidence on "
      "to "
      "the enclave, and back what the enclave encrypted to their keys.");
  app.add_option("--listen", arguments.listen, "HOST:PORT, or unix:/path")->capture_default_str();
  app.add_option("--token", arguments.token, "label of the token that has the objects")->required();
  app.add_option("--tls-certificate", arguments.tls_certificate, "certificate chain (PEM)");
  app.add_option("--tls-key", arguments.tls_key, "its key (PEM)");
  app.add_option("--config", arguments.client, "client.yaml: where the enclave is")
      ->capture_default_str();
  app.footer("SIGTERM ends it. See docs/trustee.md.");
  app.set_version_flag("--version", "keyclave-kbs " KEYCLAVE_VERSION);
  CLI11_PARSE(app, argc, argv);
  umask(077);
  keyclave::gateway::StartLogging("keyclave-kbs");
  const keyclave::Status status = keyclave::kbs::Serve(arguments);
  if (status.ok()) return 0;
  std::cerr << "keyclave-kbs: " << status.error().Text() << '\n';
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return Main(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "keyclave-kbs: internal error: " << error.what() << "\n";
    return 1;
  }
}
