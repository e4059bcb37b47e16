// The parts of `keyclave explain` that have files of their own.
#pragma once

#include "enclave/authz/policy.h"
#include "enclave/ctl/offline_caller.h"

namespace keyclave::ctl {

struct OfflineOptions {
  std::string policy;               // a file
  std::string evidence;             // a file or folder
  std::vector<std::string> claims;  // CLAIM=VALUE
  std::vector<std::string> sets;    // files
  std::string operation;
  std::string mechanism;
  std::string at;
  TrustOptions trust;
};

// Whether the options ask for evidence in files, and not for this process or the last denial.
inline bool IsOffline(const OfflineOptions& options) {
  return !options.policy.empty() || !options.evidence.empty() || !options.claims.empty();
}
void AddOfflineOptions(CLI::App& command, OfflineOptions& options);

// Says what this policy says, with the sets of the rules, to the caller of the options; `key` is
// its label, or empty. The exit code is 1 if it is refused.
Result<int> ExplainPolicy(const OfflineOptions& options, const authz::Policy& policy,
                          const authz::TokenRules& rules, const std::string& key, bool json);
// The same for the policy in the file of the options.
Result<int> ExplainFile(const OfflineOptions& options, bool json);

}  // namespace keyclave::ctl
