// Who was seen in the audit log: callers by what they proved, and what they asked for.
#pragma once

#include <set>

#include "enclave/ctl/offline_caller.h"

namespace keyclave::ctl {

struct SeenCaller {
  std::string name;  // as the log has it: measurement …, uid …
  attest::ClaimSet claims;
  uint64_t requests = 0;  // lines that name it
};

struct SeenCallers {
  std::vector<SeenCaller> callers;
  uint64_t without_claims = 0;  // lines that name a caller, but not what it proved
};

// The lines of a log (JSON, one a line) or of all files in a folder. Only lines of grants and
// denials name callers with claims; those are some of what the evidence said, and of the rest it is
// taken that it was bound to its session and not of a TEE in debug mode. kMalformed with the file
// and the line for what is no such line; kNotFound. (Whether the log is whole is for `keyclave
// audit verify`.)
Result<SeenCallers> ReadAuditCallers(const std::string& path);

}  // namespace keyclave::ctl
