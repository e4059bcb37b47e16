#include "enclave/base/log.h"

#include <atomic>

namespace keyclave {
namespace {
std::atomic<LogSink> current_sink{nullptr};
std::atomic<LogLevel> lowest_level{LogLevel::kInfo};
}  // namespace

void SetLogSink(LogSink sink, LogLevel lowest) {
  lowest_level.store(lowest, std::memory_order_relaxed);
  current_sink.store(sink, std::memory_order_release);
}

bool LogEnabled(LogLevel level) {
  return current_sink.load(std::memory_order_acquire) != nullptr &&
         level >= lowest_level.load(std::memory_order_relaxed);
}

void Log(LogLevel level, std::string_view line) {
  if (!LogEnabled(level)) return;
  if (const LogSink sink = current_sink.load(std::memory_order_acquire); sink != nullptr)
    sink(level, line);
}

}  // namespace keyclave
