// callers_bench: many callers at once, each with a TLS key, a connection and evidence of its own.
// First all of them connect and attest; then all sign by one key at the same time. Prints one line
// of JSON after each, and waits for a line of input after the first, so that whoever drives it can
// look at the daemon meanwhile. With --attest it makes that many callers one after the other, who
// connect, attest and leave.
#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdio>
#include <exception>
#include <iostream>
#include <memory>

#include "bench/enclave_caller.h"
#include "bench/key_names.h"
#include "bench/load.h"

namespace {

using keyclave::bench::EnclaveCaller;
using keyclave::client::ClientConfig;

constexpr unsigned kConnecting = 16;  // threads that open connections

void Report(const keyclave::bench::LoadResult& result) {
  keyclave::bench::Print(result);
  std::fflush(stdout);
}

void AttestMany(const ClientConfig& config, uint64_t count) {
  Report(keyclave::bench::RunCount(kConnecting, count,
                                   [&] { return [&] { EnclaveCaller(config).Connect(); }; }));
}

void SignTogether(const ClientConfig& config, const std::string& token, size_t count,
                  double warm_up, double seconds) {
  std::vector<std::unique_ptr<EnclaveCaller>> callers(count);
  std::atomic<size_t> next{0};
  Report(keyclave::bench::RunCount(kConnecting, count, [&] {
    return [&] {
      auto& caller = callers[next++];
      caller = std::make_unique<EnclaveCaller>(config);
      caller->Connect();
    };
  }));
  std::string line;
  std::getline(std::cin, line);
  const auto key = keyclave::bench::KeyNamed(token, keyclave::bench::LabelOf(0));
  next = 0;
  Report(keyclave::bench::RunLoad(static_cast<unsigned>(count), warm_up, seconds, [&] {
    EnclaveCaller& caller = *callers[next++];
    caller.Sign(key);
    return [&] { caller.Sign(key); };
  }));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"many callers of one daemon"};
  std::string config_file = keyclave::client::DefaultConfigPath();
  std::string token;
  size_t callers = 1000;
  uint64_t attest = 0;
  double seconds = 1;
  double warm_up = 0.3;
  app.add_option("--config", config_file, "client.yaml");
  app.add_option("--token", token, "label of the token")->required();
  app.add_option("--callers", callers)->check(CLI::Range(1, 100'000));
  app.add_option("--attest", attest, "attestations, one caller after the other");
  app.add_option("--seconds", seconds, "measured time");
  app.add_option("--warm-up", warm_up, "seconds before, not counted");
  CLI11_PARSE(app, argc, argv);
  try {
    const ClientConfig config =
        keyclave::bench::Must(keyclave::client::LoadClientConfig(config_file));
    if (attest != 0) {
      AttestMany(config, attest);
    } else {
      SignTogether(config, token, callers, warm_up, seconds);
    }
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "callers_bench: %s\n", error.what());
    return 1;
  }
}
