// What the daemon tells and asks of its operating system: memory locking, log lines, readiness,
// signals.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "enclave/base/clock.h"
#include "enclave/base/log.h"
#include "enclave/base/result.h"

namespace keyclave::daemon {

// Log lines go to standard error through spdlog, with time and level.
void StartLogging(LogLevel lowest);

// Raises the limits on locked memory and descriptors as far as allowed, and takes OpenSSL's secure
// heap, where private numbers live. Not possible: an error that says how to mend it, or with
// `allow_unlocked` a warning.
Status PrepareMemory(bool allow_unlocked, std::vector<std::string>& warnings);

// Blocks the signals that Serve waits for; before any thread starts.
void BlockSignals();
// Whether a signal asked the daemon to end; waits at most this long.
bool WaitForEnd(std::chrono::milliseconds timeout);

// Tells systemd (NOTIFY_SOCKET), if it asked to be told: "READY=1", "STOPPING=1".
void NotifyManager(std::string_view state);

// Says how far the start is, to the log and to systemd, which then waits longer: every few seconds,
// so that a start that is quick says nothing.
class StartProgress {
 public:
  explicit StartProgress(const Clock& clock) : clock_(clock), next_(clock.Steady() + kInterval) {}
  void operator()(uint64_t done, uint64_t all);

 private:
  static constexpr std::chrono::seconds kInterval{2};
  const Clock& clock_;
  std::chrono::steady_clock::time_point next_;
};

}  // namespace keyclave::daemon
