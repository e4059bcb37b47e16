// Stores of so many rows that several threads read them.
#include "enclave/keys/row_loader.h"

#include "tests/unit/keys/fixture.h"

namespace keyclave::keys {
namespace {

constexpr uint16_t kRows = 5000;

RecordKey KeyOf(uint16_t number) {
  return {RecordType::kObject,
          {0x11},
          {static_cast<uint8_t>(number >> 8), static_cast<uint8_t>(number)}};
}

class RowLoaderTest : public testing::Test {
 protected:
  RowLoaderTest() {
    RowSealer sealer(keys_);
    for (uint16_t number = 0; number < kRows; ++number) Seal(sealer, number);
  }
  void Seal(RowSealer& sealer, uint16_t number) {
    const store::RowId row = sealer.IdOf(KeyOf(number));
    const RowHeader header{KeyOf(number), number % 10 == 0, 1, {}};
    Bytes sealed = Must(sealer.Seal(row, header, AsBytes(std::to_string(number))));
    const store::Change change{row, std::move(sealed)};
    MustOk(store_->Commit({&change, 1}, {}));
  }
  void Replace(uint16_t number, const std::optional<Bytes>& sealed) {
    const store::Change change{RowSealer(keys_).IdOf(KeyOf(number)), sealed};
    MustOk(store_->Commit({&change, 1}, {}));
  }
  Status Load(uint64_t expected = kRows) {
    const auto visit = [&](const Record& record) -> Status {
      const MutexLock lock(mutex_);
      bodies_.insert(std::string(AsText(record.body)));
      return visited_.ok() ? Status() : Status(visited_.error());
    };
    return LoadRows(*store_, keys_, expected, index_, visit,
                    [&](uint64_t done, uint64_t all) { progress_.emplace_back(done, all); });
  }

  const KeyGenerations keys_{TestSecret()};
  std::unique_ptr<store::Store> store_ = store::MakeMemoryStore();
  RowIndex index_;
  Mutex mutex_;
  std::set<std::string> bodies_ KC_GUARDED_BY(mutex_);
  Status visited_;
  std::vector<std::pair<uint64_t, uint64_t>> progress_;
};

TEST_F(RowLoaderTest, VisitsEveryLiveRecordOnceAndIndexesEveryRow) {
  MustOk(Load());
  const MutexLock lock(mutex_);
  EXPECT_EQ(bodies_.size(), kRows - kRows / 10U);
  for (uint16_t number = 0; number < kRows; ++number)
    EXPECT_EQ(bodies_.contains(std::to_string(number)), number % 10 != 0) << number;
  EXPECT_EQ(index_.size(), kRows);
}

TEST_F(RowLoaderTest, FewRowsAndManyGiveTheSameIndex) {
  MustOk(Load());
  const auto digest = index_.digest();
  index_ = RowIndex();
  MustOk(Load(/*expected=*/1));  // on this thread alone
  EXPECT_EQ(index_.digest(), digest);
}

TEST_F(RowLoaderTest, SaysHowFarItIs) {
  MustOk(Load());
  ASSERT_GE(progress_.size(), 10U);
  uint64_t before = 0;
  for (const auto& [done, all] : progress_) {
    EXPECT_GT(done, before);
    EXPECT_LE(done, all);
    EXPECT_EQ(all, kRows);
    before = done;
  }
}

TEST_F(RowLoaderTest, OneEditedRowAmongManyIsFound) {
  Bytes sealed = Must(store_->Read(RowSealer(keys_).IdOf(KeyOf(4321))));
  sealed.back() ^= 1;
  Replace(4321, sealed);
  EXPECT_EQ(Load().code(), Code::kStoreCorrupt);
  sealed.back() ^= 1;
  sealed.front() = kRowFormat + 1;
  Replace(4321, sealed);
  EXPECT_EQ(Load().code(), Code::kStoreNewer);
}

TEST_F(RowLoaderTest, AVisitThatFailsEndsIt) {
  visited_ = Fail(Code::kOutOfMemory, "enough");
  EXPECT_EQ(Load().code(), Code::kOutOfMemory);
}

}  // namespace
}  // namespace keyclave::keys
