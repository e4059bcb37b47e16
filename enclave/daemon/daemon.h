// The daemon put together: three stages by privilege.
//   SetUp   reads and unseals the state, makes the audit key, binds the sockets (with whatever
//   rights that takes) Drop    gives up those rights (enclave/server/sandbox.h) Serve   answers
//   until a signal asks it to end
#pragma once

#include "enclave/config/daemon_config.h"

namespace keyclave::daemon {

class Daemon {
 public:
  // Every error says what is wrong with the state or the configuration; nothing was changed.
  static Result<std::unique_ptr<Daemon>> SetUp(config::DaemonConfig config, const Clock& clock);
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  Status Drop();
  // Until SIGTERM or SIGINT; drains, writes the last checkpoint.
  Status Serve();

 private:
  struct Parts;
  explicit Daemon(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace keyclave::daemon
