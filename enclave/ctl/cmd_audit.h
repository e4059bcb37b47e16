// The subcommands of `keyclave audit`, in two files: cmd_audit.cc and cmd_audit_receipt.cc.
#pragma once

#include "enclave/ctl/command.h"

namespace keyclave::ctl {

void AddAuditReceipt(CLI::App& group, Invocation& invocation);

}  // namespace keyclave::ctl
