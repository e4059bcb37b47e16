// A keyclaved of its own for a test program: the real daemon, in a temporary folder, as a simulated
// enclave that believes whatever the test adds to its configuration.
#pragma once

#include <sys/types.h>

#include "enclave/client/client.h"
#include "tests/fakes/temporary_directory.h"

namespace keyclave::test {

class RealDaemon {
 public:
  // `more`: what keyclaved.yaml says besides, `accept` and `trust` for instance; it may name files
  // of `folder`. Waits until the daemon serves; a daemon that does not ends the test program.
  RealDaemon(const fakes::TemporaryDirectory& folder, const std::string& more);
  RealDaemon(const RealDaemon&) = delete;
  RealDaemon& operator=(const RealDaemon&) = delete;
  ~RealDaemon();

  // A caller of this enclave, who expects nothing else and proves himself with simulated evidence.
  client::ClientConfig Caller() const;
  std::string Socket() const { return folder_.path() + "/daemon.sock"; }
  std::string Log() const;

 private:
  void WaitUntilItServes(int notifications) const;

  const fakes::TemporaryDirectory& folder_;
  pid_t pid_ = -1;
};

}  // namespace keyclave::test
