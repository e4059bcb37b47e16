// A witness in memory that fails when it is told to. Its control outlives the vault that owns it.
#pragma once

#include <atomic>
#include <memory>
#include <optional>

#include "enclave/keys/vault.h"

namespace keyclave::fakes {

struct WitnessControl {
  std::optional<keys::Witness::Mark> mark;
  std::atomic<bool> fail_advance{false};
  uint64_t advances = 0;
};

class MemoryWitness final : public keys::Witness {
 public:
  explicit MemoryWitness(std::shared_ptr<WitnessControl> control) : control_(std::move(control)) {}
  std::string Name() const override { return "memory"; }
  Result<Mark> Read() override {
    if (!control_->mark.has_value()) return Fail(Code::kWitnessMissing, "memory");
    return *control_->mark;
  }
  Status Advance(const Mark& mark) override {
    if (control_->fail_advance) return Fail(Code::kIo, "fault");
    control_->mark = mark;
    ++control_->advances;
    return Done{};
  }

 private:
  const std::shared_ptr<WitnessControl> control_;
};

}  // namespace keyclave::fakes
