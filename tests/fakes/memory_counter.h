// A counter in memory that fails when it is told to. Its control outlives whoever counts with it.
#pragma once

#include <atomic>
#include <optional>

#include "enclave/keys/root_sealer.h"

namespace keyclave::fakes {

struct CounterControl {
  std::optional<uint64_t> value;
  bool fail = false;
  bool lose_reply = false;  // the next increment counts, and fails all the same
  std::atomic<uint64_t> increments{0};
};

class MemoryCounter final : public keys::MonotonicCounter {
 public:
  explicit MemoryCounter(std::shared_ptr<CounterControl> control) : control_(std::move(control)) {}
  std::string Name() const override { return "the counter in memory"; }
  Result<uint64_t> Create() override {
    if (control_->value.has_value()) return Fail(Code::kStoreExists, Name());
    control_->value = 100;  // as a TPM's: above every value that it ever had
    return *control_->value;
  }
  Result<uint64_t> Read() override {
    if (control_->fail) return Fail(Code::kSealingKeyUnavailable, "fault");
    if (!control_->value.has_value()) return Fail(Code::kWitnessMissing, Name());
    return *control_->value;
  }
  Result<uint64_t> Increment() override {
    if (control_->fail) return Fail(Code::kSealingKeyUnavailable, "fault");
    if (!control_->value.has_value()) return Fail(Code::kWitnessMissing, Name());
    ++*control_->value;
    ++control_->increments;
    if (std::exchange(control_->lose_reply, false))
      return Fail(Code::kSealingKeyUnavailable, "lost reply");
    return *control_->value;
  }
  Status Remove() override {
    control_->value.reset();
    return Done{};
  }

 private:
  const std::shared_ptr<CounterControl> control_;
};

// Keeps the secret as a simulated enclave does, and counts.
class CountingSealer final : public keys::RootSealer {
 public:
  std::string Name() const override { return "counting"; }
  Result<Bytes> Seal(const SecretBytes& root_secret) const override {
    if (fail_seal) return Fail(Code::kSealingKeyUnavailable, "fault");
    return keys::FileSealer().Seal(root_secret);
  }
  Result<SecretBytes> Unseal(ByteSpan sealed) const override {
    return keys::FileSealer().Unseal(sealed);
  }
  std::shared_ptr<keys::MonotonicCounter> Counter() const override {
    return std::make_shared<MemoryCounter>(control);
  }

  const std::shared_ptr<CounterControl> control = std::make_shared<CounterControl>();
  bool fail_seal = false;
};

}  // namespace keyclave::fakes
