// The wall clock is set while the daemon runs: it is noticed once, recorded, and nothing that was
// judged by the wrong time counts any more.
#include "enclave/daemon/clock_watch.h"
#include "enclave/daemon/record_keeping.h"
#include "tests/unit/ops/enclave_fixture.h"

namespace keyclave::daemon {
namespace {

class SetClock final : public Clock {
 public:
  UnixTime Now() const override { return 1'800'000'000 + passed + shift; }
  std::chrono::steady_clock::time_point Steady() const override {
    return std::chrono::steady_clock::time_point(std::chrono::seconds(passed));
  }
  int64_t passed = 0;
  int64_t shift = 0;
};

TEST(ClockWatchTest, SeesEachJumpOnce) {
  SetClock clock;
  ClockWatch watch(clock);
  EXPECT_EQ(watch.Look(), 0);
  clock.passed += 1000;
  EXPECT_EQ(watch.Look(), 0) << "time passes";
  for (const int64_t jump : {10'800, -7'200, 31, -31}) {
    clock.shift += jump;
    clock.passed += 1;
    EXPECT_EQ(watch.Look(), jump);
    EXPECT_EQ(watch.Look(), 0);
  }
}

TEST(ClockWatchTest, ClockThatIsKeptRightDoesNotJump) {
  SetClock clock;
  ClockWatch watch(clock);
  for (int i = 0; i < 1000; ++i) {
    clock.passed += 1;
    clock.shift += i % 2 == 0 ? 1 : 0;
    EXPECT_EQ(watch.Look(), 0);
  }
}

class ClockJump : public ops::EnclaveFixture {
 protected:
  // Whether the caller may use its key now, for which it shows no new evidence.
  bool MayUse(Caller& caller) {
    wire::FindObjectsRequest request;
    request.token = token_;
    request.limit = 10;
    return Run<wire::Op::kFindObjects>(caller, request).ok();
  }
  size_t RecordsOf(const std::string& event) {
    size_t count = 0;
    const std::vector<std::string> lines = audit_->Read(1, 1000).value();
    for (const std::string& line : lines)
      count += line.find("\"event\":\"" + event + "\"") == std::string::npos ? 0U : 1U;
    return count;
  }

  wire::TokenId token_{};
};

TEST_F(ClockJump, EvidenceOfAWrongTimeEndsWhenTheClockIsSet) {
  token_ = MakeToken(PolicyText("edge", "sign", OwnMeasurement())).id;
  RecordKeeping records(*service_, clock_);
  for (const int64_t jump : {5 * 3600, -5 * 3600}) {
    clock_.now += jump;
    records.Tick();
    auto caller = Connect(1000);
    EXPECT_TRUE(caller->connection.session->identity()->attested);
    EXPECT_TRUE(MayUse(*caller));
    clock_.now -= jump;
    records.Tick();
    EXPECT_FALSE(caller->connection.session->identity()->attested);
    EXPECT_FALSE(MayUse(*caller));
    // What it proves now is judged by the time that is right.
    const auto hello = Run<wire::Op::kHello>(*caller, {});
    ASSERT_TRUE(hello.ok());
    ASSERT_TRUE(Attest(*caller, hello->nonce).ok());
    EXPECT_TRUE(MayUse(*caller));
    records.Tick();
    EXPECT_TRUE(MayUse(*caller));
    EXPECT_LE(caller->connection.session->identity()->expires_at, clock_.now + 3600);
  }
}

TEST_F(ClockJump, IsRecordedOnce) {
  RecordKeeping records(*service_, clock_);
  records.Tick();
  EXPECT_EQ(RecordsOf("clock"), 0U);
  clock_.now += 3 * 3600;
  records.Tick();
  records.Tick();
  EXPECT_EQ(RecordsOf("clock"), 1U);
  clock_.now -= 3 * 3600;
  records.Tick();
  EXPECT_EQ(RecordsOf("clock"), 2U);
}

}  // namespace
}  // namespace keyclave::daemon
