// The parts of `keyclave evidence` that have files of their own.
#pragma once

#include "enclave/base/clock.h"
#include "enclave/ctl/command.h"

namespace keyclave::ctl {

// What a file says, in the vendor's words; nothing of it is verified.
Result<int> ShowEvidence(const std::string& path, bool json);

// What --at says, or now. kInvalidArgument.
Result<UnixTime> VerificationTime(const std::string& at);

void AddEvidenceVerify(CLI::App& group, Invocation& invocation);
void AddEvidenceCollect(CLI::App& group, Invocation& invocation);
void AddEvidenceEnrollTpm(CLI::App& group, Invocation& invocation);
void AddEvidenceCollateral(CLI::App& group, Invocation& invocation);

}  // namespace keyclave::ctl
