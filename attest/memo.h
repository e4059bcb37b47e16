// What was once found out of bytes that never change, and is not found out again. No clock, root or
// list may have a say in it: whatever depends on those is checked each time.
//
// Without locks, so that a child of fork() finds none that is held.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>

#include "enclave/base/bytes.h"

namespace keyclave::attest {

// A value that the first who has it puts there, and that stays.
template <class T>
class SetOnce {
 public:
  SetOnce() = default;
  SetOnce(const SetOnce&) = delete;
  SetOnce& operator=(const SetOnce&) = delete;
  ~SetOnce() { delete value_.load(std::memory_order_acquire); }

  // nullptr if nobody has put one there.
  const T* Get() const { return value_.load(std::memory_order_acquire); }
  // What stands there then: this one, or that of a thread that came first.
  const T* Set(std::unique_ptr<const T> value) {
    const T* there = nullptr;
    if (value_.compare_exchange_strong(there, value.get(), std::memory_order_acq_rel))
      return value.release();
    return there;
  }

 private:
  std::atomic<const T*> value_ = nullptr;
};

// The keys (or certificates) under which a signature verified. The first few are kept: whoever has
// more than these has them checked each time.
class GoodUnder {
 public:
  static constexpr size_t kMax = 4;

  bool Has(ByteSpan key) const {
    return std::any_of(keys_.begin(), keys_.end(), [&](const SetOnce<Bytes>& one) {
      const Bytes* known = one.Get();
      return known != nullptr && Equal(*known, key);
    });
  }
  void Add(ByteSpan key) {
    for (SetOnce<Bytes>& one : keys_) {
      if (one.Get() != nullptr) continue;
      // Another thread may be first, with this key or with another.
      if (Equal(*one.Set(std::make_unique<const Bytes>(ToBytes(key))), key)) return;
    }
  }

 private:
  std::array<SetOnce<Bytes>, kMax> keys_;
};

}  // namespace keyclave::attest
