// The versions of a policy or set with who brought them, checked against the owners' keys.
#pragma once

#include "enclave/ctl/enclave_link.h"

namespace keyclave::ctl {

struct HistoryOptions {
  TokenChoice token;
  std::string name;
  uint64_t version = 0;  // this one alone, with its text; 0: all
  bool verify = false;
  std::vector<std::string> owner_keys;  // NAME=FILE, public keys; empty: those that the enclave has
};

// name, --version, --verify, --owner-key
void AddHistoryOptions(CLI::App& command, HistoryOptions& options);
// kExitRefused if a version is not what owners signed.
Result<int> ShowHistory(const HistoryOptions& options, wire::DocumentKind kind,
                        const Globals& globals);

// Where a version comes from, and what is wrong with it.
struct Provenance {
  std::vector<std::string> good;  // owners whose signatures are
  std::string bad;                // empty: nothing; else what
  bool is_signed = false;
};
// `owners`: whose keys to believe.
Provenance CheckVersion(const wire::DocumentVersion& version, wire::DocumentKind kind,
                        const std::string& enclave_id, const wire::TokenId& token,
                        const std::vector<wire::Owner>& owners);

}  // namespace keyclave::ctl
