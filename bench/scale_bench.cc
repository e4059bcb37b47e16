// scale_bench: how fast a daemon finds, first uses, uses and makes keys, in a token of key_names.h.
// Prints one line of JSON.
#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdio>
#include <exception>
#include <memory>
#include <random>

#include "bench/enclave_caller.h"
#include "bench/key_names.h"
#include "bench/load.h"

namespace {

using keyclave::bench::EnclaveCaller;
using keyclave::bench::IdOf;
using keyclave::bench::KeyNamed;
using keyclave::bench::LabelOf;

struct Options {
  std::string config = keyclave::client::DefaultConfigPath();
  std::string token;
  std::string work = "find";
  std::string name = "made";
  uint64_t keys = 1;
  uint64_t offset = 0;
  uint64_t count = 0;
  unsigned threads = 1;
  double seconds = 1;
  double warm_up = 0.3;
};

// Makes a caller's one operation. What the operations share is in `next`.
std::function<void()> Operation(const Options& options, std::atomic<uint64_t>& next) {
  auto config = keyclave::bench::Must(keyclave::client::LoadClientConfig(options.config));
  auto caller = std::make_shared<EnclaveCaller>(std::move(config));
  const keyclave::wire::TokenId token = caller->FindToken(options.token);
  if (options.work == "find") {
    return [caller, token, random = std::mt19937_64(next++), keys = options.keys]() mutable {
      caller->FindPair(token, IdOf(random() % keys));
    };
  }
  if (options.work == "make") {
    return [caller, token, &next, name = options.name] {
      const std::string number = std::to_string(next++);
      caller->MakeKey(token, name + " " + number, name + " id " + number);
    };
  }
  // One key signs before the measurement: evidence and grants are there, and for "sign" the key is.
  const auto hot = KeyNamed(options.token, LabelOf(0));
  for (int i = 0; i < 20; ++i) caller->Sign(hot);
  if (options.work == "sign") {
    return [caller, hot] { caller->Sign(hot); };
  }
  return [caller, &options, &next] {
    caller->Sign(KeyNamed(options.token, LabelOf(options.offset + next++)));
  };
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"operations per second of a daemon with many keys"};
  Options options;
  app.add_option("--config", options.config, "client.yaml");
  app.add_option("--token", options.token, "label of the token")->required();
  app.add_option("--work", options.work, "first: a signature by each of --count keys from --offset")
      ->check(CLI::IsMember({"find", "sign", "first", "make"}));
  app.add_option("--name", options.name, "what new keys are called");
  app.add_option("--keys", options.keys, "how many there are");
  app.add_option("--offset", options.offset, "the first key that is used");
  app.add_option("--count", options.count, "operations, instead of --seconds");
  app.add_option("--threads", options.threads, "callers, each with evidence of its own");
  app.add_option("--seconds", options.seconds, "measured time");
  app.add_option("--warm-up", options.warm_up, "seconds before, not counted");
  CLI11_PARSE(app, argc, argv);
  try {
    std::atomic<uint64_t> next{0};
    const auto worker = [&] { return Operation(options, next); };
    using namespace keyclave::bench;
    Print(options.count != 0 ? RunCount(options.threads, options.count, worker)
                             : RunLoad(options.threads, options.warm_up, options.seconds, worker));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "scale_bench: %s\n", error.what());
    return 1;
  }
}
