// A throw-away simulated enclave: its files in one directory, its daemon a child of this process.
//
// After Start succeeded the daemon answers. When the object goes, the daemon has ended; a temporary
// directory is gone too. If this process dies without a word, the kernel ends the daemon.
#pragma once

#include <optional>
#include <string>

#include "enclave/ctl/setup.h"

namespace keyclave::ctl {

class DevEnclave {
 public:
  // In `directory`, made or used again; in a new temporary one if it is empty. `interrupt` is
  // readable when a signal wants the start to end (kUnreachable).
  static Result<DevEnclave> Start(const std::string& directory, const Installation& installation,
                                  int interrupt);
  DevEnclave(DevEnclave&& other) noexcept;
  DevEnclave& operator=(DevEnclave&&) = delete;
  ~DevEnclave();

  const Places& places() const { return plan_.places; }
  const Child& daemon() const { return *daemon_; }
  // The last lines that the daemon logged.
  std::string LogTail() const;

 private:
  DevEnclave() = default;
  Status MakeDirectory(const std::string& directory);
  Status StartDaemon(const Installation& installation, int interrupt);
  std::string LogFile() const { return plan_.places.config_dir + "/keyclaved.log"; }

  SetupPlan plan_;
  bool temporary_ = false;
  std::optional<Child> daemon_;
};

}  // namespace keyclave::ctl
