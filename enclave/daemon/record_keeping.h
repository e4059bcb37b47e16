// The daemon's part in the audit log: usage totals, checkpoints by time, and the mark in the vault
// by which a log that lost its end is noticed at the next start.
#pragma once

#include "enclave/daemon/clock_watch.h"
#include "enclave/keys/root_sealer.h"
#include "enclave/ops/service.h"

namespace keyclave::daemon {

// kAuditBroken with how to go on, if the log is not the one that the vault remembers.
Result<std::unique_ptr<audit::AuditLog>> OpenAudit(const std::string& state,
                                                   keys::ObjectStore& store, const Clock& clock,
                                                   audit::AuditLog::Sign sign);
// For an operator who knows why the log is broken (keyclaved --accept-audit): records the break in
// a new file, from which the log goes on.
Status AcceptAudit(const config::DaemonConfig& config, const keys::RootSealer& sealer,
                   const Clock& clock);
// After a backup was restored: the log goes on, or begins, with a record of it.
Status RecordRestore(const config::DaemonConfig& config, keys::ObjectStore& store,
                     const Clock& clock, const std::vector<audit::Field>& fields);

class RecordKeeping {
 public:
  RecordKeeping(ops::Service& service, const Clock& clock);
  // Called every second or so: does what is due.
  void Tick();
  // At the end: everything that is left, the last record, its checkpoint, its mark.
  Status Finish();

 private:
  void WriteUsage();
  void WatchClock();
  Status KeepMark();

  ops::Service& service_;
  const Clock& clock_;
  ClockWatch watch_;
  std::chrono::steady_clock::time_point next_usage_;
  std::chrono::steady_clock::time_point next_mark_;
  UnixTime usage_since_;
  uint64_t marked_file_ = 0;
};

}  // namespace keyclave::daemon
