// grant_bench: what it costs to find out that a caller may sign (resolving the key, its grants,
// pins, counting the use), beside the P-256 signature that follows, for policies of different
// sizes. The permit that applies is the last one. Both sides take turns of a hundredth of a second
// on one thread; prints one line of JSON per size.
//
// Like evidence_bench it links Keyclave's libraries: no application sees this work alone.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>

#include "enclave/mech/mech_type.h"
#include "enclave/ops/grants.h"
#include "enclave/ops/permission.h"
#include "tests/unit/ops/enclave_fixture.h"

namespace {

using namespace keyclave;  // NOLINT(google-build-using-namespace)

class Enclave final : public ops::EnclaveFixture {
 public:
  explicit Enclave(size_t permits) {
    SetUp();
    const std::string own = OwnMeasurement();
    std::string policy = "policy: bench\nversion: 1\npermit:\n";
    // Each applies to the caller, and none but the last to ECDSA.
    for (size_t i = 0; i < permits; ++i) {
      const char* family = i + 1 == permits ? "ecdsa" : "rsa-pss";
      policy +=
          "  - operations: [sign]\n    mechanisms: [" + std::string(family) +
          "]\n    allow_unattested: true\n    when: {tee: {is: simulated}, measurement: {in: [" +
          own + ", " + std::string(64, 'b') + "]}}\n";
    }
    const auto token = MakeToken(policy);
    const auto root = Connect(0);
    if (!MakeKey(*root, token.id, "key").ok()) std::abort();
    caller_ = Connect(1000);
    request_ = SignWith(ByLabel("key"));
  }
  ~Enclave() override { TearDown(); }
  Enclave(const Enclave&) = delete;
  Enclave& operator=(const Enclave&) = delete;

  void Authorize() {
    ops::Call call{*service_, caller_->connection, *caller_->connection.session, wire::Op::kSign,
                   clock_.now};
    if (!ops::Use<authz::Operation::kSign>::Enforce(call, request_).ok()) std::abort();
  }
  void CheckGrant() {
    ops::Call call{*service_, caller_->connection, *caller_->connection.session, wire::Op::kSign,
                   clock_.now};
    const ops::UseOf use{.operation = authz::Operation::kSign,
                         .family = "ecdsa",
                         .mechanism = &request_.mechanism,
                         .input = request_.input};
    const keys::Object& object = Key();
    if (!ops::ObjectGrants::Of(call, object).Check(call, object, use).ok()) std::abort();
  }
  void Sign() {
    if (key_ == nullptr) key_ = store_->OpenKey(Key()).value();
    const auto entry = mech::FindMechanism(request_.mechanism.type);
    if (!entry->family->sign(*key_, request_.mechanism, request_.input).ok()) std::abort();
  }
  void TestBody() override {}

 private:
  const keys::Object& Key() {
    const auto any = [](const keys::Object&) { return true; };
    if (object_ == nullptr) object_ = store_->Resolve(request_.key, any).value();
    return *object_;
  }

  keys::ObjectPtr object_;
  std::unique_ptr<Caller> caller_;
  wire::SignRequest request_;
  std::shared_ptr<const mech::Key> key_;
};

class Rate {
 public:
  void Run(const std::function<void()>& work, double seconds) {
    using Clock = std::chrono::steady_clock;
    const auto begin = Clock::now();
    std::chrono::duration<double> taken{};
    do {
      for (int i = 0; i < 16; ++i) work();
      done_ += 16;
      taken = Clock::now() - begin;
    } while (taken.count() < seconds);
    seconds_ += taken.count();
  }
  double seconds() const { return seconds_; }
  double Microseconds() const { return seconds_ * 1e6 / static_cast<double>(done_); }

 private:
  uint64_t done_ = 0;
  double seconds_ = 0;
};

void Measure(size_t permits, double seconds, unsigned repeats) {
  Enclave enclave(permits);
  constexpr double kSlice = 0.01;  // seconds: what else the machine does hits both sides
  const std::function<void()> sides[] = {[&] { enclave.CheckGrant(); },
                                         [&] { enclave.Authorize(); }, [&] { enclave.Sign(); }};
  for (const auto& side : sides) Rate().Run(side, seconds / 4);
  std::string lists[3];
  for (unsigned i = 0; i < repeats; ++i) {
    Rate rates[3];
    while (rates[2].seconds() < seconds) {
      for (size_t side = 0; side < 3; ++side) rates[side].Run(sides[side], kSlice);
    }
    for (size_t side = 0; side < 3; ++side)
      lists[side] += (i == 0 ? "" : ",") + std::to_string(rates[side].Microseconds());
  }
  std::printf("{\"permits\":%zu,\"grant_us\":[%s],\"all_us\":[%s],\"signature_us\":[%s]}\n",
              permits, lists[0].c_str(), lists[1].c_str(), lists[2].c_str());
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"what it costs to find out that a caller may sign, beside the signature"};
  std::vector<size_t> permits = {1, 16, 256};
  double seconds = 0.3;
  unsigned repeats = 7;
  app.add_option("--permits", permits, "sizes of the policy")->check(CLI::Range(1, 256));
  app.add_option("--seconds", seconds, "per side and repeat")->check(CLI::PositiveNumber);
  app.add_option("--repeats", repeats)->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  for (const size_t count : permits) Measure(count, seconds, repeats);
  return 0;
}
