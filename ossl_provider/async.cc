#include "ossl_provider/async.h"

#include <openssl/async.h>
#include <sys/eventfd.h>

#include "enclave/wire/fd.h"

namespace keyclave::ossl {
namespace {

bool IsInJob() { return ASYNC_get_current_job() != nullptr; }

bool PauseJob(int fd) {
  ASYNC_JOB* job = ASYNC_get_current_job();
  if (job == nullptr) return false;
  ASYNC_WAIT_CTX* wait = ASYNC_get_wait_ctx(job);
  // The key under which the descriptor is kept: an address that nobody else has.
  static constexpr char kKey = 0;
  if (ASYNC_WAIT_CTX_set_wait_fd(wait, &kKey, fd, nullptr, nullptr) != 1) return false;
  const bool paused = ASYNC_pause_job() == 1;
  // It may be another's by the time that the program looks again.
  ASYNC_WAIT_CTX_clear_fd(wait, &kKey);
  return paused;
}

// A program watches descriptors and nothing else: for a moment is for as long as it takes to come
// to one that is ready from the start.
bool PauseForAMoment() {
  const wire::Fd ready(::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
  return ready.ok() && PauseJob(ready.get());
}

}  // namespace

const client::Pausing kJobs = {
    .can = IsInJob, .until_readable = PauseJob, .for_a_moment = PauseForAMoment};

}  // namespace keyclave::ossl
