#include "enclave/base/spin.h"

#include <gtest/gtest.h>

namespace keyclave {
namespace {

using std::chrono::microseconds;

// How often a wait asks for what never comes, or comes when it is asked `after` times.
int Asked(Spin& spin, int after = 0) {
  int asked = 0;
  const bool came = spin.Wait([&] { return ++asked == after; });
  EXPECT_EQ(came, after != 0 && asked == after);
  return asked;
}

TEST(Spin, NeverWithoutALimitOrOnOneProcessor) {
  Spin off(microseconds(0), 8);
  EXPECT_EQ(Asked(off), 0);
  Spin alone(microseconds(1000), 1);
  EXPECT_EQ(Asked(alone), 0);
}

TEST(Spin, AsksAgainWhileThatSucceeds) {
  Spin spin(microseconds(1000), 2);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(Asked(spin, 1), 1);
}

TEST(Spin, GivesUpWhatDoesNotPayAndTriesItNowAndThen) {
  Spin spin(microseconds(1), 2);
  int waits_that_asked = 0;
  for (int i = 0; i < 1280; ++i) waits_that_asked += Asked(spin) > 0 ? 1 : 0;
  EXPECT_EQ(waits_that_asked, 10);
  // What pays again is taken up again.
  while (Asked(spin, 1) == 0) {
  }
  EXPECT_EQ(Asked(spin, 1), 1);
}

}  // namespace
}  // namespace keyclave
