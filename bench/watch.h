// The processor time that servers use while a load runs: they are processes of their own.
#pragma once

#include <sys/types.h>

#include <ctime>
#include <span>
#include <vector>

namespace keyclave::bench {

// For CLI11, of the option that names such processes.
inline constexpr const char* kWatchHelp =
    "process ids of servers, whose processor time (children's included) is measured too";

class CpuWatch {
 public:
  // Watches these processes, each together with the children that it has now. Throws
  // std::runtime_error if there is no such process.
  explicit CpuWatch(std::span<const pid_t> pids);

  // Seconds of processor time since then, one number for each process that was named. Throws
  // std::runtime_error if one of them, or of their children, has ended meanwhile.
  std::vector<double> Seconds() const;

 private:
  struct Watched {
    std::vector<clockid_t> clocks;  // of the process and its children
    double at_first = 0;
  };
  std::vector<Watched> watched_;
};

}  // namespace keyclave::bench
