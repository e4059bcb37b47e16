// OpenSSL's asynchronous jobs (ASYNC_start_job(3)): a program that runs its operations in jobs
// keeps many in flight on one thread.
#pragma once

namespace keyclave::ossl {

// client::Pause: pauses the job that runs, with `fd` (or one that is ready) for the program to
// watch. False outside of jobs.
bool PauseJob(int fd);

}  // namespace keyclave::ossl
