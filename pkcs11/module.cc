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
  // The run's client, for a child to see without the lock: null unless it is whole.
  std::atomic<client::Client*> client{nullptr};
};
std::atomic<Process*> current_process{nullptr};

// In a child: the client that came with it notices where it is, and closes the parent's sockets
// here. Otherwise the enclave would see the parent's connections open for as long as any child
// lives.
void CloseInherited(const Process& parent) {
  if (const client::Client* client = parent.client.load(std::memory_order_acquire);
      client != nullptr)
    client->generation();
}

Process& ThisProcess() {
  const pid_t pid = getpid();
  Process* known = current_process.load(std::memory_order_acquire);
  while (known == nullptr || known->pid != pid) {
    auto mine = std::make_unique<Process>(pid, known);
    // Of several threads that get here first, one wins and the others take what it made.
    if (current_process.compare_exchange_strong(known, mine.get(), std::memory_order_acq_rel)) {
      Process& own = *mine.release();
      if (known != nullptr) CloseInherited(*known);
      return own;
    }
  }
  return *known;
}

}  // namespace

Module::Module(client::ClientConfig config)
    : client_(std::move(config)), slots_(client_), objects_(client_), mechanisms_(client_) {}

bool Module::EndsWithin(std::chrono::milliseconds time) {
  std::unique_lock<std::mutex> lock(end_mutex_);
  return end_.wait_for(lock, time, [this] { return ended_; });
}

void Module::NoteEnd() {
  const std::lock_guard<std::mutex> lock(end_mutex_);
  ended_ = true;
  end_.notify_all();
}

Status Module::Begin() {
  Process& process = ThisProcess();
  const MutexLock lock(process.mutex);
  if (process.run != nullptr) return Fail(Code::kP11AlreadyInitialized);
  KC_ASSIGN(client::ClientConfig config, client::LoadClientConfig(client::DefaultConfigPath()));
  process.run = std::make_shared<Module>(std::move(config));
  process.client.store(&process.run->client(), std::memory_order_release);
  return Done{};
}

Result<ModulePtr> Module::End() {
  Process& process = ThisProcess();
  const MutexLock lock(process.mutex);
  if (process.run == nullptr) return Fail(Code::kP11NotInitialized);
  process.client.store(nullptr, std::memory_order_release);
  process.run->NoteEnd();
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
