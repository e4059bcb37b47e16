// Marks of other enclaves, whose witness this one is (`keep_marks:` of keyclaved.yaml): for each of
// them a file of its own below the state directory, as the witness of this enclave's own store is
// one. They are no part of the store: two enclaves may each be the other's witness.
#pragma once

#include <map>

#include "enclave/config/daemon_config.h"
#include "enclave/keys/object_store.h"

namespace keyclave::ops {

class MarkDesk {
 public:
  MarkDesk(const config::DaemonConfig& config, keys::ObjectStore& store)
      : config_(config), store_(store) {}

  // The newest mark under this name, with the given one taken into account; on disk when it
  // returns. A mark never goes back, and one of the same epoch never becomes another. kObjectLimit:
  // it would be one enclave too many; the witness's errors.
  Result<std::optional<keys::Witness::Mark>> Keep(const ByteArray<32>& name,
                                                  const std::optional<keys::Witness::Mark>& mark)
      KC_EXCLUDES(mutex_);

 private:
  struct Kept {
    std::unique_ptr<keys::Witness> file;
    std::optional<keys::Witness::Mark> newest;
  };
  // nullptr: there is none, and none is to be made.
  Result<Kept*> Find(const ByteArray<32>& name, bool make) KC_REQUIRES(mutex_);
  Status MakeRoom() const;

  const config::DaemonConfig& config_;
  keys::ObjectStore& store_;
  Mutex mutex_;
  std::map<ByteArray<32>, Kept> kept_ KC_GUARDED_BY(mutex_);
};

}  // namespace keyclave::ops
