// Backups asked for over the wire: one at a time, in order, and not for ever.
#include "tests/unit/ops/enclave_fixture.h"

namespace keyclave::ops {
namespace {

class SteppingClock final : public Clock {
 public:
  UnixTime Now() const override { return 1'800'000'000; }
  std::chrono::steady_clock::time_point Steady() const override { return steady; }
  std::chrono::steady_clock::time_point steady{std::chrono::hours(1)};
};

class BackupOps : public EnclaveFixture {
 protected:
  void SetUp() override {
    EnclaveFixture::SetUp();
    MakeToken(PolicyText("p", "sign", OwnMeasurement()));
    root_ = Connect(0);
  }
  Bytes Whole() {
    const uint64_t number = Run<wire::Op::kBeginBackup>(*root_, {})->backup;
    Bytes file;
    for (bool done = false; !done;) {
      const auto piece = Run<wire::Op::kReadBackup>(*root_, {number, file.size()});
      EXPECT_TRUE(piece.ok()) << piece.error().Text();
      if (!piece.ok()) break;
      file.insert(file.end(), piece->bytes.begin(), piece->bytes.end());
      done = piece->done;
    }
    return file;
  }
  std::unique_ptr<Caller> root_;
};

TEST_F(BackupOps, AreForOperators) {
  const auto caller = Connect(1000);
  EXPECT_EQ(Run<wire::Op::kBeginBackup>(*caller, {}).code(), Code::kOperatorOnly);
  EXPECT_EQ(Run<wire::Op::kReadBackup>(*caller, {0, 0}).code(), Code::kOperatorOnly);
  EXPECT_EQ(Run<wire::Op::kCheckBackup>(*caller, {0, {}, true}).code(), Code::kOperatorOnly);
}

TEST_F(BackupOps, ComeInOrderAndOneAtATime) {
  const uint64_t first = Run<wire::Op::kBeginBackup>(*root_, {})->backup;
  EXPECT_EQ(Run<wire::Op::kReadBackup>(*root_, {first, 1}).code(), Code::kWrongState);
  EXPECT_EQ(Run<wire::Op::kReadBackup>(*root_, {first + 1, 0}).code(), Code::kWrongState);
  const Bytes file = Whole();
  EXPECT_EQ(Run<wire::Op::kReadBackup>(*root_, {first, 0}).code(), Code::kWrongState);
  EXPECT_EQ(Run<wire::Op::kCheckBackup>(*root_, {5, file, true}).code(), Code::kWrongState);
  const auto checked = Run<wire::Op::kCheckBackup>(*root_, {0, file, true});
  ASSERT_TRUE(checked.ok()) << checked.error().Text();
  EXPECT_EQ(checked->epoch, store_->commits());
  Bytes half(file.begin(), file.begin() + static_cast<ptrdiff_t>(file.size() / 2));
  EXPECT_EQ(Run<wire::Op::kCheckBackup>(*root_, {0, half, true}).code(), Code::kBackupDamaged);
}

TEST_F(BackupOps, ThatNobodyReadsAreGivenUp) {
  SteppingClock clock;
  BackupDesk desk(*store_, clock);
  const uint64_t number = desk.Begin(0);
  clock.steady += std::chrono::minutes(9);
  desk.EndIdle();
  EXPECT_TRUE(desk.Check({0, {}, false}).ok());  // and this counts as use
  clock.steady += std::chrono::minutes(9);
  desk.EndIdle();
  EXPECT_TRUE(desk.Read({number, 0}).ok());
  const uint64_t left = desk.Begin(0);
  clock.steady += std::chrono::minutes(10);
  desk.EndIdle();
  EXPECT_EQ(desk.Read({left, 0}).code(), Code::kWrongState);
}

TEST_F(BackupOps, AnEnclaveThatServesTakesNoShares) {
  const auto caller = Connect(1000);
  EXPECT_EQ(Run<wire::Op::kRestoreStatus>(*caller, {}).code(), Code::kWrongState);
  EXPECT_EQ(Run<wire::Op::kGiveRecoveryShare>(*caller, {"ops", SecretBytes(32)}).code(),
            Code::kWrongState);
}

}  // namespace
}  // namespace keyclave::ops
