// SQLite's files on a PowerCutDisk: a VFS for store::SqliteOptions. It has no shared memory, so a
// store that needed a wal-index beside its file would not open.
#pragma once

#include <sqlite3.h>

#include <memory>
#include <string>

#include "tests/fakes/power_cut_disk.h"

namespace keyclave::fakes {

class PowerCutVfs {
 public:
  // Registered under a name of its own, until it goes. Connections must be closed by then.
  explicit PowerCutVfs(PowerCutDisk& disk);
  ~PowerCutVfs();
  PowerCutVfs(const PowerCutVfs&) = delete;
  PowerCutVfs& operator=(const PowerCutVfs&) = delete;

  const char* name() const { return name_.c_str(); }

 private:
  const std::string name_;
  sqlite3_vfs vfs_{};
};

}  // namespace keyclave::fakes
