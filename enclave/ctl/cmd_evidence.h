// The parts of `keyclave evidence` that have files of their own.
#pragma once

#include "enclave/ctl/command.h"

namespace keyclave::ctl {

// What a file says, in the vendor's words; nothing of it is verified.
Result<int> ShowEvidence(const std::string& path, bool json);

void AddEvidenceVerify(CLI::App& group, Invocation& invocation);
void AddEvidenceCollect(CLI::App& group, Invocation& invocation);
void AddEvidenceEnrollTpm(CLI::App& group, Invocation& invocation);
void AddEvidenceCollateral(CLI::App& group, Invocation& invocation);

}  // namespace keyclave::ctl
