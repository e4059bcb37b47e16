// What `keyclave doctor` looks at: each check adds findings; cmd_doctor.cc runs them and prints.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "enclave/client/config.h"
#include "enclave/ctl/command.h"

namespace keyclave::ctl {

enum class Severity { kOk, kNote, kWarning, kProblem };

struct Finding {
  int number = 0;  // stable: KD200; hundreds belong to one check
  Severity severity = Severity::kOk;
  std::string what;
  std::string mend;  // empty where there is nothing to do
};
using Findings = std::vector<Finding>;

// KD1xx: client.yaml is there, valid, and nobody else can change it.
std::optional<client::ClientConfig> CheckClientConfig(const std::string& path, Findings& findings);
// KD2xx: the socket, the channel, the enclave's evidence and what it says of itself.
void CheckEnclave(const client::ClientConfig& config, Findings& findings);
// KD3xx: this user's programs can prove themselves.
void CheckOwnEvidence(const client::ClientConfig& config, Findings& findings);
// KD5xx: module, provider, and the OpenSSL configuration that programs get.
void CheckModules(const std::string& config_path, Findings& findings);
// KD7xx: one key as a server has it: a reference file or URI, and its certificate's file if that is
// not empty.
void CheckKey(const Globals& globals, const std::string& reference, const std::string& certificate,
              Findings& findings);
// KD6xx: the daemon's configuration and state, where this user can see them.
void CheckDaemonFiles(const std::string& config_path, Findings& findings);

}  // namespace keyclave::ctl
