// The subcommands of `keyclave set`, in two files: cmd_set.cc (check, list, show, history, diff)
// and cmd_set_apply.cc (apply, sign, add).
#pragma once

#include "enclave/authz/set_document.h"
#include "enclave/ctl/command.h"
#include "enclave/ctl/enclave_link.h"

namespace keyclave::ctl {

void AddSetApply(CLI::App& group, Invocation& invocation);
void AddSetAdd(CLI::App& group, Invocation& invocation);

// The present version with one more entry, signed where the token has owners.
Result<int> AddToSet(Enclave& enclave, const wire::TokenInfo& token, const std::string& name,
                     const authz::SetDocument::Entry& entry, const Globals& globals);

// A set's file; mistakes are told with its name and line.
struct SetFile {
  std::string text;
  authz::SetDocument set;
};
Result<SetFile> ReadSetFile(const std::string& path);

}  // namespace keyclave::ctl
