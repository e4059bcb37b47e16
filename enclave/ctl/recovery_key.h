// The private keys of recovery holders, from files, and what they open.
#pragma once

#include <string>
#include <vector>

#include "enclave/ctl/command.h"
#include "enclave/mech/recovery.h"

namespace keyclave::ctl {

struct RecoveryKeyChoice {
  std::vector<std::string> keys;  // NAME=FILE
  std::string passphrase_file;
};
void AddRecoveryKeys(CLI::App& command, RecoveryKeyChoice& choice, bool required);

struct HolderShare {
  std::string holder;
  SecretBytes parts;
};
// kInvalidArgument for a text that is no NAME=FILE; kKeyFileInvalid; what OpenParts says.
Result<HolderShare> OpenShare(const wire::Recovery& recovery, const std::string& spec,
                              const RecoveryKeyChoice& choice);

}  // namespace keyclave::ctl
