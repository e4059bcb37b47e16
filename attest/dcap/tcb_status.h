// What Intel says of a TCB level, and how the words about a platform and about the enclaves and
// modules on it become one.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "enclave/base/clock.h"

namespace keyclave::attest::dcap {

enum class TcbStatus : uint8_t {
  kUpToDate,
  kSwHardeningNeeded,
  kConfigurationNeeded,
  kConfigurationAndSwHardeningNeeded,
  kOutOfDate,
  kOutOfDateConfigurationNeeded,
  kRevoked,
};

// "UpToDate", "SWHardeningNeeded" …; nullopt for a word that Intel's documents do not define.
std::optional<TcbStatus> TcbStatusFromIntel(std::string_view word);
// "up-to-date", "sw-hardening-needed" …, as claims say it.
std::string_view TcbStatusClaim(TcbStatus status);

// A component (quoting enclave, TDX module) can only make the platform's status worse: revoked
// wins, and what is not up to date makes the whole out of date, configuration needed or not.
TcbStatus Merge(TcbStatus platform, TcbStatus component);

// One entry of "tcbLevels" that was matched.
struct TcbFinding {
  TcbStatus status = TcbStatus::kRevoked;
  UnixTime date = 0;  // tcbDate
  std::vector<std::string> advisories;
};

}  // namespace keyclave::attest::dcap
