// Backups that are made while commits go on, and states that come back out of them.
#include "enclave/keys/backup.h"

#include <filesystem>
#include <random>

#include "enclave/base/byte_reader.h"
#include "enclave/keys/key_schedule.h"
#include "enclave/keys/root_file.h"
#include "enclave/keys/state_files.h"
#include "enclave/wire/codec.h"
#include "tests/unit/keys/fixture.h"

namespace keyclave::keys {
namespace {

namespace fs = std::filesystem;

struct Item {
  uint8_t type = 0;
  Bytes bytes;
};

// A backup taken apart and put together again, as somebody without keys can.
std::vector<Item> ItemsOf(const Bytes& backup) {
  ByteReader reader(ByteSpan(backup).subspan(wire::kBackupMagic.size()));
  std::vector<Item> items;
  while (reader.remaining() != 0) {
    Item item;
    item.type = reader.TakeBe<uint8_t>().value();
    item.bytes = ToBytes(reader.TakePrefixedBe<uint32_t>(wire::kMaxBackupItem).value());
    items.push_back(std::move(item));
  }
  return items;
}

// With an end that fits again, as far as that is possible without the enclave's key.
Bytes Rebuild(std::vector<Item> items) {
  auto end = wire::Decode<wire::BackupEnd>(items.back().bytes).value();
  items.pop_back();
  Bytes file = ToBytes(AsBytes(wire::kBackupMagic));
  end.rows = 0;
  for (const Item& item : items) {
    const auto type = static_cast<wire::BackupItem>(item.type);
    if (type == wire::BackupItem::kRow) ++end.rows;
    const Bytes encoded = wire::EncodeBackupItem(type, item.bytes).value();
    file.insert(file.end(), encoded.begin(), encoded.end());
  }
  end.digest = Sha256(file);
  const Bytes encoded = wire::EncodeBackupItem(wire::BackupItem::kEnd, wire::Encode(end)).value();
  file.insert(file.end(), encoded.begin(), encoded.end());
  return file;
}

class BackupTest : public testing::Test {
 protected:
  BackupTest() {
    MustOk(InitState(state_, FileSealer()));
    store_ = Must(ObjectStore::Open(state_, FileSealer()));
    token_ = Must(store_->CreateToken(TestToken("t"), TestPolicy("p", 1)));
    for (int i = 0; i < 200; ++i) Insert(i);
  }

  void Insert(int number) {
    NewObject fresh = TestObject(token_, "k" + std::to_string(number), "id");
    fresh.object.policy = "p";
    MustOk(store_->Insert(One(std::move(fresh))).ok() ? Status() : Fail(Code::kInternal, "insert"));
  }
  std::set<std::string> Labels(const ObjectStore& store) const {
    std::set<std::string> labels;
    for (const auto& object : store.Find(token_.id, {}, std::nullopt, 10'000, Everything)) {
      const Bytes* label = object->attributes.Find(CKA_LABEL);
      labels.insert(std::string(AsText(*label)));
    }
    return labels;
  }
  Bytes Make(size_t piece = 4096, const std::function<void()>& meanwhile = {}) {
    const auto backup = store_->BeginBackup(1'700'000'000);
    Bytes file;
    for (;;) {
      const Bytes next = Must(backup->Next(piece));
      if (next.empty()) return file;
      file.insert(file.end(), next.begin(), next.end());
      if (meanwhile) meanwhile();
    }
  }
  Result<uint64_t> Check(const Bytes& file) {
    const auto check = store_->BeginBackupCheck();
    KC_CHECK_OK(check->Take(file));
    return check->Finish();
  }
  // As keyclaved --restore does with a root secret that is known.
  Status Restore(const std::string& directory, const Bytes& file) {
    const RootKeyring root = Must(ReadRootSecret(StateFiles::Root(state_), FileSealer()));
    const auto fill = [&](std::unique_ptr<store::Store> store) -> Status {
      std::vector<store::Change> rows;
      Bytes head;
      wire::BackupReader reader({.header = [](const auto&) -> Status { return Done{}; },
                                 .row = [&](const store::RowId& id, ByteSpan sealed) -> Status {
                                   rows.push_back({id, ToBytes(sealed)});
                                   return Done{};
                                 },
                                 .end = [&](const wire::BackupEnd& end) -> Status {
                                   head = end.head;
                                   return Done{};
                                 }});
      KC_CHECK_OK(reader.Take(file));
      KC_CHECK_OK(reader.Finish());
      return store->Commit(rows, head);
    };
    return RestoreState(directory, FileSealer(), {}, &root, fill, "",
                        [](ObjectStore& /*store*/) -> Status { return Done{}; });
  }

  fakes::TemporaryDirectory directory_;
  const std::string state_ = directory_.path() + "/state";
  const std::string other_ = directory_.path() + "/other";
  std::unique_ptr<ObjectStore> store_;
  Token token_;
};

TEST_F(BackupTest, IsWholeAndComesBack) {
  const Bytes file = Make();
  EXPECT_EQ(Must(Check(file)), store_->commits());
  MustOk(Restore(other_, file));
  const auto restored = Must(ObjectStore::Open(other_, FileSealer()));
  EXPECT_EQ(restored->enclave_id(), store_->enclave_id());
  EXPECT_EQ(Labels(*restored), Labels(*store_));
  EXPECT_EQ(Must(restored->FindPolicy(token_.id, "p")).version, 1U);
}

// Every piece that is read, something is made, changed or removed: what comes back is the state of
// one moment, the last one.
TEST_F(BackupTest, IsOfOneMomentWhileCommitsGoOn) {
  for (const unsigned seed : {1U, 2U, 3U}) {
    SCOPED_TRACE(seed);
    std::minstd_rand random(seed);
    int next = 1000 * static_cast<int>(seed);
    const Bytes file = Make(2048, [&] {
      const auto objects = store_->Find(token_.id, {}, std::nullopt, 10'000, Everything);
      const auto& one = objects[random() % objects.size()];
      switch (random() % 3) {
        case 0: Insert(next++); break;
        case 1: MustOk(store_->Remove(one->id)); break;
        default: {
          wire::AttributeList changed = one->attributes;
          changed.SetText(CKA_LABEL, "changed " + std::to_string(next++));
          MustOk(store_->Update(one->id, changed).ok() ? Status()
                                                       : Fail(Code::kInternal, "update"));
        }
      }
    });
    ASSERT_TRUE(Check(file).ok());
    const std::string place = other_ + std::to_string(seed);
    MustOk(Restore(place, file));
    const auto restored = Must(ObjectStore::Open(place, FileSealer()));
    // The end is of before the change that followed the last piece.
    const std::set<std::string> now = Labels(*store_);
    std::set<std::string> difference;
    const std::set<std::string> then = Labels(*restored);
    std::set_symmetric_difference(now.begin(), now.end(), then.begin(), then.end(),
                                  std::inserter(difference, difference.begin()));
    EXPECT_LE(difference.size(), 2U * 40U) << "changes after the end was made, and no others";
    EXPECT_EQ(then.size(), restored->object_count());
  }
}

TEST_F(BackupTest, CountsAsNewerThanWhateverCameAfterIt) {
  const Bytes file = Make();
  for (int i = 0; i < 50; ++i) Insert(5000 + i);
  const uint64_t epoch = store_->commits();
  MustOk(Restore(other_, file));
  const auto restored = Must(ObjectStore::Open(other_, FileSealer()));
  EXPECT_GT(restored->commits(), epoch);
  EXPECT_EQ(RestoresOf(restored->commits()), 1U);
}

TEST_F(BackupTest, WhatIsRequiredOfTheBuildComesBackToo) {
  EXPECT_EQ(store_->minimum_version(), 0U);
  MustOk(store_->RequireVersion(3));
  EXPECT_EQ(store_->RequireVersion(2).code(), Code::kVersionTooLow);
  MustOk(Restore(other_, Make()));
  EXPECT_EQ(Must(ObjectStore::Open(other_, FileSealer()))->minimum_version(), 3U);
  store_.reset();
  EXPECT_EQ(Must(ObjectStore::Open(state_, FileSealer()))->minimum_version(), 3U);
}

TEST_F(BackupTest, OldAndRestoredFilesDoNotPassForEachOther) {
  const Bytes file = Make();
  store_.reset();
  MustOk(Restore(other_, file));
  // The store of before beside the witness of after, and the other way round.
  fs::copy_file(StateFiles::Store(state_), StateFiles::Store(other_) + ".old");
  fs::copy_file(StateFiles::Store(other_), StateFiles::Store(state_) + ".new");
  fs::rename(StateFiles::Store(other_) + ".old", StateFiles::Store(other_));
  fs::rename(StateFiles::Store(state_) + ".new", StateFiles::Store(state_));
  EXPECT_EQ(ObjectStore::Open(other_, FileSealer()).code(), Code::kStoreRolledBack);
  EXPECT_EQ(ObjectStore::Open(state_, FileSealer()).code(), Code::kStoreRestored);
  MustOk(AcceptStore(state_, FileSealer()));
  EXPECT_TRUE(ObjectStore::Open(state_, FileSealer()).ok());
}

// As somebody who cannot open rows can make it: each is found out, by the check and by a restore.
TEST_F(BackupTest, WhateverWasChangedIsNoticed) {
  const Bytes old = Make();
  Insert(7000);
  const std::vector<Item> items = ItemsOf(Make());
  std::vector<Item> dropped = items;
  dropped.erase(dropped.begin() + 5);
  std::vector<Item> edited = items;
  edited[5].bytes.back() ^= 1;
  std::vector<Item> renamed = items;
  renamed[5].bytes[0] ^= 1;
  std::vector<Item> older = items;  // rows of before under the head of now
  older.erase(older.begin() + 1, older.end() - 1);
  const std::vector<Item> before = ItemsOf(old);
  older.insert(older.end() - 1, before.begin() + 1, before.end() - 1);
  std::vector<Item> head = items;  // the head of before over the rows of now
  head.back() = before.back();
  std::vector<Item> header = items;
  auto read = wire::Decode<wire::BackupHeader>(header[0].bytes).value();
  read.created += 1'000'000;
  header[0].bytes = wire::Encode(read);
  for (const auto& changed : {dropped, edited, renamed, older, head, header}) {
    const Bytes file = Rebuild(changed);
    EXPECT_EQ(Check(file).code(), Code::kBackupDamaged);
  }
  for (const auto& changed : {dropped, edited, renamed, older, head}) {
    EXPECT_FALSE(Restore(other_, Rebuild(changed)).ok());
    EXPECT_FALSE(fs::exists(other_)) << "nothing is left behind";
  }
}

TEST_F(BackupTest, AnotherEnclavesIsCalledThat) {
  const Bytes file = Make();
  MustOk(InitState(other_, FileSealer()));
  const auto stranger = Must(ObjectStore::Open(other_, FileSealer()));
  const auto check = stranger->BeginBackupCheck();
  EXPECT_EQ(check->Take(file).code(), Code::kStoreForeign);
}

TEST_F(BackupTest, ADamagedStoreMakesNoBackup) {
  auto rows = std::make_shared<fakes::FaultControl>();
  auto marks = std::make_shared<fakes::WitnessControl>();
  const auto vault =
      Must(Vault::Create(fakes::MakeFaultStore(store::MakeMemoryStore(), rows),
                         std::make_unique<fakes::MemoryWitness>(marks), TestSecret()));
  for (uint8_t i = 0; i < 10; ++i) {
    std::vector<RecordChange> change;
    change.push_back(TestChange(i, "x"));
    MustOk(vault->Commit(std::move(change)));
  }
  const auto make = [&]() -> Status {
    Backup backup(*vault, {});
    for (;;) {
      KC_ASSIGN(const Bytes next, backup.Next(4096));
      if (next.empty()) return Done{};
    }
  };
  MustOk(make());
  const store::RowId row = vault->RowOf(TestKey(3));
  {
    const MutexLock lock(rows->mutex);
    rows->instead[row] = std::nullopt;
  }
  EXPECT_EQ(make().code(), Code::kStoreCorrupt) << "a row is missing";
  {
    const MutexLock lock(rows->mutex);
    rows->instead[row] = Bytes(400, 1);
  }
  EXPECT_EQ(make().code(), Code::kStoreCorrupt) << "a row was edited";
}

TEST_F(BackupTest, TheHoldersOfRecoveryKeysAreInIt) {
  EXPECT_FALSE(store_->recovery().has_value());
  RecoveryPlan plan{.threshold = 1, .holders = {{"ops", Bytes(10)}}};
  EXPECT_EQ(InitState(other_, FileSealer(), {}, plan).code(), Code::kInvalidArgument);
  EXPECT_FALSE(fs::exists(other_));
}

}  // namespace
}  // namespace keyclave::keys
