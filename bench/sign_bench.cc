// sign_bench: signatures per second of one key, wherever it lives. Prints one line of JSON. Each
// thread's first and last signature is verified with the public key outside the measured time; a
// wrong one fails the run.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <fstream>
#include <mutex>

#include "bench/load.h"
#include "bench/signer.h"
#include "bench/watch.h"

namespace {

using keyclave::bench::Digest;
using keyclave::bench::Signature;
using keyclave::bench::Signer;

struct Sample {
  Digest digest{};
  Signature signature;
};

keyclave::bench::LoadResult Measure(Signer& signer, unsigned threads, double warm_up,
                                    double seconds, std::span<const pid_t> watched) {
  std::mutex mutex;
  uint64_t lanes = 0;
  std::vector<std::shared_ptr<Sample>> last;
  const keyclave::bench::Worker worker = [&] {
    const std::lock_guard lock(mutex);
    auto sample = std::make_shared<Sample>();
    last.push_back(sample);
    return [sign = signer.ForThread(), sample, next = ++lanes << 40]() mutable {
      sample->digest = keyclave::bench::MakeDigest(++next);
      sample->signature = sign(sample->digest);
    };
  };
  auto result = keyclave::bench::RunLoad(threads, warm_up, seconds, worker, watched);
  for (const auto& sample : last) {
    if (!signer.Verify(sample->digest, sample->signature))
      throw std::runtime_error("a signature does not verify");
  }
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"signatures per second, RSA PKCS #1 v1.5 or ECDSA over SHA-256 digests"};
  keyclave::bench::Pkcs11Options pkcs11;
  std::string uri;
  std::string pin_file;
  unsigned threads = 1;
  unsigned jobs = 0;
  double seconds = 1;
  double warm_up = 0.3;
  std::vector<pid_t> watched;
  auto* module = app.add_option("--module", pkcs11.module, "PKCS#11 module to load");
  app.add_option("--token", pkcs11.token, "label of the token")->needs(module);
  app.add_option("--label", pkcs11.label, "CKA_LABEL of the key")->needs(module);
  app.add_option("--pin-file", pin_file, "file with the user PIN")->needs(module);
  app.add_option("--uri", uri, "what OSSL_STORE opens: a PEM file or a pkcs11: URI")
      ->excludes(module);
  app.add_option("--threads", threads)->check(CLI::Range(1U, 256U));
  app.add_option("--jobs", jobs, "asynchronous jobs on each thread, with --uri")
      ->check(CLI::Range(0U, 256U));
  app.add_option("--seconds", seconds, "measured time");
  app.add_option("--warm-up", warm_up, "seconds before, not counted");
  app.add_option("--watch", watched, keyclave::bench::kWatchHelp);
  CLI11_PARSE(app, argc, argv);
  try {
    if (!pin_file.empty()) {
      std::ifstream in(pin_file);
      if (!std::getline(in, pkcs11.pin)) throw std::runtime_error("cannot read " + pin_file);
    }
    const auto signer =
        uri.empty() ? MakePkcs11Signer(pkcs11) : keyclave::bench::MakeEvpSigner(uri, jobs);
    keyclave::bench::Print(Measure(*signer, threads, warm_up, seconds, watched));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "sign_bench: %s\n", error.what());
    return 1;
  }
}
