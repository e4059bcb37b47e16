// OpenSSL's asynchronous jobs (ASYNC_start_job(3)): a program that runs its operations in jobs
// keeps many in flight on one thread.
#pragma once

#include "enclave/client/config.h"

namespace keyclave::ossl {

// Pauses the job that runs, with the descriptor (or one that is ready) for the program to watch.
extern const client::Pausing kJobs;

}  // namespace keyclave::ossl
