// Taking turns with other processes of this machine at a TPM that has no resource manager.
#pragma once

#include <string>

namespace keyclave::attest::tpm {

// For a device the kernel does it. Else (a swtpm) the right to go is a unix socket of an abstract
// name, which a process that dies gives back. Whoever waited for ten seconds goes all the same:
// what keeps the name may be no process of ours.
class Turn {
 public:
  explicit Turn(const std::string& tcti);
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn();

 private:
  int socket_ = -1;
};

// Not as long for all, so that those who met once do not meet again.
void WaitALittle(unsigned longest_milliseconds);

}  // namespace keyclave::attest::tpm
