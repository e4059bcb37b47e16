// Whether this daemon sends its callers to other members of its fleet: those who said that they
// have some (HelloRequest::can_move). All others are served as ever, and so is whoever stays.
#pragma once

#include <atomic>
#include <cstdint>

namespace keyclave::session {

class Drain {
 public:
  // Nothing changes if it has begun already.
  void Begin() {
    uint64_t none = 0;
    round_.compare_exchange_strong(none, last_.fetch_add(1) + 1);
  }
  void End() { round_.store(0); }
  // Numbers the drain in progress, so that each connection is told once; 0: there is none.
  uint64_t round() const { return round_.load(std::memory_order_relaxed); }

  // Open connections of callers that can move.
  std::atomic<uint64_t> movable{0};

 private:
  std::atomic<uint64_t> round_{0};
  std::atomic<uint64_t> last_{0};
};

}  // namespace keyclave::session
