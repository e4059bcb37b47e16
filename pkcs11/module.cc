#include "pkcs11/module.h"

#include <unistd.h>

#include <atomic>

namespace keyclave::pkcs11 {
namespace {

// The one global. It is made per process and never destroyed: a child of fork makes its own and
// leaves the parent's alone
// (`inherited` keeps it reachable), and there is no destructor that could run while another thread
// still calls.
struct Process {
  Process(pid_t own_pid, const Process* parent) : pid(own_pid), inherited(parent) {}
  const pid_t pid;
  const Process* const inherited;
  Mutex mutex;
  ModulePtr run KC_GUARDED_BY(mutex);
};
std::atomic<Process*> current_process{nullptr};

Process& ThisProcess() {
  const pid_t pid = getpid();
  Process* known = current_process.load(std::memory_order_acquire);
  while (known == nullptr || known->pid != pid) {
    auto mine = std::make_unique<Process>(pid, known);
    // Of several threads that get here first, one wins and the others take what it made.
    if (current_process.compare_exchange_strong(known, mine.get(), std::memory_order_acq_rel))
      return *mine.release();
  }
  return *known;
}

}  // namespace

Module::Module(client::ClientConfig config)
    : client_(std::move(config)), slots_(client_), objects_(client_), mechanisms_(client_) {}

Status Module::Begin() {
  Process& process = ThisProcess();
  const MutexLock lock(process.mutex);
  if (process.run != nullptr) return Fail(Code::kP11AlreadyInitialized);
  KC_ASSIGN(client::ClientConfig config, client::LoadClientConfig(client::DefaultConfigPath()));
  process.run = std::make_shared<Module>(std::move(config));
  return Done{};
}

Result<ModulePtr> Module::End() {
  Process& process = ThisProcess();
  const MutexLock lock(process.mutex);
  if (process.run == nullptr) return Fail(Code::kP11NotInitialized);
  return std::exchange(process.run, nullptr);
}

Result<ModulePtr> Module::Current() {
  Process& process = ThisProcess();
  const MutexLock lock(process.mutex);
  if (process.run == nullptr) return Fail(Code::kP11NotInitialized);
  return process.run;
}

Result<SessionCall> EnterSession(CK_SESSION_HANDLE handle) {
  KC_ASSIGN(ModulePtr module, Module::Current());
  KC_ASSIGN(SessionPtr session, module->sessions().Find(handle));
  std::unique_lock<std::mutex> lock(session->mutex());
  return SessionCall{std::move(module), std::move(session), std::move(lock)};
}

}  // namespace keyclave::pkcs11
