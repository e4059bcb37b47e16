// What all streams share: the configuration in force, the maker of secrets, the threads that wait
// for it, and the file that says how things stand.
#pragma once

#include <memory>
#include <mutex>

#include "enclave/sds/secret_maker.h"
#include "enclave/sds/worker.h"

namespace keyclave::sds {

// The process at the other end, as the kernel told when it connected.
struct Peer {
  uint32_t uid = 0;
  ByteArray<32> executable{};
};

class Stream;

class Hub {
 public:
  using ConfigPtr = std::shared_ptr<const SdsConfig>;
  Hub(SdsConfig config, SecretMaker& secret_maker, const Clock& time, Worker& threads)
      : maker(secret_maker),
        clock(time),
        worker(threads),
        config_(std::make_shared<const SdsConfig>(std::move(config))) {}

  SecretMaker& maker;
  const Clock& clock;
  Worker& worker;

  ConfigPtr config() const;
  // Puts another configuration in force, and has every stream look at itself again.
  void Reload(SdsConfig config);
  void EndAll();

  void Add(const std::shared_ptr<Stream>& stream);
  // A line of the status file; empty: none any more.
  void Report(uint64_t stream, const std::string& secret, const std::string& line);
  uint64_t NextStreamId();

 private:
  std::vector<std::shared_ptr<Stream>> Streams();

  mutable std::mutex mutex_;
  ConfigPtr config_;
  std::vector<std::weak_ptr<Stream>> streams_;
  uint64_t last_stream_ = 0;
  std::mutex status_mutex_;
  std::map<std::pair<uint64_t, std::string>, std::string> status_;
};

// The name of the caller that the configuration knows and that may have the secret; kDenied.
Result<std::string> Authorize(const SdsConfig& config, const Peer& peer, std::string_view secret);

}  // namespace keyclave::sds
