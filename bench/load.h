// Load: the same work on a number of threads for a while, counted.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace keyclave::bench {

struct LoadResult {
  uint64_t operations = 0;   // finished within the measured time, by all threads
  double seconds = 0;        // that the measurement took
  double cpu_seconds = 0;    // of this process, during it
  double median_micros = 0;  // of one operation
  double p99_micros = 0;
  double p999_micros = 0;
  std::vector<double> watched_cpu_seconds;  // of each watched process, during it
};

// Makes one operation; called on the thread that will use it. An operation that fails throws.
using Worker = std::function<std::function<void()>()>;

// To be called by an operation that hands over what began in an earlier call, as asynchronous ones
// do: its time is counted from then on.
void OperationBegan(std::chrono::steady_clock::time_point when);

// Runs `threads` workers: first `warm_up` seconds that do not count, then `seconds` that do (and
// on, until an operation is finished), with the processor time of `watched` (watch.h). Rethrows the
// first failure.
LoadResult RunLoad(unsigned threads, double warm_up, double seconds, const Worker& worker,
                   std::span<const pid_t> watched = {});

// Runs `threads` workers until they have made `count` operations together. Rethrows the first
// failure.
LoadResult RunCount(unsigned threads, uint64_t count, const Worker& worker);

// One line of JSON.
void Print(const LoadResult& result);

}  // namespace keyclave::bench
