// Where the parts of Keyclave are, seen from the running `keyclave`: a build tree (bin/ beside
// lib/) or an installed system.
#pragma once

#include <string>

#include "enclave/ctl/process.h"

namespace keyclave::ctl {

struct Installation {
  std::string programs;       // directory of keyclave itself
  std::string daemon;         // keyclaved; empty if it is not found
  std::string provider;       // keyclave.so for OpenSSL; empty if it is not found
  std::string pkcs11_module;  // keyclave-pkcs11.so; empty if it is not found
};
Installation FindInstallation();
// Whether a shell finds keyclave and keyclaved by their names.
bool IsInPath(const Installation& installation);

// Directories and file names of one configured enclave.
struct Places {
  std::string config_dir;
  std::string state_dir;
  std::string socket;

  std::string DaemonConfig() const { return config_dir + "/keyclaved.yaml"; }
  std::string ClientConfig() const { return config_dir + "/client.yaml"; }
  std::string DefaultPolicy() const { return config_dir + "/default-policy.yaml"; }
  std::string SimulatedKey() const { return config_dir + "/simulated-root.key"; }
  std::string SimulatedRoot() const { return config_dir + "/simulated-root.pub"; }
  std::string OpensslConfig() const { return config_dir + "/openssl.cnf"; }
  std::string P11KitModule() const { return config_dir + "/keyclave.module"; }
};
// The directory that a client.yaml lies in.
std::string DirectoryOf(const std::string& file);

// An openssl.cnf that activates `default` and `keyclave`, and keeps what the system's own one says
// otherwise.
std::string OpensslConfigText(const std::string& provider);

// What a program needs to use the enclave of this client.yaml: KEYCLAVE_CONFIG, OPENSSL_CONF,
// KEYCLAVE_PKCS11_MODULE, KEYCLAVE_PROVIDER, KEYCLAVE_TOKEN (if `token` is not empty). kNotFound
// names the missing part.
Result<Environment> ProgramEnvironment(const Installation& installation,
                                       const std::string& client_config,
                                       const std::string& openssl_config, const std::string& token);

// The words as one line for a shell: quoted where needed.
std::string ShellQuote(const std::string& word);

}  // namespace keyclave::ctl
