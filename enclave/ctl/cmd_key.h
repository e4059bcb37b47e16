// The subcommands of `keyclave key`, in several files: cmd_key.cc (list, show, delete, reference),
// cmd_key_create.cc (generate, import), cmd_key_release.cc, cmd_key_attest.cc, cmd_key_rotate.cc.
#pragma once

#include "enclave/base/bytes.h"
#include "enclave/ctl/command.h"

namespace keyclave::ctl {

void AddKeyGenerate(CLI::App& group, Invocation& invocation);
void AddKeyImport(CLI::App& group, Invocation& invocation);
void AddKeyRelease(CLI::App& group, Invocation& invocation);
void AddKeyAttest(CLI::App& group, Invocation& invocation);
void AddKeyRotate(CLI::App& group, Invocation& invocation);

// What --nonce says, or 32 random bytes. kInvalidArgument.
Result<Bytes> ParseNonce(const std::string& hex);

}  // namespace keyclave::ctl
