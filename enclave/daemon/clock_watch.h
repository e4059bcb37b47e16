// Notices that the wall clock was set: it is the host's, and what is judged by it (evidence,
// grants, policies' `valid`) was judged by the wrong time.
#pragma once

#include "enclave/base/clock.h"

namespace keyclave::daemon {

class ClockWatch {
 public:
  // Less than this is a clock that is being kept right.
  static constexpr std::chrono::seconds kSmallestJump{30};

  explicit ClockWatch(const Clock& clock)
      : clock_(clock), wall_(clock.Now()), steady_(clock.Steady()) {}

  // By how many seconds the wall clock has jumped since the last look, forward or back; 0: not at
  // all. Each jump is seen once.
  int64_t Look();

 private:
  const Clock& clock_;
  UnixTime wall_;
  std::chrono::steady_clock::time_point steady_;
};

}  // namespace keyclave::daemon
