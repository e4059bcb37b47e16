#include "enclave/fleet/etcd.h"

#include <atomic>

#include "enclave/base/file.h"
#include "enclave/fleet/etcd_json.h"
#include "enclave/fleet/http.h"

namespace keyclave::fleet {
namespace {

constexpr long kHttpOk = 200;
constexpr size_t kMaxLine = size_t{16} << 20;  // bytes of one message of a stream
constexpr size_t kMaxFile = size_t{1} << 20;   // bytes of a certificate's or key's file

class HttpEtcd final : public Etcd {
 public:
  explicit HttpEtcd(EtcdConfig config) : config_(std::move(config)), http_(config_) {}

  Result<Range> Read(const RangeQuery& query) override {
    const Result<std::string> reply = Ask("/v3/kv/range", RangeRequest(query));
    if (reply.ok()) return ReadRange(*reply);
    return reply.code() == Code::kStoreIo ? Fail(Code::kStoreUnreachable, reply.error().detail())
                                          : reply.error();
  }

  // An answer that cannot be read leaves open what happened.
  Result<Outcome> Commit(const Transaction& transaction) override {
    KC_ASSIGN(const std::string reply, Ask("/v3/kv/txn", TransactionRequest(transaction)));
    Result<Outcome> outcome = ReadOutcome(reply);
    return outcome.ok() ? outcome : Fail(Code::kStoreIo, outcome.error().detail());
  }

  Result<bool> Watch(const Bytes& key, int64_t revision,
                     std::chrono::milliseconds timeout) override {
    const std::string request = WatchRequest(key, revision + 1);
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    const size_t host = favourite_.load();
    std::string lines;
    bool moved = false;
    const auto failure =
        http_.Stream(host, "/v3/watch", request, deadline, [&](std::string_view piece) {
          lines.append(piece);
          moved = TakeEvents(lines);
          return !moved && lines.size() < kMaxLine;
        });
    if (!failure.has_value()) return moved;
    favourite_.store((host + 1) % http_.hosts());
    return Fail(Code::kStoreUnreachable, config_.endpoints[host] + ": " + failure->why);
  }

 private:
  // One endpoint after the other, beginning with the one that answered last. An attempt has a share
  // of the time, so that one that is silent leaves some for the others.
  Result<std::string> Ask(const std::string& path, const std::string& request) {
    const auto deadline = std::chrono::steady_clock::now() + config_.deadline;
    const size_t first = favourite_.load();
    std::string reasons;
    bool sent = false;
    for (size_t i = 0; i < http_.hosts(); ++i) {
      const size_t host = (first + i) % http_.hosts();
      const auto now = std::chrono::steady_clock::now();
      if (now >= deadline) break;
      const auto share = (deadline - now) / static_cast<int64_t>(http_.hosts() - i);
      HttpReply reply;
      std::string why;
      if (const auto failure = http_.Post(host, path, request, now + share, reply)) {
        why = failure->why;
        sent = sent || failure->sent;
      } else if (reply.status == kHttpOk) {
        favourite_.store(host);
        return std::move(reply.body);
      } else {
        if (auto refusal = ReadRefusal(reply.status, reply.body, why)) return *std::move(refusal);
        sent = true;
      }
      reasons += (reasons.empty() ? "" : "; ") + config_.endpoints[host] + ": " + why;
    }
    return Fail(sent ? Code::kStoreIo : Code::kStoreUnreachable, "etcd: " + reasons);
  }

  const EtcdConfig config_;
  Http http_;
  std::atomic<size_t> favourite_{0};
};

}  // namespace

Bytes PrefixEnd(ByteSpan prefix) {
  Bytes end = ToBytes(prefix);
  while (!end.empty() && end.back() == 0xff) end.pop_back();
  if (!end.empty()) ++end.back();
  return end;
}

Result<std::unique_ptr<Etcd>> Etcd::Create(EtcdConfig config) {
  for (const std::string& file : {config.ca_file, config.certificate_file, config.key_file}) {
    if (file.empty()) continue;
    const auto read = ReadFile(file, kMaxFile);
    if (!read.ok()) return read.error();
  }
  return std::unique_ptr<Etcd>(std::make_unique<HttpEtcd>(std::move(config)));
}

}  // namespace keyclave::fleet
