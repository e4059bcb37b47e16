// soak_bench: signatures by several keys in turn, for as long as one likes. Prints one line of JSON
// at the end of each window; a signature that fails, or does not verify, is counted as an error and
// the run goes on. Some signatures of every key are verified with the public key, outside the
// measured time.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <deque>
#include <exception>
#include <fstream>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>

#include "bench/histogram.h"
#include "bench/signer.h"

namespace {

using keyclave::bench::Counts;
using keyclave::bench::Digest;
using keyclave::bench::Histogram;
using keyclave::bench::Signature;
using Clock = std::chrono::steady_clock;
using Keys = std::vector<std::unique_ptr<keyclave::bench::Signer>>;

constexpr uint64_t kVerifyEvery = 997;  // a prime, so that every key's are among them

// What one thread counts, key by key.
struct Lane {
  explicit Lane(size_t keys) : took(keys) {}
  std::vector<Histogram> took;
  std::atomic<uint64_t> errors{0};
  std::thread thread;
};

struct Run {
  Keys keys;
  std::deque<Lane> lanes;
  std::atomic<bool> over{false};
};

void SignOnce(Run& run, Lane& lane, size_t key,
              const std::function<Signature(Digest& digest)>& sign, uint64_t number) {
  Digest digest = keyclave::bench::MakeDigest(number);
  const auto start = Clock::now();
  const Signature signature = sign(digest);
  lane.took[key].Add(Clock::now() - start);
  if (number % kVerifyEvery == 0 && !run.keys[key]->Verify(digest, signature))
    throw std::runtime_error("a signature does not verify");
}

void Work(Run& run, Lane& lane, uint64_t first) {
  std::vector<std::function<Signature(Digest&)>> signers;
  for (const auto& key : run.keys) signers.push_back(key->ForThread());
  for (uint64_t number = first; !run.over.load(std::memory_order_relaxed); ++number) {
    const size_t key = number % run.keys.size();
    try {
      SignOnce(run, lane, key, signers[key], number);
    } catch (const std::exception& error) {
      lane.errors += 1;
      std::fprintf(stderr, "soak_bench: %s\n", error.what());
      std::this_thread::sleep_for(std::chrono::milliseconds(100));  // it may be away for a while
    }
  }
}

// What all threads have counted together since the run began.
struct Totals {
  explicit Totals(const Run& run) : took(run.keys.size(), Counts(Histogram::kClasses)) {
    for (const Lane& lane : run.lanes) {
      errors += lane.errors;
      for (size_t key = 0; key < took.size(); ++key) lane.took[key].AddTo(took[key]);
    }
  }
  uint64_t errors = 0;
  std::vector<Counts> took;
};

std::string Figures(const Counts& counts, double seconds) {
  const uint64_t operations = std::accumulate(counts.begin(), counts.end(), uint64_t{0});
  char text[200];
  std::snprintf(text, sizeof text,
                R"("operations": %llu, "per_second": %.1f, "median_us": %.1f, "p99_us": %.1f, )"
                R"("p999_us": %.1f)",
                static_cast<unsigned long long>(operations),
                static_cast<double>(operations) / seconds, Histogram::Quantile(counts, 0.5),
                Histogram::Quantile(counts, 0.99), Histogram::Quantile(counts, 0.999));
  return text;
}

// Resident memory of this process, MiB.
double ResidentMemory() {
  std::ifstream in("/proc/self/statm");
  double total = 0;
  double resident = 0;
  if (!(in >> total >> resident)) throw std::runtime_error("cannot read /proc/self/statm");
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1024 * 1024);
}

// The window between two moments, as a line: all keys together, then each by itself.
void Print(const Totals& before, const Totals& now, double at, double seconds) {
  Counts all(Histogram::kClasses);
  std::string keys;
  for (size_t key = 0; key < now.took.size(); ++key) {
    Counts since(Histogram::kClasses);
    for (size_t i = 0; i < since.size(); ++i) {
      since[i] = now.took[key][i] - before.took[key][i];
      all[i] += since[i];
    }
    keys += (key == 0 ? "{" : ", {") + Figures(since, seconds) + "}";
  }
  std::printf(
      R"({"at": %.3f, "seconds": %.3f, %s, "errors": %llu, "caller_rss": %.2f, "keys": [%s]})"
      "\n",
      at, seconds, Figures(all, seconds).c_str(),
      static_cast<unsigned long long>(now.errors - before.errors), ResidentMemory(), keys.c_str());
  std::fflush(stdout);
}

void Soak(Run& run, unsigned threads, unsigned windows, double window) {
  for (uint64_t i = 0; i < threads; ++i) {
    Lane& lane = run.lanes.emplace_back(run.keys.size());
    lane.thread = std::thread([&run, &lane, i] { Work(run, lane, (i << 40) + i); });
  }
  const auto start = Clock::now();
  const auto since_start = [&] {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  Totals before(run);
  double last = 0;
  for (unsigned number = 1; number <= windows; ++number) {
    std::this_thread::sleep_until(start + std::chrono::duration_cast<Clock::duration>(
                                              std::chrono::duration<double>(window * number)));
    Totals now(run);
    const double at = since_start();
    Print(before, now, at, at - last);
    before = std::move(now);
    last = at;
  }
  run.over = true;
  for (Lane& lane : run.lanes) lane.thread.join();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"signatures by several keys in turn, counted window by window"};
  std::vector<std::string> uris;
  unsigned threads = 32;
  unsigned windows = 2;
  double window = 30;
  app.add_option("--uri", uris, "what OSSL_STORE opens, once for each key")->required();
  app.add_option("--threads", threads)->check(CLI::Range(1U, 256U));
  app.add_option("--windows", windows, "how many")->check(CLI::PositiveNumber);
  app.add_option("--window", window, "seconds of each")->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  try {
    Run run;
    for (const std::string& uri : uris) run.keys.push_back(keyclave::bench::MakeEvpSigner(uri, 0));
    Soak(run, threads, windows, window);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "soak_bench: %s\n", error.what());
    return 1;
  }
}
