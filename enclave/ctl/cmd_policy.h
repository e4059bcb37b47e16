// The subcommands of `keyclave policy` that are not in cmd_policy.cc.
#pragma once

#include "enclave/ctl/command.h"

namespace keyclave::ctl {

void AddPolicyConvert(CLI::App& group, Invocation& invocation);
void AddPolicyApply(CLI::App& group, Invocation& invocation);    // cmd_policy_apply.cc: apply, sign
void AddPolicyHistory(CLI::App& group, Invocation& invocation);  // cmd_policy_history.cc
void AddPolicyDiff(CLI::App& group, Invocation& invocation);
void AddPolicyTest(CLI::App& group, Invocation& invocation);

inline constexpr size_t kMaxPolicyText = size_t{1} << 20;  // bytes

}  // namespace keyclave::ctl
