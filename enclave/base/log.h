// Log lines with a level and a place to go. Silent until a sink is set: the daemon and the command
// line set theirs, the modules only when the user asks (KEYCLAVE_LOG=stderr|syslog). There is no
// overload for SecretBytes, and none may come.
#pragma once

#include <string_view>

namespace keyclave {

enum class LogLevel { kDebug, kInfo, kWarning, kError };
using LogSink = void (*)(LogLevel level, std::string_view line);

void SetLogSink(LogSink sink, LogLevel lowest);
bool LogEnabled(LogLevel level);
void Log(LogLevel level, std::string_view line);

}  // namespace keyclave
