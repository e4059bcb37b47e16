// Waiting without sleeping, while that pays: waking up an idle processor takes longer than a
// signature. Any thread may use it; what it learns is shared.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

namespace keyclave {

class Spin {
 public:
  // 0: never. On a machine with one processor it would only keep the other side from working.
  explicit Spin(std::chrono::microseconds limit,
                unsigned processors = std::thread::hardware_concurrency())
      : limit_(processors > 1 ? limit : std::chrono::microseconds(0)) {}

  // Asks `ready` again and again. False: it did not become so within the limit, or seldom did of
  // late: then sleep.
  template <class Ready>
  bool Wait(const Ready& ready) {
    if (limit_.count() == 0 || !IsWorthTrying()) return false;
    const auto end = std::chrono::steady_clock::now() + limit_;
    bool yes = false;
    do {
      yes = ready();
    } while (!yes && std::chrono::steady_clock::now() < end);
    Learn(yes);
    return yes;
  }

 private:
  static constexpr int kTrust = 8;            // after so many successes
  static constexpr unsigned kTryAgain = 128;  // each so many times, to see whether it pays again

  bool IsWorthTrying() {
    if (trust_.load(std::memory_order_relaxed) > 0) return true;
    return left_out_.fetch_add(1, std::memory_order_relaxed) % kTryAgain == 0;
  }
  void Learn(bool success) {
    const int trust = trust_.load(std::memory_order_relaxed);
    trust_.store(success ? std::min(trust + 1, kTrust) : std::max(trust - 2, 0),
                 std::memory_order_relaxed);
  }

  const std::chrono::microseconds limit_;
  std::atomic<int> trust_{0};
  std::atomic<unsigned> left_out_{0};
};

}  // namespace keyclave
