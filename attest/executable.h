// The program that the calling process runs, as the kernel knows it.
#pragma once

#include "enclave/base/bytes.h"

namespace keyclave::attest {

struct Executable {
  ByteArray<32> measurement{};  // SHA-256 of the file that runs, to its end
  std::string name;             // the file's last path component, printable; for people only
};

// Opened through the kernel's link to the running file, not through its path: a file that was put
// in its place since is not mistaken for it. kEvidenceUnavailable.
Result<Executable> MeasureOwnExecutable();

}  // namespace keyclave::attest
