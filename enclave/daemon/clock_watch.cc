#include "enclave/daemon/clock_watch.h"

#include <cstdlib>

namespace keyclave::daemon {

int64_t ClockWatch::Look() {
  const UnixTime wall = clock_.Now();
  const auto steady = clock_.Steady();
  const auto passed = std::chrono::duration_cast<std::chrono::seconds>(steady - steady_).count();
  const int64_t jump = wall - wall_ - passed;
  wall_ = wall;
  steady_ = steady;
  return std::abs(jump) < kSmallestJump.count() ? 0 : jump;
}

}  // namespace keyclave::daemon
