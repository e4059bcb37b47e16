#include "ossl_provider/async.h"

#include <openssl/async.h>

namespace keyclave::ossl {

bool PauseJob(int fd) {
  ASYNC_JOB* job = ASYNC_get_current_job();
  if (job == nullptr) return false;
  ASYNC_WAIT_CTX* wait = ASYNC_get_wait_ctx(job);
  // The key under which the descriptor is kept: an address that nobody else has.
  static constexpr char kKey = 0;
  if (fd >= 0 && ASYNC_WAIT_CTX_set_wait_fd(wait, &kKey, fd, nullptr, nullptr) != 1) return false;
  const bool paused = ASYNC_pause_job() == 1;
  // It may be another's by the time that the program looks again.
  if (fd >= 0) ASYNC_WAIT_CTX_clear_fd(wait, &kKey);
  return paused;
}

}  // namespace keyclave::ossl
