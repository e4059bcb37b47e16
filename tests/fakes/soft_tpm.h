// A TPM in software (swtpm) of its own, on free ports of 127.0.0.1, with its state in a temporary
// directory. The end of the test program if it cannot be had.
#pragma once

#include <sys/types.h>

#include "attest/tpm/device.h"
#include "tests/fakes/temporary_directory.h"

namespace keyclave::test {

class SoftTpm {
 public:
  SoftTpm();  // started
  SoftTpm(const SoftTpm&) = delete;
  SoftTpm& operator=(const SoftTpm&) = delete;
  ~SoftTpm();

  void Start();
  void Stop();     // as when the power fails
  void Restart();  // the machine: registers are as after a reset, NV memory stays

  std::string tcti() const;
  attest::tpm::DeviceConfig Config() const { return {.tcti = tcti()}; }
  // One of tpm2-tools with its arguments; whether it succeeded.
  bool Tool(std::vector<std::string> words) const;
  // Defines an NV index of the owner's that holds these bytes.
  void WriteIndex(uint32_t handle, ByteSpan content) const;
  // Extends a register of the SHA-256 bank.
  void Extend(unsigned index) const;

 private:
  bool IsReady();

  fakes::TemporaryDirectory state_;
  unsigned port_ = 0;
  pid_t process_ = -1;
};

}  // namespace keyclave::test
