// What the daemon gives away before it serves, in this order: its user, the right to gain rights,
// being looked into, and the system calls that it does not need.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "enclave/base/result.h"

namespace keyclave::server {

struct User {
  uint32_t uid = 0;
  uint32_t gid = 0;
};
// "keyclave" or "keyclave:group" or "101:101". kInvalidArgument if there is no such user or group.
Result<User> FindUser(const std::string& name);

// After it succeeded: real, effective and saved ids are the user's, the supplementary groups are
// gone, and the old ids cannot be had back. kPermissionDenied.
Status BecomeUser(const User& user);

// No execve can gain rights any more; no core dump is written and no process of the same user can
// read this one's memory (PR_SET_DUMPABLE 0).
Status HideMemory();

// Allows the system calls that serving needs and no others, for all threads, for good. An unknown
// call fails with ENOSYS, as on an older kernel. What only an intruder would call (execve, ptrace,
// mount, bpf, loading modules, memory that is both new and executable …) kills the process.
// `ioctls`: requests that are let through beside the few that serving needs, on any descriptor.
// Needs HideMemory before it (no_new_privs). kUnsupported where the kernel has no seccomp.
Status FilterSystemCalls(std::span<const unsigned long> ioctls = {});

}  // namespace keyclave::server
