// The subcommands of `keyclave policy` that work without any enclave; each in its own file.
#pragma once

#include "enclave/ctl/command.h"

namespace keyclave::ctl {

void AddPolicyConvert(CLI::App& group, Invocation& invocation);

inline constexpr size_t kMaxPolicyText = size_t{1} << 20;  // bytes

}  // namespace keyclave::ctl
