#include "bench/load.h"

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace keyclave::bench {
namespace {

using Clock = std::chrono::steady_clock;

double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// What one thread measured.
struct Lane {
  std::vector<float> micros;
};

// What all threads of a run share.
struct Run {
  std::atomic<bool> measuring{false};
  std::atomic<bool> over{false};
  std::mutex mutex;
  std::exception_ptr failure;
};

void Work(const Worker& worker, Run& run, std::barrier<>& ready, Lane& lane) {
  std::function<void()> operation;
  try {
    operation = worker();
  } catch (...) {
    const std::lock_guard lock(run.mutex);
    if (!run.failure) run.failure = std::current_exception();
    run.over = true;
  }
  ready.arrive_and_wait();
  try {
    while (!run.over.load(std::memory_order_relaxed)) {
      const bool counted = run.measuring.load(std::memory_order_relaxed);
      const auto start = Clock::now();
      operation();
      const std::chrono::duration<float, std::micro> took = Clock::now() - start;
      if (counted && !run.over.load(std::memory_order_relaxed)) lane.micros.push_back(took.count());
    }
  } catch (...) {
    const std::lock_guard lock(run.mutex);
    if (!run.failure) run.failure = std::current_exception();
    run.over = true;
  }
}

double Quantile(std::vector<float>& sorted, double q) {
  if (sorted.empty()) return 0;
  return static_cast<double>(
      sorted[static_cast<size_t>(q * static_cast<double>(sorted.size() - 1))]);
}

}  // namespace

LoadResult RunLoad(unsigned threads, double warm_up, double seconds, const Worker& worker) {
  Run run;
  std::vector<Lane> lanes(threads);
  std::barrier<> ready(static_cast<std::ptrdiff_t>(threads) + 1);
  std::vector<std::thread> pool;
  for (Lane& lane : lanes) pool.emplace_back([&] { Work(worker, run, ready, lane); });
  ready.arrive_and_wait();
  std::this_thread::sleep_for(std::chrono::duration<double>(warm_up));
  const double cpu_before = CpuSeconds();
  const auto start = Clock::now();
  run.measuring = true;
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  run.over = true;
  LoadResult result;
  result.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  result.cpu_seconds = CpuSeconds() - cpu_before;
  for (std::thread& thread : pool) thread.join();
  if (run.failure) std::rethrow_exception(run.failure);
  std::vector<float> all;
  for (const Lane& lane : lanes) all.insert(all.end(), lane.micros.begin(), lane.micros.end());
  std::sort(all.begin(), all.end());
  result.operations = all.size();
  result.median_micros = Quantile(all, 0.5);
  result.p99_micros = Quantile(all, 0.99);
  return result;
}

void Print(const LoadResult& result) {
  std::printf(
      "{\"operations\": %llu, \"seconds\": %.6f, \"per_second\": %.3f, \"cpu_seconds\": %.3f, "
      "\"median_us\": %.1f, "
      "\"p99_us\": %.1f}\n",
      static_cast<unsigned long long>(result.operations), result.seconds,
      static_cast<double>(result.operations) / result.seconds, result.cpu_seconds,
      result.median_micros, result.p99_micros);
}

}  // namespace keyclave::bench
