// The backup that is being made, and the one that is being looked at: one of each at a time,
// whoever asks. A new one ends the one before.
#pragma once

#include "enclave/keys/backup.h"
#include "enclave/keys/object_store.h"

namespace keyclave::ops {

class BackupDesk {
 public:
  BackupDesk(keys::ObjectStore& store, const Clock& clock) : store_(store), clock_(clock) {}

  uint64_t Begin(UnixTime now) KC_EXCLUDES(mutex_);  // the backup's number
  // kWrongState if another one was begun, or the bytes before these did not arrive.
  Result<wire::ReadBackupReply> Read(const wire::ReadBackupRequest& request) KC_EXCLUDES(mutex_);
  // What BackupCheck says; kWrongState for bytes out of order.
  Result<wire::CheckBackupReply> Check(const wire::CheckBackupRequest& request) KC_EXCLUDES(mutex_);

  // Gives up what nobody has asked about for ten minutes: it takes memory. Called now and then.
  void EndIdle() KC_EXCLUDES(mutex_);

 private:
  keys::ObjectStore& store_;
  const Clock& clock_;
  Mutex mutex_;
  std::unique_ptr<keys::Backup> backup_ KC_GUARDED_BY(mutex_);
  uint64_t number_ KC_GUARDED_BY(mutex_) = 0;
  uint64_t given_ KC_GUARDED_BY(mutex_) = 0;  // bytes
  std::unique_ptr<keys::BackupCheck> check_ KC_GUARDED_BY(mutex_);
  uint64_t taken_ KC_GUARDED_BY(mutex_) = 0;  // bytes
  std::chrono::steady_clock::time_point used_ KC_GUARDED_BY(mutex_);
};

}  // namespace keyclave::ops
