#include "pkcs11/log_sink.h"

#include <sys/syslog.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "enclave/base/log.h"

namespace keyclave::pkcs11 {
namespace {

// One write per line, so that lines of several processes do not mix.
void ToStderr(LogLevel /*level*/, std::string_view line) {
  const std::string whole = "keyclave-pkcs11: " + std::string(line) + "\n";
  const ssize_t written = write(STDERR_FILENO, whole.data(), whole.size());
  if (written < 0) return;  // a host that closed its stderr does not want to know
}

int Priority(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return LOG_DEBUG;
    case LogLevel::kInfo: return LOG_INFO;
    case LogLevel::kWarning: return LOG_WARNING;
    case LogLevel::kError: break;
  }
  return LOG_ERR;
}

// No openlog: its identity and options belong to the host.
void ToSyslog(LogLevel level, std::string_view line) {
  syslog(Priority(level), "keyclave-pkcs11: %.*s", static_cast<int>(line.size()), line.data());
}

}  // namespace

void SetLogFromEnvironment() {
  // secure_getenv: a set-user-id host is not told where to write by its caller.
  const char* value = secure_getenv("KEYCLAVE_LOG");
  if (value == nullptr) return;
  const std::string_view text(value);
  const size_t comma = text.find(',');
  const std::string_view place = text.substr(0, comma);
  const bool debug = comma != std::string_view::npos && text.substr(comma + 1) == "debug";
  const LogLevel lowest = debug ? LogLevel::kDebug : LogLevel::kInfo;
  if (place == "stderr") SetLogSink(ToStderr, lowest);
  if (place == "syslog") SetLogSink(ToSyslog, lowest);
}

void Complain(std::string_view line) { ToStderr(LogLevel::kError, line); }

}  // namespace keyclave::pkcs11
