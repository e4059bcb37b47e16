// The time at which collateral is judged, and the patience with what is past its nextUpdate.
#pragma once

#include <optional>

#include "enclave/base/clock.h"

namespace keyclave::attest {

struct CollateralTime {
  // Judged at this time, without patience.
  CollateralTime(UnixTime time) : now(time) {}  // NOLINT(google-explicit-constructor)
  // What is past its nextUpdate by at most `seconds` is used all the same, and told: `expired_at`
  // becomes the earliest such nextUpdate.
  CollateralTime(UnixTime time, uint64_t seconds, std::optional<UnixTime>* first)
      : now(time), grace(static_cast<UnixTime>(seconds)), expired_at(first) {}

  bool IsLate(UnixTime next_update) const { return now > next_update; }
  // Whether it may be used though it is late; if so, that is noted. Only for what nothing current
  // is there in place of.
  bool Bear(UnixTime issued, UnixTime next_update) const {
    if (expired_at == nullptr || now < issued || !IsLate(next_update) || now - next_update > grace)
      return false;
    if (!expired_at->has_value() || next_update < **expired_at) *expired_at = next_update;
    return true;
  }

  UnixTime now;
  UnixTime grace = 0;  // seconds
  std::optional<UnixTime>* expired_at = nullptr;
};

}  // namespace keyclave::attest
