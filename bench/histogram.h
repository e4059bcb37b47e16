// How long operations took, counted in classes that are no wider than a thirty-second of what they
// stand for. The size does not grow with the number of operations: a run may last as long as it
// likes. One thread adds, any thread may read.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstdint>
#include <numeric>
#include <vector>

namespace keyclave::bench {

// Operations per class; those of several histograms may be added and subtracted.
using Counts = std::vector<uint64_t>;

class Histogram {
 public:
  static constexpr size_t kClasses = 1024;  // up to an hour

  void Add(std::chrono::nanoseconds took) {
    const uint64_t units = static_cast<uint64_t>(std::max<int64_t>(took.count(), 0)) / kUnit;
    std::atomic<uint64_t>& count = counts_[std::min(ClassOf(units), kClasses - 1)];
    count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  // `sum` has kClasses entries.
  void AddTo(Counts& sum) const {
    for (size_t i = 0; i < kClasses; ++i) sum[i] += counts_[i].load(std::memory_order_relaxed);
  }

  // The duration, in microseconds, that a share `q` of the operations did not exceed; 0 if there
  // are none.
  static double Quantile(const Counts& counts, double q) {
    const uint64_t all = std::accumulate(counts.begin(), counts.end(), uint64_t{0});
    if (all == 0) return 0;
    const auto rank = static_cast<uint64_t>(q * static_cast<double>(all - 1));
    uint64_t below = 0;
    size_t at = 0;
    while (below + counts[at] <= rank) below += counts[at++];
    return MiddleOf(at) * kUnit / 1000;
  }

 private:
  static constexpr uint64_t kUnit = 64;  // nanoseconds
  static constexpr uint64_t kHalf = 32;  // classes for each power of two

  // Each number below 64 is a class of its own; above, its six leading bits choose.
  static size_t ClassOf(uint64_t units) {
    if (units < 2 * kHalf) return units;
    const auto shift = static_cast<size_t>(std::bit_width(units)) - 6;
    return shift * kHalf + (units >> shift);
  }

  static double MiddleOf(size_t at) {
    if (at < 2 * kHalf) return static_cast<double>(at) + 0.5;
    const size_t shift = at / kHalf - 1;
    return (static_cast<double>(at - shift * kHalf) + 0.5) *
           static_cast<double>(uint64_t{1} << shift);
  }

  std::array<std::atomic<uint64_t>, kClasses> counts_{};
};

}  // namespace keyclave::bench
