#include "bench/watch.h"

#include <charconv>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <sstream>
#include <stdexcept>
#include <string>

namespace keyclave::bench {
namespace {

double Read(clockid_t clock) {
  timespec now{};
  if (clock_gettime(clock, &now) != 0) throw std::runtime_error("a watched process has ended");
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double ReadAll(const std::vector<clockid_t>& clocks) {
  return std::accumulate(clocks.begin(), clocks.end(), 0.0,
                         [](double sum, clockid_t clock) { return sum + Read(clock); });
}

clockid_t ClockOf(pid_t pid) {
  clockid_t clock{};
  if (clock_getcpuclockid(pid, &clock) != 0)
    throw std::runtime_error("no process " + std::to_string(pid));
  return clock;
}

// 0 if it has ended meanwhile.
pid_t ParentOf(const std::filesystem::path& process) {
  std::ifstream in(process / "stat");
  std::string text;
  std::getline(in, text);
  // "pid (name) state parent …", and a name may hold anything.
  std::istringstream fields(text.substr(std::min(text.rfind(')') + 1, text.size())));
  char state = 0;
  pid_t parent = 0;
  fields >> state >> parent;
  return parent;
}

std::vector<pid_t> ChildrenOf(pid_t parent) {
  std::vector<pid_t> children;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename().string();
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error == std::errc() && end == name.data() + name.size() &&
        ParentOf(entry.path()) == parent) {
      children.push_back(pid);
    }
  }
  return children;
}

}  // namespace

CpuWatch::CpuWatch(std::span<const pid_t> pids) {
  for (const pid_t pid : pids) {
    Watched one{.clocks = {ClockOf(pid)}, .at_first = 0};
    for (const pid_t child : ChildrenOf(pid)) one.clocks.push_back(ClockOf(child));
    watched_.push_back(std::move(one));
  }
  for (Watched& one : watched_) one.at_first = ReadAll(one.clocks);
}

std::vector<double> CpuWatch::Seconds() const {
  std::vector<double> seconds;
  for (const Watched& one : watched_) seconds.push_back(ReadAll(one.clocks) - one.at_first);
  return seconds;
}

}  // namespace keyclave::bench
