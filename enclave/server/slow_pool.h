// A few threads for requests that take long (making RSA keys), so that no worker waits for them.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "enclave/base/mutex.h"

namespace keyclave::server {

class SlowPool {
 public:
  using Task = std::function<void()>;

  SlowPool() = default;
  ~SlowPool() { Stop(); }
  SlowPool(const SlowPool&) = delete;
  SlowPool& operator=(const SlowPool&) = delete;

  void Start(unsigned threads);
  // Tasks start in the order they came. After Stop they are dropped.
  void Submit(Task task);
  // Drops what has not started and waits for what has.
  void Stop();

 private:
  void Run();

  Mutex mutex_;
  std::condition_variable_any wake_;
  std::deque<Task> tasks_ KC_GUARDED_BY(mutex_);
  bool stopped_ KC_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

// Starts a thread that receives no signals: the main thread alone answers them.
std::thread StartThread(std::function<void()> body);

}  // namespace keyclave::server
