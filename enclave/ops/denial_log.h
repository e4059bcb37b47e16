// The last denial of each object, for `keyclave explain`: who asked for what, with which claims. In
// memory, bounded.
#pragma once

#include <optional>

#include "enclave/authz/authorize.h"
#include "enclave/base/mutex.h"
#include "enclave/session/session.h"

namespace keyclave::ops {

struct Denial {
  UnixTime when = 0;
  authz::Operation operation{};
  std::string family;
  std::string caller;
  std::shared_ptr<const session::Session::Identity> identity;
  std::string reason;  // for those who administer the key
};

class DenialLog {
 public:
  void Record(const wire::ObjectId& object, Denial denial);
  // The newest denial of this object, of this operation if one is given.
  std::optional<Denial> Last(const wire::ObjectId& object,
                             std::optional<authz::Operation> operation) const;

 private:
  static constexpr size_t kMaxObjects = 4096;
  using ByOperation = std::map<authz::Operation, Denial>;
  mutable Mutex mutex_;
  std::map<wire::ObjectId, ByOperation> denials_ KC_GUARDED_BY(mutex_);
};

}  // namespace keyclave::ops
