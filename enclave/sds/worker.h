// Threads that do things at their time: what asks the enclave waits for it, and must not hold up a
// thread of gRPC's.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

namespace keyclave::sds {

class Worker {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit Worker(size_t threads);
  ~Worker();  // what has begun is finished, the rest is dropped
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void At(Time when, std::function<void()> task);

 private:
  void Run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::multimap<Time, std::function<void()>> tasks_;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace keyclave::sds
