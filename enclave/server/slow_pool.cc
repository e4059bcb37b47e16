#include "enclave/server/slow_pool.h"

#include <csignal>

namespace keyclave::server {

std::thread StartThread(std::function<void()> body) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // a new thread inherits its maker's mask
  std::thread thread(std::move(body));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

void SlowPool::Start(unsigned threads) {
  for (unsigned i = 0; i < threads; ++i) threads_.push_back(StartThread([this] { Run(); }));
}

void SlowPool::Submit(Task task) {
  {
    const MutexLock lock(mutex_);
    if (stopped_) return;
    tasks_.push_back(std::move(task));
  }
  wake_.notify_one();
}

void SlowPool::Stop() {
  std::deque<Task> dropped;  // destroyed outside the lock
  {
    const MutexLock lock(mutex_);
    stopped_ = true;
    dropped.swap(tasks_);
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void SlowPool::Run() {
  for (;;) {
    Task task;
    {
      const MutexLock lock(mutex_);
      while (tasks_.empty() && !stopped_) wake_.wait(mutex_);
      if (stopped_) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
  }
}

}  // namespace keyclave::server
