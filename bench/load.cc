#include "bench/load.h"

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <exception>
#include <limits>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "bench/watch.h"

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
  std::atomic<bool> any{false};  // whether one was finished while measuring
  std::atomic<bool> over{false};
  std::atomic<int64_t> left{std::numeric_limits<int64_t>::max()};  // operations to begin
  std::mutex mutex;
  std::exception_ptr failure;
};

// What OperationBegan says within the call that this thread makes now.
thread_local std::optional<Clock::time_point> t_began;

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
    while (!run.over.load(std::memory_order_relaxed) && run.left.fetch_sub(1) > 0) {
      const bool counted = run.measuring.load(std::memory_order_relaxed);
      const auto start = Clock::now();
      t_began.reset();
      operation();
      const std::chrono::duration<float, std::micro> took = Clock::now() - t_began.value_or(start);
      if (counted && !run.over.load(std::memory_order_relaxed)) {
        lane.micros.push_back(took.count());
        if (!run.any.load(std::memory_order_relaxed)) run.any = true;
      }
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

// The threads of a run, which work from the moment when all of them are ready.
class Pool {
 public:
  Pool(unsigned threads, const Worker& worker, Run& run)
      : run_(run), lanes_(threads), ready_(static_cast<std::ptrdiff_t>(threads) + 1) {
    for (Lane& lane : lanes_) {
      threads_.emplace_back([this, &worker, &lane] { Work(worker, run_, ready_, lane); });
    }
    ready_.arrive_and_wait();
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool() {
    run_.over = true;
    JoinAll();
  }

  // Waits for their end. Rethrows the first failure.
  void Join(LoadResult& result) {
    JoinAll();
    if (run_.failure) std::rethrow_exception(run_.failure);
    std::vector<float> all;
    for (const Lane& lane : lanes_) {
      all.insert(all.end(), lane.micros.begin(), lane.micros.end());
    }
    std::sort(all.begin(), all.end());
    result.operations = all.size();
    result.median_micros = Quantile(all, 0.5);
    result.p99_micros = Quantile(all, 0.99);
    result.p999_micros = Quantile(all, 0.999);
  }

 private:
  void JoinAll() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  Run& run_;
  std::vector<Lane> lanes_;
  std::barrier<> ready_;
  std::vector<std::thread> threads_;
};

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

void OperationBegan(Clock::time_point when) { t_began = when; }

LoadResult RunLoad(unsigned threads, double warm_up, double seconds, const Worker& worker,
                   std::span<const pid_t> watched) {
  Run run;
  Pool pool(threads, worker, run);
  std::this_thread::sleep_for(std::chrono::duration<double>(warm_up));
  const CpuWatch watch(watched);
  const double cpu_before = CpuSeconds();
  const auto start = Clock::now();
  run.measuring = true;
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  while (!run.any && !run.over) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  run.over = true;
  LoadResult result;
  result.seconds = SecondsSince(start);
  result.cpu_seconds = CpuSeconds() - cpu_before;
  result.watched_cpu_seconds = watch.Seconds();
  pool.Join(result);
  return result;
}

LoadResult RunCount(unsigned threads, uint64_t count, const Worker& worker) {
  Run run;
  run.left = static_cast<int64_t>(count);
  run.measuring = true;
  Pool pool(threads, worker, run);
  const double cpu_before = CpuSeconds();
  const auto start = Clock::now();
  LoadResult result;
  pool.Join(result);
  result.seconds = SecondsSince(start);
  result.cpu_seconds = CpuSeconds() - cpu_before;
  return result;
}

void Print(const LoadResult& result) {
  std::string watched;
  for (const double seconds : result.watched_cpu_seconds)
    watched += (watched.empty() ? "" : ", ") + std::to_string(seconds);
  std::printf(
      "{\"operations\": %llu, \"seconds\": %.6f, \"per_second\": %.3f, \"cpu_seconds\": %.6f, "
      "\"watched_cpu_seconds\": [%s], \"median_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f}\n",
      static_cast<unsigned long long>(result.operations), result.seconds,
      static_cast<double>(result.operations) / result.seconds, result.cpu_seconds, watched.c_str(),
      result.median_micros, result.p99_micros, result.p999_micros);
}

}  // namespace keyclave::bench
