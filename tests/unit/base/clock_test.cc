#include "enclave/base/clock.h"

#include <gtest/gtest.h>

#include <ctime>

namespace keyclave {
namespace {

TEST(Time, IsReadAsItIsWritten) {
  for (const UnixTime time : {INT64_C(0), INT64_C(1), INT64_C(951782400), INT64_C(1790000000),
                              INT64_C(4102444799), INT64_C(-1)}) {
    const auto parsed = ParseTime(FormatTime(time));
    ASSERT_TRUE(parsed.ok()) << time;
    EXPECT_EQ(*parsed, time);
  }
  EXPECT_EQ(FormatTime(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(FormatTime(1795319820), "2026-11-22T03:57:00Z");
}

TEST(Time, ADateIsItsFirstSecond) {
  EXPECT_EQ(*ParseTime("1970-01-02"), 86400);
  EXPECT_EQ(*ParseTime("2024-02-29"), *ParseTime("2024-02-29T00:00:00Z"));
}

TEST(Time, DoesNotDependOnTheTimeZone) {
  setenv("TZ", "America/New_York", 1);
  tzset();
  EXPECT_EQ(*ParseTime("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(FormatTime(0), "1970-01-01T00:00:00Z");
  unsetenv("TZ");
  tzset();
}

TEST(Time, RefusesWhatIsNoTime) {
  for (const char* bad : {"",
                          "2026",
                          "2026-13-01",
                          "2026-00-01",
                          "2026-02-30",
                          "2023-02-29",
                          "2026-04-31",
                          "2026-01-32",
                          "2026-01-01T00:00:00",
                          "2026-01-01 00:00:00Z",
                          "2026-01-01T24:00:00Z",
                          "2026-01-01T00:60:00Z",
                          "2026-01-01T00:00:00+01:00",
                          "2026-01-01x",
                          "tomorrow",
                          " 2026-01-01",
                          "2026-1-1",
                          "2026-01-01T1:2:3Z",
                          "+2026-01-01",
                          "2026- 1-01",
                          "2026-01-01T00:00:60Z",
                          "2026-01-01T00:00:61Z",
                          "20266-01-01"})
    EXPECT_EQ(ParseTime(bad).ok() ? "accepted" : CodeName(ParseTime(bad).code()),
              CodeName(Code::kMalformed))
        << bad;
}

TEST(Time, SystemClockTellsTheTime) {
  const SystemClock clock;
  const UnixTime before = std::time(nullptr);
  const UnixTime now = clock.Now();
  EXPECT_GE(now, before);
  EXPECT_LE(now, std::time(nullptr));
  const auto first = clock.Steady();
  EXPECT_LE(first, clock.Steady());
}

}  // namespace
}  // namespace keyclave
