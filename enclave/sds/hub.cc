#include "enclave/sds/hub.h"

#include "enclave/base/file.h"
#include "enclave/base/log.h"
#include "enclave/sds/stream.h"

namespace keyclave::sds {

Hub::ConfigPtr Hub::config() const {
  const std::lock_guard lock(mutex_);
  return config_;
}

void Hub::Reload(SdsConfig config) {
  {
    const std::lock_guard lock(mutex_);
    config_ = std::make_shared<const SdsConfig>(std::move(config));
  }
  for (const auto& stream : Streams()) stream->Recheck();
}

void Hub::EndAll() {
  for (const auto& stream : Streams()) stream->End();
}

void Hub::Add(const std::shared_ptr<Stream>& stream) {
  const std::lock_guard lock(mutex_);
  std::erase_if(streams_, [](const std::weak_ptr<Stream>& one) { return one.expired(); });
  streams_.push_back(stream);
}

std::vector<std::shared_ptr<Stream>> Hub::Streams() {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Stream>> alive;
  for (const std::weak_ptr<Stream>& one : streams_) {
    if (auto stream = one.lock()) alive.push_back(std::move(stream));
  }
  return alive;
}

uint64_t Hub::NextStreamId() {
  const std::lock_guard lock(mutex_);
  return ++last_stream_;
}

void Hub::Report(uint64_t stream, const std::string& secret, const std::string& line) {
  const std::string file = config()->status_file;
  const std::lock_guard lock(status_mutex_);
  if (line.empty()) {
    status_.erase({stream, secret});
  } else {
    status_[{stream, secret}] = line;
  }
  if (file.empty()) return;
  std::string text;
  for (const auto& [key, value] : status_) text.append(value).append("\n");
  const Status written = ReplaceFile(file, AsBytes(text), 0644);
  if (!written.ok()) Log(LogLevel::kWarning, written.error().Text());
}

Result<std::string> Authorize(const SdsConfig& config, const Peer& peer, std::string_view secret) {
  const CallerConfig* caller = config.FindCaller(peer.uid, peer.executable);
  if (caller == nullptr)
    return Fail(Code::kDenied, "uid " + std::to_string(peer.uid) + ", executable " +
                                   ToHex(peer.executable) + ": no such caller");
  if (caller->secrets.find(secret) == caller->secrets.end())
    return Fail(Code::kDenied, caller->name + " may not have the secret " + Printable(secret));
  return caller->name;
}

}  // namespace keyclave::sds
