#include "enclave/base/clock.h"

#include <array>
#include <ctime>

namespace keyclave {

UnixTime SystemClock::Now() const {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string FormatTime(UnixTime time) {
  const std::time_t seconds = time;
  std::tm parts{};
  std::array<char, 32> text{};
  if (gmtime_r(&seconds, &parts) == nullptr) return "?";
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

Result<UnixTime> ParseTime(std::string_view text) {
  const std::string copy(text);
  for (const char* format : {"%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"}) {
    std::tm parts{};
    const char* end = strptime(copy.c_str(), format, &parts);
    if (end == nullptr || *end != '\0') continue;
    const std::tm asked = parts;
    const std::time_t seconds = timegm(&parts);
    if (asked.tm_mday != parts.tm_mday) return Fail(Code::kMalformed, "no such day: " + copy);
    // strptime takes spaces, short numbers and leap seconds, too.
    const std::string exact = FormatTime(seconds);
    if (copy == exact || copy + "T00:00:00Z" == exact) return UnixTime{seconds};
  }
  return Fail(Code::kMalformed,
              "not a time of the form 2026-11-22T03:37:00Z or 2026-11-22: " + copy);
}

}  // namespace keyclave
