#include <thread>

#include "enclave/keys/records.h"
#include "tests/fakes/lasting_store.h"
#include "tests/unit/keys/fixture.h"

namespace keyclave::keys {
namespace {

using fakes::FaultControl;
using fakes::WitnessControl;

class VaultTest : public testing::Test {
 protected:
  VaultTest() { vault_ = Must(Vault::Create(TheStore(), TheWitness(), TestSecret())); }

  std::unique_ptr<store::Store> TheStore() {
    return fakes::MakeFaultStore(std::make_unique<fakes::LastingStore>(rows_), faults_);
  }
  std::unique_ptr<Witness> TheWitness() { return std::make_unique<fakes::MemoryWitness>(marks_); }
  Result<std::unique_ptr<Vault>> Open() {
    visited_.clear();
    return Vault::Open(TheStore(), TheWitness(), TestSecret(), [&](const Record& record) -> Status {
      visited_[record.key.id[0]] = std::string(AsText(record.body));
      return Done{};
    });
  }
  void Reopen() {
    vault_.reset();
    vault_ = Must(Open());
  }
  Status Commit(RecordChange change) {
    std::vector<RecordChange> changes;
    changes.push_back(std::move(change));
    return vault_->Commit(std::move(changes));
  }
  std::string BodyOf(uint8_t id) {
    return std::string(AsText(Must(vault_->Read(TestKey(id))).body));
  }
  void Show(const store::RowId& row, const std::optional<Bytes>& instead) {
    const MutexLock lock(faults_->mutex);
    faults_->instead[row] = instead;
  }
  static store::RowId RowOf(uint8_t id) {
    return RowSealer(KeyGenerations(TestSecret())).IdOf(TestKey(id));
  }

  std::shared_ptr<store::Store> rows_ = store::MakeMemoryStore();
  std::shared_ptr<FaultControl> faults_ = std::make_shared<FaultControl>();
  std::shared_ptr<WitnessControl> marks_ = std::make_shared<WitnessControl>();
  std::unique_ptr<Vault> vault_;
  std::map<uint8_t, std::string> visited_;
};

TEST_F(VaultTest, GivesBackWhatWasCommittedNowAndAfterReopening) {
  MustOk(vault_->Commit({TestChange(1, "one"), TestChange(2, "two")}));
  EXPECT_EQ(BodyOf(1), "one");
  Reopen();
  EXPECT_EQ(visited_, (std::map<uint8_t, std::string>{{1, "one"}, {2, "two"}}));
  const Record record = Must(vault_->Read(TestKey(2)));
  EXPECT_EQ(record.version, 1U);
  EXPECT_EQ(record.policy_digest, Sha256(AsBytes("policy")));
  EXPECT_EQ(vault_->Read(TestKey(3)).code(), Code::kNotFound);
}

TEST_F(VaultTest, VersionsRiseAcrossChangesRemovalsAndReopening) {
  MustOk(Commit(TestChange(1, "a")));
  MustOk(Commit(TestChange(1, "b")));
  EXPECT_EQ(Must(vault_->Read(TestKey(1))).version, 2U);
  MustOk(Commit(TestRemoval(1)));
  Reopen();
  EXPECT_TRUE(visited_.empty());
  EXPECT_EQ(vault_->Read(TestKey(1)).code(), Code::kNotFound);
  MustOk(Commit(TestChange(1, "c")));
  EXPECT_EQ(Must(vault_->Read(TestKey(1))).version, 4U);
}

TEST_F(VaultTest, RefusesAVersionThatDoesNotFollow) {
  RecordChange change = TestChange(1, "a");
  change.record.version = 2;
  EXPECT_EQ(Commit(change).code(), Code::kInternal);
  change.record.version = 1;
  MustOk(Commit(change));
  EXPECT_EQ(Commit(change).code(), Code::kInternal);
  change.record.version = 2;
  MustOk(Commit(change));
}

TEST_F(VaultTest, RefusesRemovalOfWhatIsNotThereAndDoubleChanges) {
  EXPECT_EQ(Commit(TestRemoval(1)).code(), Code::kNotFound);
  MustOk(Commit(TestChange(1, "a")));
  MustOk(Commit(TestRemoval(1)));
  EXPECT_EQ(Commit(TestRemoval(1)).code(), Code::kNotFound);
  EXPECT_EQ(vault_->Commit({TestChange(2, "a"), TestChange(2, "b")}).code(), Code::kInternal);
  EXPECT_EQ(vault_->Read(TestKey(2)).code(), Code::kNotFound);
}

TEST_F(VaultTest, EpochRisesByOneWithEachCommitAndTheWitnessFollows) {
  EXPECT_EQ(vault_->epoch(), 1U);
  for (uint64_t epoch = 2; epoch < 10; ++epoch) {
    MustOk(Commit(TestChange(1, "a")));
    EXPECT_EQ(vault_->epoch(), epoch);
    EXPECT_EQ(marks_->mark->epoch, epoch);
  }
  Reopen();
  EXPECT_EQ(vault_->epoch(), 9U);
}

TEST_F(VaultTest, CreatingRefusesAStoreThatIsNotEmpty) {
  EXPECT_EQ(Vault::Create(TheStore(), TheWitness(), TestSecret()).code(), Code::kStoreExists);
  auto rows_without_head = store::MakeMemoryStore();
  const store::Change row{{1}, ToBytes("x")};
  MustOk(rows_without_head->Commit({&row, 1}, {}));
  EXPECT_EQ(Vault::Create(std::move(rows_without_head), TheWitness(), TestSecret()).code(),
            Code::kStoreExists);
}

TEST_F(VaultTest, RefusesARootSecretOfAnotherSize) {
  EXPECT_EQ(Vault::Create(store::MakeMemoryStore(), TheWitness(), SecretBytes(31)).code(),
            Code::kRootSecretInvalid);
}

TEST_F(VaultTest, PurposeKeysAreStableAndApart) {
  const SecretBytes audit = vault_->DeriveKey("audit", 32);
  EXPECT_FALSE(audit == vault_->DeriveKey("ticket", 32));
  EXPECT_EQ(vault_->DeriveKey("audit", 17).size(), 17U);
  Reopen();
  EXPECT_TRUE(audit == vault_->DeriveKey("audit", 32));
}

TEST_F(VaultTest, FailedCommitChangesNothingAndTheNextOneWorks) {
  MustOk(Commit(TestChange(1, "old")));
  for (const Code code : {Code::kStoreFull, Code::kStoreReadOnly, Code::kStoreIo}) {
    faults_->code = code;
    faults_->next_commit = FaultControl::CommitFault::kBefore;
    EXPECT_EQ(vault_->Commit({TestChange(1, "new"), TestChange(2, "x")}).code(), code);
    EXPECT_EQ(BodyOf(1), "old");
    EXPECT_EQ(vault_->Read(TestKey(2)).code(), Code::kNotFound);
    EXPECT_EQ(vault_->epoch(), 2U);
  }
  MustOk(Commit(TestChange(1, "newer")));
  Reopen();
  EXPECT_EQ(visited_, (std::map<uint8_t, std::string>{{1, "newer"}}));
}

TEST_F(VaultTest, CommitWhoseAnswerWasLostCounts) {
  faults_->next_commit = FaultControl::CommitFault::kAfter;
  MustOk(Commit(TestChange(1, "kept")));
  EXPECT_EQ(BodyOf(1), "kept");
  MustOk(Commit(TestChange(2, "more")));
  Reopen();
  EXPECT_EQ(visited_.size(), 2U);
}

TEST_F(VaultTest, UnknownOutcomeStopsChangesUntilReopening) {
  MustOk(Commit(TestChange(1, "old")));
  faults_->next_commit = FaultControl::CommitFault::kAfter;
  faults_->fail_head = true;
  EXPECT_EQ(Commit(TestChange(1, "new")).code(), Code::kStoreIo);
  faults_->fail_head = false;
  EXPECT_EQ(Commit(TestChange(2, "x")).code(), Code::kStoreIo);
  Reopen();
  EXPECT_EQ(visited_, (std::map<uint8_t, std::string>{{1, "new"}}));
  MustOk(Commit(TestChange(2, "x")));
}

TEST_F(VaultTest, TornCommitIsNoticedAtOpen) {
  MustOk(Commit(TestChange(1, "old")));
  faults_->next_commit = FaultControl::CommitFault::kTorn;
  EXPECT_FALSE(vault_->Commit({TestChange(1, "new"), TestChange(2, "x")}).ok());
  vault_.reset();
  EXPECT_EQ(Open().code(), Code::kStoreCorrupt);
}

TEST_F(VaultTest, StoreIsNeverMoreThanOneCommitAheadOfTheWitness) {
  marks_->fail_advance = true;
  MustOk(Commit(TestChange(1, "a")));  // durable, so it counts
  EXPECT_EQ(vault_->epoch(), 2U);
  EXPECT_EQ(marks_->mark->epoch, 1U);
  EXPECT_EQ(Commit(TestChange(1, "b")).code(), Code::kIo);
  EXPECT_EQ(BodyOf(1), "a");
  vault_.reset();
  EXPECT_EQ(Open().code(), Code::kIo) << "a witness that cannot be advanced at start";
  marks_->fail_advance = false;
  Reopen();
  EXPECT_EQ(marks_->mark->epoch, 2U) << "caught up at open";
  MustOk(Commit(TestChange(1, "b")));
  EXPECT_EQ(marks_->mark->epoch, 3U);
}

TEST_F(VaultTest, WitnessCatchesUpWithTheNextCommit) {
  marks_->fail_advance = true;
  MustOk(Commit(TestChange(1, "a")));
  marks_->fail_advance = false;
  const uint64_t before = marks_->advances;
  MustOk(Commit(TestChange(1, "b")));
  EXPECT_EQ(marks_->advances, before + 2);
  EXPECT_EQ(marks_->mark->epoch, 3U);
}

TEST_F(VaultTest, RowChangedUnderTheRunningDaemonIsNoticedWhenRead) {
  MustOk(Commit(TestChange(1, "old")));
  const Bytes old_row = Must(rows_->Read(RowOf(1)));
  MustOk(Commit(TestChange(1, "new")));
  MustOk(Commit(TestChange(2, "two")));
  const Bytes current = Must(rows_->Read(RowOf(1)));
  Bytes edited = current;
  edited[200] ^= 1;
  for (const std::optional<Bytes>& lie :
       {std::optional(old_row), std::optional(edited), std::optional<Bytes>(),
        std::optional(Must(rows_->Read(RowOf(2)))), std::optional(Bytes())}) {
    Show(RowOf(1), lie);
    EXPECT_EQ(vault_->Read(TestKey(1)).code(), Code::kSealFailed);
  }
  {
    const MutexLock lock(faults_->mutex);
    faults_->instead.clear();
  }
  EXPECT_EQ(BodyOf(1), "new");
}

TEST_F(VaultTest, ReadErrorsArePassedOn) {
  MustOk(Commit(TestChange(1, "a")));
  faults_->fail_read = true;
  EXPECT_EQ(vault_->Read(TestKey(1)).code(), Code::kStoreIo);
  faults_->fail_read = false;
  EXPECT_EQ(BodyOf(1), "a");
}

TEST_F(VaultTest, ReadersSeeWholeVersionsWhileWritersCommit) {
  MustOk(Commit(TestChange(1, "0")));
  std::atomic<bool> stop{false};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      uint64_t last = 0;
      while (!stop) {
        const Result<Record> record = vault_->Read(TestKey(1));
        ASSERT_TRUE(record.ok()) << record.error().Text();
        EXPECT_EQ(AsText(record->body), std::to_string(record->version - 1));
        EXPECT_GE(record->version, last);
        last = record->version;
      }
    });
  }
  for (int i = 1; i <= 300; ++i) MustOk(Commit(TestChange(1, std::to_string(i))));
  stop = true;
  for (std::thread& reader : readers) reader.join();
}

TEST_F(VaultTest, KnowsItsLatestHeads) {
  std::vector<Witness::Mark> heads = {vault_->mark()};
  EXPECT_EQ(heads[0].epoch, vault_->epoch());
  for (uint8_t i = 1; i <= 3; ++i) {
    MustOk(Commit(TestChange(i, "x")));
    heads.push_back(vault_->mark());
    EXPECT_EQ(heads.back().epoch, marks_->mark->epoch);
    EXPECT_EQ(heads.back().head_digest, marks_->mark->head_digest);
  }
  for (const Witness::Mark& head : heads)
    EXPECT_EQ(vault_->HeadDigestAt(head.epoch), head.head_digest);
  EXPECT_EQ(vault_->HeadDigestAt(vault_->epoch() + 1), std::nullopt);
  Reopen();
  EXPECT_EQ(vault_->HeadDigestAt(heads[3].epoch), heads[3].head_digest);
  EXPECT_EQ(vault_->HeadDigestAt(heads[2].epoch), std::nullopt) << "of before it was opened";
  for (int i = 0; i < 5000; ++i) MustOk(Commit(TestChange(9, "x")));
  EXPECT_EQ(vault_->HeadDigestAt(heads[3].epoch), std::nullopt) << "some thousands";
  EXPECT_NE(vault_->HeadDigestAt(vault_->epoch() - 4000), std::nullopt);
}

}  // namespace
}  // namespace keyclave::keys
