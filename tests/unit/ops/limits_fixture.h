// Limits over a store and a witness that outlive crashes, and a clock that tests set.
#pragma once

#include <gtest/gtest.h>

#include "enclave/base/hash.h"
#include "enclave/ops/limits.h"
#include "tests/fakes/fault_store.h"
#include "tests/fakes/lasting_store.h"
#include "tests/fakes/memory_witness.h"

namespace keyclave::ops {
using authz::LimitRule;
using fakes::FaultControl;
using std::chrono::nanoseconds;

class ManualClock final : public Clock {
 public:
  UnixTime Now() const override { return 1'800'000'000 + wall_shift + nanos / 1'000'000'000; }
  std::chrono::system_clock::time_point Wall() const override {
    const auto seconds = std::chrono::seconds(1'800'000'000 + wall_shift);
    return std::chrono::system_clock::time_point(seconds + nanoseconds(nanos));
  }
  std::chrono::steady_clock::time_point Steady() const override {
    return std::chrono::steady_clock::time_point(nanoseconds(nanos - booted));
  }
  void Pass(std::chrono::nanoseconds time) { nanos += time.count(); }

  int64_t nanos = 0;
  int64_t booted = 0;      // when the machine that shows Steady was started
  int64_t wall_shift = 0;  // seconds
};

inline LimitRule Uses(uint64_t uses, LimitRule::Per per = LimitRule::Per::kKey) {
  return {.rate = std::nullopt, .burst = 0, .uses = uses, .per = per};
}
inline LimitRule Rate(uint64_t count, uint64_t seconds, uint64_t burst) {
  return {.rate = LimitRule::Rate{.count = count, .seconds = seconds},
          .burst = burst,
          .uses = std::nullopt,
          .per = LimitRule::Per::kKey};
}

class LimitsTest : public testing::Test {
 protected:
  void SetUp() override {
    Start(/*create=*/true);
    keys::Document policy{"p", 1, "policy: p\n", Sha256(AsBytes("policy: p\n"))};
    keys::Token token;
    token.label = "t";
    token_ = store_->CreateToken(token, policy).value();
    object_ = NewKey();
  }
  void Start(bool create = false) {
    store_ = keys::ObjectStore::OpenWith(
                 fakes::MakeFaultStore(std::make_unique<fakes::LastingStore>(disk_), faults_),
                 std::make_unique<fakes::MemoryWitness>(witness_),
                 SecretBytes::CopyOf(ByteArray<32>{7}), create)
                 .value();
    limits_ = std::make_unique<Limits>(*store_, clock_);
  }
  void Crash() {
    limits_.reset();
    store_.reset();
    Start();
  }
  void Restart() {
    ASSERT_TRUE(limits_->Close().ok());
    Crash();
  }
  wire::ObjectId NewKey(uint64_t session = 0) {
    keys::NewObject fresh;
    fresh.object.token = token_.id;
    fresh.object.session = session;
    fresh.object.attributes.SetUlong(CKA_CLASS, CKO_SECRET_KEY);
    fresh.material = SecretBytes::CopyOf(RandomArray<32>());
    std::vector<keys::NewObject> one;
    one.push_back(std::move(fresh));
    return store_->Insert(std::move(one)).value().front()->id;
  }
  LimitKey KeyAt(uint64_t permit, const session::CallerId& caller) const {
    return {.object = object_, .policy = "p", .permit = permit, .caller = caller};
  }
  Status TakeAt(uint64_t permit, const LimitRule& rule, uint8_t caller = 1) {
    const session::CallerId id{caller};
    return limits_->Take(KeyAt(permit, id), rule);
  }
  Status CheckAt(uint64_t permit, const LimitRule& rule, uint8_t caller = 1) {
    const session::CallerId id{caller};
    return limits_->Check(KeyAt(permit, id), rule);
  }
  uint64_t Used(const LimitRule& rule, uint8_t caller = 1) const {
    const session::CallerId id{caller};
    return limits_->Used(KeyAt(1, id), rule);
  }
  Status Take(const LimitRule& rule, uint8_t caller = 1) { return TakeAt(1, rule, caller); }
  // How many succeed until the limit is reached, at most `most`.
  uint64_t TakeAll(const LimitRule& rule, uint8_t caller = 1, uint64_t most = 1'000'000) {
    uint64_t taken = 0;
    while (taken < most) {
      const Status status = Take(rule, caller);
      if (!status.ok()) {
        EXPECT_EQ(CodeName(status.code()), CodeName(Code::kLimitReached));
        break;
      }
      ++taken;
    }
    return taken;
  }

  const std::shared_ptr<store::Store> disk_ = store::MakeMemoryStore();
  const std::shared_ptr<FaultControl> faults_ = std::make_shared<FaultControl>();
  const std::shared_ptr<fakes::WitnessControl> witness_ = std::make_shared<fakes::WitnessControl>();
  ManualClock clock_;
  std::unique_ptr<keys::ObjectStore> store_;
  std::unique_ptr<Limits> limits_;
  keys::Token token_;
  wire::ObjectId object_{};
};

}  // namespace keyclave::ops
