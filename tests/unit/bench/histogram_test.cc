#include "bench/histogram.h"

#include <gtest/gtest.h>

#include <random>

namespace keyclave::bench {
namespace {

using std::chrono::nanoseconds;

Counts Of(const Histogram& histogram) {
  Counts counts(Histogram::kClasses);
  histogram.AddTo(counts);
  return counts;
}

TEST(HistogramTest, HasNothingToSayOfNothing) {
  EXPECT_EQ(Histogram::Quantile(Of(Histogram()), 0.5), 0);
}

TEST(HistogramTest, StandsForEachDurationWithinAThirtySecond) {
  for (int64_t took = 4096; took < int64_t{1} << 41; took += 1 + took / 37) {
    Histogram histogram;
    histogram.Add(nanoseconds(took));
    const double micros = static_cast<double>(took) / 1000;
    EXPECT_NEAR(Histogram::Quantile(Of(histogram), 0.5), micros, micros / 32) << took;
  }
}

TEST(HistogramTest, TakesWhatIsOutsideItsClasses) {
  Histogram histogram;
  histogram.Add(nanoseconds(-5));
  histogram.Add(nanoseconds::max());
  const Counts counts = Of(histogram);
  EXPECT_EQ(counts.front(), 1U);
  EXPECT_EQ(counts.back(), 1U);
}

TEST(HistogramTest, FindsQuantilesAsSortingDoes) {
  std::mt19937_64 random(7);
  std::lognormal_distribution<double> durations(11, 2);
  Histogram histogram;
  std::vector<double> sorted;
  for (int i = 0; i < 10'000; ++i) {
    const auto took = static_cast<int64_t>(durations(random)) + 4096;
    histogram.Add(nanoseconds(took));
    sorted.push_back(static_cast<double>(took) / 1000);
  }
  std::sort(sorted.begin(), sorted.end());
  for (const double q : {0.0, 0.5, 0.99, 0.999, 1.0}) {
    const double exact = sorted[static_cast<size_t>(q * 9'999)];
    EXPECT_NEAR(Histogram::Quantile(Of(histogram), q), exact, exact / 32) << q;
  }
}

TEST(HistogramTest, CountsOfSeveralAddUp) {
  Histogram one;
  Histogram other;
  one.Add(nanoseconds(10'000));
  other.Add(nanoseconds(1'000'000));
  other.Add(nanoseconds(1'000'000));
  Counts sum = Of(one);
  other.AddTo(sum);
  EXPECT_NEAR(Histogram::Quantile(sum, 0), 10, 1);
  EXPECT_NEAR(Histogram::Quantile(sum, 0.5), 1000, 40);
}

}  // namespace
}  // namespace keyclave::bench
