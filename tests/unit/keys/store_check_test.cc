// Looking for damage in a store that is in use, and in one that lies.
#include "enclave/keys/store_check.h"

#include <filesystem>
#include <thread>

#include "enclave/base/file.h"
#include "enclave/keys/object_records.h"
#include "enclave/keys/records.h"
#include "enclave/keys/state_files.h"
#include "tests/unit/keys/fixture.h"

namespace keyclave::keys {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class CheckedStore : public testing::Test {
 protected:
  void SetUp() override {
    auto memory = store::MakeMemoryStore();
    rows_ = memory.get();
    store_ = Must(ObjectStore::OpenWith(fakes::MakeFaultStore(std::move(memory), faults_),
                                        std::make_unique<fakes::MemoryWitness>(witness_),
                                        TestSecret(), true));
    token_ = Must(store_->CreateToken(TestToken("t"), TestPolicy("p", 1)));
    Add(20);
  }

  void Add(size_t count) {
    std::vector<NewObject> fresh;
    for (size_t i = 0; i < count; ++i)
      fresh.push_back(TestObject(token_, "object", std::to_string(i)));
    for (const ObjectPtr& object : Must(store_->Insert(std::move(fresh))))
      objects_.push_back(object);
  }
  store::RowId RowOf(const RecordKey& key) const { return sealer_.IdOf(key); }
  store::RowId RowOf(size_t object) const { return RowOf(ObjectRecordKey(*objects_[object])); }
  Bytes Sealed(const store::RowId& row) { return Must(rows_->Read(row)); }
  void Show(const store::RowId& row, std::optional<Bytes> sealed) {
    const MutexLock lock(faults_->mutex);
    faults_->instead[row] = std::move(sealed);
  }
  std::string SubjectOfObject(size_t i) const {
    return "object " + ToHex(objects_[i]->id) + " of token " + ToHex(token_.id);
  }

  // All of it; how many rows were looked at.
  std::vector<StoreFinding> Check() {
    std::vector<StoreFinding> findings = store_->CheckHead();
    looked_at_ = 0;
    std::optional<store::RowId> after;
    do {
      const RowsChecked checked = Must(store_->CheckRows(after));
      looked_at_ += checked.rows;
      all_ = checked.all;
      findings.insert(findings.end(), checked.findings.begin(), checked.findings.end());
      after = checked.next;
    } while (after.has_value());
    return findings;
  }
  void ExpectOne(const std::string& what, const std::string& subject, const store::RowId& row) {
    const auto findings = Check();
    ASSERT_EQ(findings.size(), 1U);
    EXPECT_THAT(findings[0].what, HasSubstr(what));
    EXPECT_EQ(findings[0].subject, subject);
    EXPECT_EQ(findings[0].row, ToHex(row));
    EXPECT_NE(findings[0].mend, "");
  }

  const KeyGenerations keys_{TestSecret()};
  RowSealer sealer_{keys_};
  std::shared_ptr<fakes::FaultControl> faults_ = std::make_shared<fakes::FaultControl>();
  std::shared_ptr<fakes::WitnessControl> witness_ = std::make_shared<fakes::WitnessControl>();
  store::Store* rows_ = nullptr;
  std::unique_ptr<ObjectStore> store_;
  Token token_;
  std::vector<ObjectPtr> objects_;
  uint64_t looked_at_ = 0;
  uint64_t all_ = 0;
};

TEST_F(CheckedStore, WholeOneHasNoFindings) {
  EXPECT_THAT(Check(), IsEmpty());
  EXPECT_EQ(looked_at_, 22U) << "token, policy, objects";
  EXPECT_EQ(all_, 22U);
  MustOk(store_->Remove(objects_[0]->id));
  EXPECT_THAT(Check(), IsEmpty());
  EXPECT_EQ(looked_at_, 22U) << "its tombstone, too";
}

TEST_F(CheckedStore, LargeOneIsReadSliceBySlice) {
  Add(3000);
  EXPECT_THAT(Check(), IsEmpty());
  EXPECT_EQ(looked_at_, 3022U);
  Show(RowOf(2500), std::nullopt);
  Show(RowOf(7), std::nullopt);
  EXPECT_EQ(Check().size(), 2U);
  EXPECT_EQ(looked_at_, 3020U);
}

TEST_F(CheckedStore, EditedRowIsNamedWithItsRecord) {
  Bytes edited = Sealed(RowOf(3));
  edited.back() ^= 1;
  Show(RowOf(3), edited);
  ExpectOne("edited", SubjectOfObject(3), RowOf(3));
  faults_->instead.clear();
  const store::RowId policy = RowOf(PolicyRecordKey(token_.id, "p"));
  Show(policy, Sealed(RowOf(3)));
  const auto findings = Check();
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_THAT(findings[0].subject, HasSubstr("policy "));
}

TEST_F(CheckedStore, RemovedRowIsNamedWithItsRecord) {
  Show(RowOf(3), std::nullopt);
  ExpectOne("removed", SubjectOfObject(3), RowOf(3));
}

TEST_F(CheckedStore, RowPutBackIsNamedWithBothVersions) {
  const Bytes old = Sealed(RowOf(3));
  Must(store_->Update(objects_[3]->id, objects_[3]->attributes));
  Show(RowOf(3), old);
  ExpectOne("version 1 instead of 2", SubjectOfObject(3), RowOf(3));
}

TEST_F(CheckedStore, RowOfAnotherHistoryIsNamed) {
  const RowHeader header{ObjectRecordKey(*objects_[3]), false, 1, {}};
  Show(RowOf(3), Must(sealer_.Seal(RowOf(3), header, ToBytes("another body"))));
  ExpectOne("another history", SubjectOfObject(3), RowOf(3));
}

TEST_F(CheckedStore, AddedRowsAreToldApart) {
  const store::RowId stranger = Sha256(AsBytes("stranger"));
  Show(stranger, Bytes(400, 1));
  ExpectOne("did not write", "", stranger);
  faults_->instead.clear();
  const RecordKey unknown{RecordType::kObject, token_.id, {1, 2, 3}};
  Show(RowOf(unknown), Must(sealer_.Seal(RowOf(unknown), {unknown, false, 1, {}}, ToBytes("x"))));
  ExpectOne("another time", SubjectOf(unknown), RowOf(unknown));
}

TEST_F(CheckedStore, HeadAndWitnessAreCompared) {
  faults_->fail_head = true;
  ASSERT_EQ(Check().size(), 1U);
  faults_->fail_head = false;
  const Bytes head = Must(rows_->ReadHead());
  MustOk(rows_->Commit({}, AsBytes("another head")));
  auto findings = Check();
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_THAT(findings[0].what, HasSubstr("the head is not the one"));
  MustOk(rows_->Commit({}, head));
  EXPECT_THAT(Check(), IsEmpty());

  --witness_->mark->epoch;
  findings = Check();
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_THAT(findings[0].what, HasSubstr("it stands at epoch"));
  witness_->mark.reset();
  EXPECT_THAT(Check()[0].what, HasSubstr("witness is missing"));
}

TEST_F(CheckedStore, NothingIsFoundWhileChangesGoOn) {
  Add(2000);
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (size_t i = 0; i < 300; ++i) Must(store_->Update(objects_[i]->id, objects_[i]->attributes));
    done = true;
  });
  size_t found = 0;
  do {
    std::optional<store::RowId> after;
    do {
      const RowsChecked checked = Must(store_->CheckRows(after));
      found += checked.findings.size();
      after = checked.next;
    } while (after.has_value());
    found += store_->CheckHead().size();
  } while (!done);
  writer.join();
  EXPECT_EQ(found, 0U);
}

// ---- one that lies ----

class LyingStore : public testing::Test {
 protected:
  void SetUp() override {
    MustOk(InitState(state_, FileSealer()));
    const auto store = Must(ObjectStore::Open(state_, FileSealer()));
    const Token token = Must(store->CreateToken(TestToken("t"), TestPolicy("p", 1)));
    for (int i = 0; i < 5; ++i)
      Must(store->Insert(One(TestObject(token, "object", std::to_string(i)))));
    // As a kill leaves it: with a write-ahead log.
    fs::copy(state_, killed_, fs::copy_options::recursive);
  }
  static std::map<std::string, Bytes> Files(const std::string& state) {
    std::map<std::string, Bytes> files;
    for (const auto& entry : fs::directory_iterator(state))
      files[entry.path().filename()] = Must(ReadFile(entry.path(), 1 << 24));
    return files;
  }
  static std::vector<StoreFinding> Check(const std::string& state) {
    return Must(CheckState(state, FileSealer()));
  }

  fakes::TemporaryDirectory directory_;
  const std::string state_ = directory_.path() + "/state";
  const std::string killed_ = directory_.path() + "/killed";
};

TEST_F(LyingStore, LookingChangesNoByte) {
  for (const std::string& state : {state_, killed_}) {
    const auto before = Files(state);
    EXPECT_THAT(Check(state), IsEmpty());
    EXPECT_EQ(Files(state), before);
    EXPECT_TRUE(ObjectStore::Open(state, FileSealer()).ok());
  }
}

TEST_F(LyingStore, WitnessOneBehindIsLeftThere) {
  const std::string witness = StateFiles::Witness(state_);
  const std::string kept = directory_.path() + "/kept";
  fs::copy_file(witness, kept);
  Must(Must(ObjectStore::Open(state_, FileSealer()))
           ->CreateToken(TestToken("u"), TestPolicy("p", 1)));
  fs::copy_file(kept, witness, fs::copy_options::overwrite_existing);
  const auto before = Files(state_);
  EXPECT_THAT(Check(state_), IsEmpty()) << "a crash makes it so";
  EXPECT_EQ(Files(state_), before);
}

TEST_F(LyingStore, WhatIsWrongIsNamed) {
  const std::string witness = StateFiles::Witness(state_);
  fs::rename(witness, witness + ".away");
  EXPECT_THAT(Check(state_).at(0).what, HasSubstr("witness is missing"));
  fs::rename(witness + ".away", witness);

  const std::string store = StateFiles::Store(state_);
  Bytes file = Must(ReadFile(store, 1 << 24));
  fs::copy_file(store, store + ".kept");
  fs::resize_file(store, file.size() - 4096);
  EXPECT_FALSE(Check(state_).empty());
  fs::copy_file(store + ".kept", store, fs::copy_options::overwrite_existing);
  EXPECT_THAT(Check(state_), IsEmpty());
}

TEST_F(LyingStore, OneThatIsInUseIsNotLookedAt) {
  const auto open = Must(ObjectStore::Open(state_, FileSealer()));
  EXPECT_EQ(CheckState(state_, FileSealer()).code(), Code::kStoreLocked);
}

}  // namespace
}  // namespace keyclave::keys
