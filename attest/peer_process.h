// The process at the other end of a unix socket, as the kernel knows it.
#pragma once

#include "attest/executable.h"

namespace keyclave::attest {

struct PeerProcess {
  uint32_t uid = 0;
  uint32_t gid = 0;
  Executable executable;
  std::string cgroup;  // of the unified hierarchy: "/system.slice/nginx.service"
};

// The process that made the connection, held by a pidfd (SO_PEERPIDFD, Linux 6.5) from the moment
// it connected: a process that has ended is an error, and a new one with its number is not mistaken
// for it. kEvidenceUnavailable: no such kernel, the process is gone, or its executable may not be
// read (CAP_SYS_PTRACE).
Result<PeerProcess> ReadPeerProcess(int socket);

}  // namespace keyclave::attest
