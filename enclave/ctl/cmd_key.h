// The subcommands of `keyclave key`, in two files: cmd_key.cc (list, show, delete, reference) and
// cmd_key_create.cc (generate, import).
#pragma once

#include "enclave/ctl/command.h"

namespace keyclave::ctl {

void AddKeyGenerate(CLI::App& group, Invocation& invocation);
void AddKeyImport(CLI::App& group, Invocation& invocation);

}  // namespace keyclave::ctl
