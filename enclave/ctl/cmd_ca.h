// The subcommands of `keyclave ca`, a file each.
#pragma once

#include "enclave/ctl/command.h"
#include "enclave/ctl/enclave_link.h"
#include "enclave/ctl/key_file.h"
#include "enclave/mech/certificate_parts.h"

namespace keyclave::ctl {

void AddCaInit(CLI::App& group, Invocation& invocation);
void AddCaCrl(CLI::App& group, Invocation& invocation);
void AddCaOcsp(CLI::App& group, Invocation& invocation);

// The CA's key, and the token that it is in.
void AddCaKey(CLI::App& command, std::string& key, TokenChoice& token);

}  // namespace keyclave::ctl
