// Time as an argument: whoever needs it is handed a Clock or a UnixTime, so that tests decide what
// time it is.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "enclave/base/result.h"

namespace keyclave {

using UnixTime = int64_t;  // seconds since 1970-01-01T00:00:00Z

class Clock {
 public:
  virtual ~Clock() = default;
  virtual UnixTime Now() const = 0;
  // The same, as finely as the clock has it.
  virtual std::chrono::system_clock::time_point Wall() const {
    return std::chrono::system_clock::time_point(std::chrono::seconds(Now()));
  }
  // Never goes back; unrelated to Now.
  virtual std::chrono::steady_clock::time_point Steady() const = 0;
};

// The operating system's clocks.
class SystemClock final : public Clock {
 public:
  UnixTime Now() const override;
  std::chrono::system_clock::time_point Wall() const override {
    return std::chrono::system_clock::now();
  }
  std::chrono::steady_clock::time_point Steady() const override {
    return std::chrono::steady_clock::now();
  }
};

std::string FormatTime(UnixTime time);              // 2026-11-22T03:37:00Z
Result<UnixTime> ParseTime(std::string_view text);  // RFC 3339 in UTC, or a date (its first second)

}  // namespace keyclave
