#include "enclave/server/sandbox.h"

#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <initializer_list>
#include <memory>

#include "enclave/base/file.h"

namespace keyclave::server {
namespace {

using Filter = std::unique_ptr<void, void (*)(void*)>;

// Serving: sockets, epoll, threads, memory, clocks; SQLite's and the audit log's files; nothing
// that starts programs or looks at other processes.
constexpr std::initializer_list<const char*> kAllowed = {
    // sockets and events
    "accept4", "bind", "connect", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2",
    "epoll_wait", "eventfd2", "getpeername", "getsockname", "getsockopt", "listen", "poll", "ppoll",
    "recvfrom", "recvmsg", "sendmmsg", "sendmsg", "sendto", "setsockopt", "shutdown", "socket",
    "socketpair",
    // files
    "access", "chmod", "close", "dup", "dup3", "faccessat", "faccessat2", "fadvise64", "fallocate",
    "fchmod", "fchmodat", "fchown", "fcntl", "fdatasync", "flock", "fstat", "fstatfs", "fsync",
    "ftruncate", "getcwd", "getdents64", "link", "linkat", "lseek", "lstat", "mkdir", "mkdirat",
    "newfstatat", "open", "openat", "pipe2", "pread64", "preadv", "pwrite64", "pwritev", "read",
    "readlink", "readlinkat", "readv", "rename", "renameat", "renameat2", "rmdir", "stat", "statfs",
    "statx", "sync_file_range", "umask", "uname", "unlink", "unlinkat", "utimensat", "write",
    "writev",
    // memory (mmap and mprotect have rules of their own)
    "brk", "madvise", "memfd_create", "memfd_secret", "mincore", "mlock", "mlock2", "mremap",
    "msync", "munlock", "munmap",
    // threads and signals (clone has a rule of its own)
    "exit", "exit_group", "futex", "get_robust_list", "gettid", "membarrier", "restart_syscall",
    "rseq", "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigreturn", "rt_sigsuspend",
    "rt_sigtimedwait", "sched_getaffinity", "sched_yield", "set_robust_list", "set_tid_address",
    "sigaltstack", "signalfd4", "tgkill",
    // time, identity, randomness
    "clock_getres", "clock_gettime", "clock_nanosleep", "getegid", "geteuid", "getgid", "getpid",
    "getppid", "getrandom", "getrlimit", "getrusage", "gettimeofday", "getuid", "nanosleep",
    "prlimit64", "sysinfo", "time", "timerfd_create", "timerfd_settime"};

constexpr std::initializer_list<const char*> kDeadly = {"execve",
                                                        "execveat",
                                                        "ptrace",
                                                        "process_vm_readv",
                                                        "process_vm_writev",
                                                        "fork",
                                                        "vfork",
                                                        "setuid",
                                                        "setgid",
                                                        "setreuid",
                                                        "setregid",
                                                        "setresuid",
                                                        "setresgid",
                                                        "setgroups",
                                                        "setns",
                                                        "unshare",
                                                        "mount",
                                                        "umount2",
                                                        "pivot_root",
                                                        "chroot",
                                                        "init_module",
                                                        "finit_module",
                                                        "delete_module",
                                                        "kexec_load",
                                                        "kexec_file_load",
                                                        "bpf",
                                                        "perf_event_open",
                                                        "userfaultfd",
                                                        "keyctl",
                                                        "add_key",
                                                        "request_key",
                                                        "reboot",
                                                        "open_by_handle_at",
                                                        "personality",
                                                        "io_uring_setup"};

// A call that this architecture or library does not know needs no rule: it is not allowed anyway.
Status AddAll(scmp_filter_ctx filter, uint32_t action, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR) continue;
    if (seccomp_rule_add_array(filter, action, number, 0, nullptr) != 0) {
      return Fail(Code::kUnsupported, std::string("seccomp rule for ") + name);
    }
  }
  return Done{};
}

struct ArgumentRule {
  uint32_t action;
  int call;
  scmp_arg_cmp test;
};

scmp_arg_cmp Masked(unsigned argument, uint64_t mask, uint64_t value) {
  return {.arg = argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value};
}

ArgumentRule IoctlRule(unsigned long request) {
  return {SCMP_ACT_ALLOW,
          SCMP_SYS(ioctl),
          {.arg = 1, .op = SCMP_CMP_EQ, .datum_a = request, .datum_b = 0}};
}

Status AddRule(scmp_filter_ctx filter, const ArgumentRule& rule) {
  if (seccomp_rule_add_array(filter, rule.action, rule.call, 1, &rule.test) == 0) return Done{};
  return Fail(Code::kUnsupported, "seccomp rule with an argument");
}

Status AddArgumentRules(scmp_filter_ctx filter) {
  const uint64_t exec = PROT_EXEC;
  const uint64_t thread = CLONE_THREAD;
  const ArgumentRule rules[] = {
      {SCMP_ACT_ALLOW, SCMP_SYS(mmap), Masked(2, exec, 0)},
      {SCMP_ACT_KILL_PROCESS, SCMP_SYS(mmap), Masked(2, exec, exec)},
      {SCMP_ACT_ALLOW, SCMP_SYS(mprotect), Masked(2, exec, 0)},
      {SCMP_ACT_KILL_PROCESS, SCMP_SYS(mprotect), Masked(2, exec, exec)},
      // Threads, but no processes. clone3 hides its flags from the filter: it stays ENOSYS, and
      // glibc then takes clone.
      {SCMP_ACT_ALLOW, SCMP_SYS(clone), Masked(0, thread, thread)},
      {SCMP_ACT_KILL_PROCESS, SCMP_SYS(clone), Masked(0, thread, 0)},
      {SCMP_ACT_ALLOW,
       SCMP_SYS(prctl),
       {.arg = 0, .op = SCMP_CMP_EQ, .datum_a = PR_SET_NAME, .datum_b = 0}},
      IoctlRule(FIONREAD),
  };
  for (const ArgumentRule& rule : rules) KC_CHECK_OK(AddRule(filter, rule));
  return Done{};
}

Result<uint32_t> FindId(const std::string& name, bool group) {
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error == std::errc() && end == name.data() + name.size()) return number;
  if (group) {
    if (const struct group* entry = ::getgrnam(name.c_str()); entry != nullptr) {
      return uint32_t{entry->gr_gid};
    }
    return Fail(Code::kInvalidArgument, "there is no group " + name);
  }
  if (const struct passwd* entry = ::getpwnam(name.c_str()); entry != nullptr) {
    return uint32_t{entry->pw_uid};
  }
  return Fail(Code::kInvalidArgument, "there is no user " + name);
}

}  // namespace

Result<User> FindUser(const std::string& name) {
  const size_t colon = name.find(':');
  User user;
  KC_ASSIGN(user.uid, FindId(name.substr(0, colon), false));
  if (colon != std::string::npos) {
    KC_ASSIGN(user.gid, FindId(name.substr(colon + 1), true));
    return user;
  }
  const struct passwd* entry = ::getpwuid(user.uid);
  if (entry == nullptr) return Fail(Code::kInvalidArgument, "there is no user " + name);
  user.gid = entry->pw_gid;
  return user;
}

Status BecomeUser(const User& user) {
  const bool was_root = ::geteuid() == 0;
  if (was_root && ::setgroups(0, nullptr) != 0) return ErrnoError("setgroups");
  if (::setresgid(user.gid, user.gid, user.gid) != 0) return ErrnoError("setresgid");
  if (::setresuid(user.uid, user.uid, user.uid) != 0) return ErrnoError("setresuid");
  // The kernel said yes; here is the proof that there is no way back.
  if (was_root && user.uid != 0 && ::setuid(0) == 0) {
    return Fail(Code::kPermissionDenied, "root could be had back after setresuid");
  }
  return Done{};
}

Status HideMemory() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return ErrnoError("PR_SET_NO_NEW_PRIVS");
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return ErrnoError("PR_SET_DUMPABLE");
  return Done{};
}

Status FilterSystemCalls(std::span<const unsigned long> ioctls) {
  const Filter filter(seccomp_init(SCMP_ACT_ERRNO(ENOSYS)), seccomp_release);
  if (filter == nullptr) return Fail(Code::kUnsupported, "seccomp");
  // All threads at once, and no second filter in their place.
  if (seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1) != 0) {
    return Fail(Code::kUnsupported, "seccomp for all threads");
  }
  KC_CHECK_OK(AddAll(filter.get(), SCMP_ACT_ALLOW, kAllowed));
  KC_CHECK_OK(AddAll(filter.get(), SCMP_ACT_KILL_PROCESS, kDeadly));
  KC_CHECK_OK(AddArgumentRules(filter.get()));
  for (const unsigned long request : ioctls) KC_CHECK_OK(AddRule(filter.get(), IoctlRule(request)));
  const int result = seccomp_load(filter.get());
  if (result != 0) {
    errno = -result;
    return Fail(Code::kUnsupported, ErrnoError("seccomp_load").detail());
  }
  return Done{};
}

}  // namespace keyclave::server
