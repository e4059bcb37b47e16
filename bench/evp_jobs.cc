#include "bench/evp_jobs.h"

#include <poll.h>

#include <stdexcept>

#include "bench/load.h"

namespace keyclave::bench {

SignJobs::SignJobs(unsigned count, Sign sign) : sign_(std::move(sign)), slots_(count) {
  if (ASYNC_is_capable() != 1) throw std::runtime_error("this OpenSSL has no asynchronous jobs");
}

// Exceptions do not pass through OpenSSL's stacks: a signature that failed is an empty one.
int SignJobs::Run(void* argument) {
  const Task& task = *static_cast<Task*>(argument);
  try {
    task.slot->signature = (*task.sign)(task.slot->digest);
  } catch (const std::exception&) {
    task.slot->signature.clear();
  }
  return 1;
}

void SignJobs::Advance(Slot& slot) {
  Task task{&sign_, &slot};  // copied where the job begins
  int result = 0;
  switch (ASYNC_start_job(&slot.job, slot.wait.get(), &result, Run, &task, sizeof(task))) {
    case ASYNC_PAUSE: return;
    case ASYNC_FINISH:
      slot.job = nullptr;
      slot.finished = true;
      return;
    default: throw std::runtime_error("ASYNC_start_job");
  }
}

// Gives each job that has bytes to read, or nothing to wait for, its turn.
void SignJobs::AdvanceReady() {
  std::vector<pollfd> polled;
  std::vector<Slot*> waiting;
  for (Slot& slot : slots_) {
    if (slot.job == nullptr) continue;
    OSSL_ASYNC_FD fd = -1;  // poll(2) leaves it out
    size_t count = 1;
    if (ASYNC_WAIT_CTX_get_all_fds(slot.wait.get(), nullptr, &count) != 1 || count > 1 ||
        (count == 1 && ASYNC_WAIT_CTX_get_all_fds(slot.wait.get(), &fd, &count) != 1)) {
      throw std::runtime_error("ASYNC_WAIT_CTX_get_all_fds");
    }
    polled.push_back({.fd = fd, .events = POLLIN, .revents = 0});
    waiting.push_back(&slot);
  }
  ::poll(polled.data(), polled.size(), 1000);
  for (size_t i = 0; i < waiting.size(); ++i) {
    if (polled[i].revents != 0 || polled[i].fd < 0) Advance(*waiting[i]);
  }
}

Signature SignJobs::Next(Digest& digest) {
  for (Slot& slot : slots_) {
    if (slot.job != nullptr || slot.finished) continue;
    slot.begun = std::chrono::steady_clock::now();
    slot.digest = digest;
    slot.digest[31] = static_cast<uint8_t>(slot.digest[31] + (&slot - slots_.data()));
    Advance(slot);
  }
  for (;;) {
    for (Slot& slot : slots_) {
      if (!slot.finished) continue;
      slot.finished = false;
      digest = slot.digest;
      OperationBegan(slot.begun);
      if (slot.signature.empty()) throw std::runtime_error("a job did not sign");
      return std::move(slot.signature);
    }
    AdvanceReady();
  }
}

}  // namespace keyclave::bench
