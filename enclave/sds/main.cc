// keyclave-sds: Envoy's Secret Discovery Service, with leaf keys of its own and certificates of the
// enclave's CAs.
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "enclave/base/log.h"
#include "enclave/client/config.h"
#include "enclave/sds/server.h"

namespace {

using keyclave::LogLevel;

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return spdlog::level::debug;
    case LogLevel::kInfo: return spdlog::level::info;
    case LogLevel::kWarning: return spdlog::level::warn;
    case LogLevel::kError: return spdlog::level::err;
  }
  return spdlog::level::err;
}

void StartLogging() {
  auto logger = std::make_shared<spdlog::logger>("keyclave-sds",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ keyclave-sds[%P] %l: %v",
                      spdlog::pattern_time_type::utc);
  logger->flush_on(spdlog::level::debug);
  spdlog::set_default_logger(std::move(logger));
  keyclave::SetLogSink(
      [](LogLevel level, std::string_view line) { spdlog::log(ToSpdlog(level), "{}", line); },
      LogLevel::kInfo);
}

int Main(int argc, char** argv) {
  keyclave::sds::Arguments arguments;
  arguments.client = keyclave::client::DefaultConfigPath();
  CLI::App app(
      "keyclave-sds gives Envoy its certificates: short-lived keys, made in memory for processes "
      "that the configuration names, with certificates that a CA in the enclave issues.");
  bool check = false;
  app.add_option("--sds-config", arguments.config, "who may have which secrets (sds.yaml)")
      ->capture_default_str();
  app.add_option("--config", arguments.client, "client.yaml, where sds.yaml names none")
      ->capture_default_str();
  app.add_flag("--check", check, "only read the configuration, and say what is wrong with it");
  app.footer("SIGHUP reads sds.yaml again; SIGTERM ends it. See docs/servers/envoy.md.");
  app.set_version_flag("--version", "keyclave-sds " KEYCLAVE_VERSION);
  CLI11_PARSE(app, argc, argv);
  umask(077);
  StartLogging();
  keyclave::Status status = keyclave::Done{};
  if (check) {
    const auto config = keyclave::sds::LoadSdsConfig(arguments.config);
    if (!config.ok()) status = config.error();
  } else {
    status = keyclave::sds::Serve(arguments);
  }
  if (status.ok()) return 0;
  std::cerr << "keyclave-sds: " << status.error().Text() << '\n';
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return Main(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "keyclave-sds: internal error: " << error.what() << "\n";
    return 1;
  }
}
