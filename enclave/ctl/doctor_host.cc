// The doctor's checks of what lies on this machine: modules, OpenSSL's configuration, the daemon's
// files.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "enclave/config/daemon_config.h"
#include "enclave/ctl/doctor.h"
#include "enclave/ctl/installation.h"

namespace keyclave::ctl {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kOthers = S_IRWXG | S_IRWXO;

void CheckFile(int number, const std::string& what, const std::string& path, Findings& findings) {
  if (path.empty()) {
    findings.push_back({number, Severity::kProblem, what + " is not installed beside keyclave",
                        "install it, or build it: ./run build"});
  } else if (access(path.c_str(), R_OK) != 0) {
    findings.push_back({number, Severity::kProblem, path + " cannot be read by this user",
                        "chmod a+r " + path + ", and let users reach its directory"});
  } else {
    findings.push_back({number, Severity::kOk, what + " " + path, ""});
  }
}

// What `openssl list -providers` says: whether a provider of this name is active.
bool IsActive(const std::string& listing, const std::string& name) {
  const size_t at = listing.find("\n  " + name + "\n");
  if (at == std::string::npos) return false;
  const size_t status = listing.find("    status: ", at);
  return status != std::string::npos && listing.substr(status + 12, 6) == "active";
}

// OpenSSL says what it makes of the configuration, as every program that uses it will find it.
void CheckOpenssl(const std::string& config, const std::string& client_config, Findings& findings) {
  if (access(config.c_str(), R_OK) != 0) {
    findings.push_back({502, Severity::kProblem, "no OpenSSL configuration at " + config,
                        "keyclave init writes one; OPENSSL_CONF names yours"});
    return;
  }
  const auto listed = RunCaptured({"openssl", "list", "-providers"},
                                  {{"OPENSSL_CONF", config}, {"KEYCLAVE_CONFIG", client_config}});
  if (!listed.ok()) {
    findings.push_back({503, Severity::kNote,
                        "the openssl program is not here: its configuration "
                        "was not tried",
                        "apt-get install openssl"});
    return;
  }
  const bool provider = IsActive(listed->output, "keyclave");
  const bool standard = IsActive(listed->output, "default");
  if (listed->code != 0 || !provider) {
    findings.push_back(
        {504, Severity::kProblem,
         "OpenSSL with " + config + " has no provider keyclave: " + Tail(listed->output, 2),
         "its section needs module = /absolute/path/keyclave.so and activate = 1"});
  }
  if (listed->code == 0 && !standard) {
    findings.push_back({505, Severity::kProblem,
                        "OpenSSL with " + config +
                            " has no provider default: nothing but keyclave's "
                            "keys will work",
                        "name default beside keyclave, with activate = 1: an active provider "
                        "switches it off otherwise"});
  }
  // Listings are sorted by name: which one comes first shows where both could make a key.
  const auto made =
      RunCaptured({"openssl", "genpkey", "-algorithm", "ED25519", "-out", "/dev/null"},
                  {{"OPENSSL_CONF", config}, {"KEYCLAVE_CONFIG", client_config}});
  if (provider && standard && made.ok() && made->code != 0) {
    findings.push_back({506, Severity::kProblem,
                        "OpenSSL with " + config +
                            " makes no keys of its own, which TLS needs: keyclave stands before "
                            "default",
                        "name default before keyclave in the list of providers"});
  } else if (provider && standard) {
    findings.push_back({504, Severity::kOk,
                        "OpenSSL with " + config + " loads keyclave, with default beside it", ""});
  }
}

std::string Octal(mode_t mode) {
  std::string text = "0";
  for (unsigned shift = 9; shift > 0; shift -= 3) {
    text += static_cast<char>('0' + (mode >> (shift - 3) & 7U));
  }
  return text;
}

void CheckMode(int number, const std::string& path, mode_t forbidden, const std::string& mend,
               Findings& findings) {
  struct stat found {};
  if (lstat(path.c_str(), &found) != 0 || (found.st_mode & forbidden) == 0) return;
  findings.push_back(
      {number, Severity::kProblem,
       path + " is open to others than its owner (mode " + Octal(found.st_mode) + ")",
       mend + " " + path});
}

void CheckState(const config::DaemonConfig& config, Findings& findings) {
  std::error_code error;
  if (!fs::is_directory(config.state, error)) {
    findings.push_back({601, Severity::kProblem, "no state directory " + config.state,
                        "keyclaved --config FILE --init makes it"});
    return;
  }
  const size_t before = findings.size();
  CheckMode(602, config.state, kOthers, "chmod 0700", findings);
  for (const auto& entry : fs::directory_iterator(config.state, error)) {
    CheckMode(603, entry.path(), kOthers, "chmod go-rwx", findings);
  }
  if (findings.size() == before) {
    findings.push_back({601, Severity::kOk, "state " + config.state, ""});
  }
}

}  // namespace

void CheckModules(const std::string& config_path, Findings& findings) {
  const Installation installation = FindInstallation();
  CheckFile(500, "PKCS#11 module", installation.pkcs11_module, findings);
  CheckFile(501, "OpenSSL provider", installation.provider, findings);
  const char* chosen = getenv("OPENSSL_CONF");
  const bool is_chosen = chosen != nullptr && *chosen != '\0';
  CheckOpenssl(is_chosen ? chosen : DirectoryOf(config_path) + "/openssl.cnf", config_path,
               findings);
}

void CheckDaemonFiles(const std::string& config_path, Findings& findings) {
  const std::string path = DirectoryOf(config_path) + "/keyclaved.yaml";
  std::error_code error;
  if (!fs::exists(path, error)) {
    findings.push_back(
        {600, Severity::kNote,
         "no keyclaved.yaml beside " + config_path + ": the daemon was not looked at", ""});
    return;
  }
  CheckMode(604, path, S_IWGRP | S_IWOTH, "chmod go-w", findings);
  const auto config = config::LoadDaemonConfig(path);
  if (!config.ok()) {
    findings.push_back({600, Severity::kProblem, config.error().Text(), "mend that line"});
    return;
  }
  findings.push_back({600, Severity::kOk, "daemon configuration " + path, ""});
  const bool may_look = geteuid() == 0 || access(config->state.c_str(), R_OK | X_OK) == 0;
  if (may_look) {
    CheckState(*config, findings);
  } else {
    findings.push_back({601, Severity::kNote,
                        "this user cannot look into " + config->state + " (as it should be)", ""});
  }
}

}  // namespace keyclave::ctl
