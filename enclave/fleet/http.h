// POST requests by libcurl to whichever of several hosts answers.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "enclave/base/mutex.h"
#include "enclave/fleet/etcd.h"

namespace keyclave::fleet {

struct HttpReply {
  long status = 0;  // 200, …
  std::string body;
};

// How a request failed with one host.
struct HttpFailure {
  std::string why;
  bool sent = true;  // false: surely nothing of it arrived there
};

class Http {
 public:
  using Deadline = std::chrono::steady_clock::time_point;
  // With each piece of a body as it comes; false: enough.
  using Piece = std::function<bool(std::string_view)>;

  // Certificates and keys are read whenever a connection is made.
  explicit Http(const EtcdConfig& config);
  ~Http();

  size_t hosts() const { return config_.endpoints.size(); }
  // To the host of this number. The reply is complete, whatever its status, or there is a failure.
  std::optional<HttpFailure> Post(size_t host, const std::string& path, const std::string& body,
                                  Deadline deadline, HttpReply& reply);
  // Hands over the body piece by piece until `piece` has enough (no failure) or the time is over
  // (no failure either).
  std::optional<HttpFailure> Stream(size_t host, const std::string& path, const std::string& body,
                                    Deadline deadline, const Piece& piece);

 private:
  struct Handle;
  using HandlePtr = std::unique_ptr<Handle>;
  HandlePtr Take() KC_EXCLUDES(mutex_);
  void Return(HandlePtr handle) KC_EXCLUDES(mutex_);
  void Prepare(Handle& handle, size_t host, const std::string& path, const std::string& body,
               Deadline deadline) const;

  const EtcdConfig config_;
  Mutex mutex_;
  std::vector<HandlePtr> idle_ KC_GUARDED_BY(mutex_);  // each keeps its connections
};

}  // namespace keyclave::fleet
