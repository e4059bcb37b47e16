// The program that a process runs, as the kernel knows it.
#pragma once

#include "enclave/base/bytes.h"

namespace keyclave::attest {

struct Executable {
  ByteArray<32> measurement{};  // SHA-256 of the file that runs, to its end
  std::string name;             // the file's last path component, printable; for people only
};

// Opened through the kernel's link to the running file, not through its path: a file that was put
// in its place since is not mistaken for it. kEvidenceUnavailable, also for files above 256 MiB.
Result<Executable> MeasureOwnExecutable();
// Of another process; who it is must be held fast (a pidfd) around the call.
Result<Executable> MeasureExecutable(int64_t pid);

}  // namespace keyclave::attest
