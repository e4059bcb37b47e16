// Asynchronous jobs of OpenSSL on one thread: several signatures in flight.
#pragma once

#include <openssl/async.h>

#include <chrono>
#include <memory>

#include "bench/signer.h"

namespace keyclave::bench {

class SignJobs {
 public:
  using Sign = std::function<Signature(const Digest&)>;
  SignJobs(unsigned count, Sign sign);

  // Starts jobs on this digest and others like it, and takes a signature that is ready, with its
  // digest in `digest`.
  Signature Next(Digest& digest);

 private:
  struct WaitFree {
    void operator()(ASYNC_WAIT_CTX* wait) const { ASYNC_WAIT_CTX_free(wait); }
  };
  struct Slot {
    std::unique_ptr<ASYNC_WAIT_CTX, WaitFree> wait{ASYNC_WAIT_CTX_new()};
    ASYNC_JOB* job = nullptr;
    bool finished = false;
    std::chrono::steady_clock::time_point begun{};
    Digest digest{};
    Signature signature{};
  };
  struct Task {
    const Sign* sign;
    Slot* slot;
  };
  static int Run(void* argument);
  void Advance(Slot& slot);
  void AdvanceReady();

  const Sign sign_;
  std::vector<Slot> slots_;
};

}  // namespace keyclave::bench
