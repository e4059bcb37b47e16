// What somebody with access to the disk may try on a closed store, and what the vault says to it.
#include <sqlite3.h>

#include <filesystem>

#include "enclave/base/file.h"
#include "enclave/keys/records.h"
#include "tests/unit/keys/fixture.h"

namespace keyclave::keys {
namespace {

namespace fs = std::filesystem;

class Tampering : public testing::Test {
 protected:
  void SetUp() override {
    auto made = Must(Vault::Create(Must(store::OpenSqliteStore(store_, true)),
                                   MakeFileWitness(witness_, TestSecret()), TestSecret()));
    for (uint8_t id = 1; id <= 5; ++id)
      MustOk(made->Commit({TestChange(id, "body " + std::to_string(id))}));
  }

  Result<std::unique_ptr<Vault>> Open(uint8_t secret = 0) {
    KC_ASSIGN(auto store, store::OpenSqliteStore(store_, false));
    return Vault::Open(std::move(store), MakeFileWitness(witness_, TestSecret(secret)),
                       TestSecret(secret), [](const Record&) -> Status { return Done{}; });
  }
  void Commit(RecordChange change) {
    auto vault = Must(Open());
    std::vector<RecordChange> changes;
    changes.push_back(std::move(change));
    MustOk(vault->Commit(std::move(changes)));
  }
  void ExpectRefused(Code code, std::string_view word, uint8_t secret = 0) {
    const auto opened = Open(secret);
    ASSERT_FALSE(opened.ok()) << word;
    EXPECT_EQ(opened.code(), code) << opened.error().Text();
    EXPECT_THAT(opened.error().Text(), testing::HasSubstr(std::string(word)));
  }
  void ExpectWhole() {
    const auto opened = Open();
    EXPECT_TRUE(opened.ok()) << opened.error().Text();
  }

  // SQL with up to two blobs, straight into the file.
  void Sql(const char* sql, ByteSpan first = {}, ByteSpan second = {}) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(store_.c_str(), &db), SQLITE_OK);
    sqlite3_stmt* statement = nullptr;
    ASSERT_EQ(sqlite3_prepare_v2(db, sql, -1, &statement, nullptr), SQLITE_OK) << sql;
    const int parameters = sqlite3_bind_parameter_count(statement);
    if (parameters > 0)
      sqlite3_bind_blob64(statement, 1, first.data(), first.size(), SQLITE_STATIC);
    if (parameters > 1)
      sqlite3_bind_blob64(statement, 2, second.data(), second.size(), SQLITE_STATIC);
    EXPECT_EQ(sqlite3_step(statement), SQLITE_DONE) << sqlite3_errmsg(db);
    sqlite3_finalize(statement);
    sqlite3_close(db);
  }
  static store::RowId RowOf(uint8_t id) {
    return RowSealer(KeyGenerations(TestSecret())).IdOf(TestKey(id));
  }
  Bytes ReadRow(uint8_t id) {
    return Must(Must(store::OpenSqliteStore(store_, false))->Read(RowOf(id)));
  }
  void WriteRow(uint8_t id, ByteSpan sealed) {
    Sql("UPDATE record SET sealed = ?2 WHERE id = ?1", RowOf(id), sealed);
  }
  void CopyTo(const std::string& name) {
    fs::copy_file(store_, directory_.path() + "/" + name, fs::copy_options::overwrite_existing);
  }
  void CopyBack(const std::string& name) {
    fs::copy_file(directory_.path() + "/" + name, store_, fs::copy_options::overwrite_existing);
  }

  fakes::TemporaryDirectory directory_;
  const std::string store_ = directory_.path() + "/store.db";
  const std::string witness_ = directory_.path() + "/witness";
};

TEST_F(Tampering, EveryEditedByteOfARowIsNoticed) {
  const Bytes whole = ReadRow(3);
  const Bytes head = Must(Must(store::OpenSqliteStore(store_, false))->ReadHead());
  std::vector<store::Change> rows;
  MustOk(Must(store::OpenSqliteStore(store_, false))
             ->ForEach([&](const store::RowId& id, ByteSpan sealed) -> Status {
               rows.push_back({id, ToBytes(sealed)});
               return Done{};
             }));
  // In the file once, then every byte over the same rows in memory.
  Bytes edited = whole;
  edited[whole.size() / 2] ^= 1;
  WriteRow(3, edited);
  ExpectRefused(Code::kStoreCorrupt, "edited");
  WriteRow(3, whole);
  ExpectWhole();
  for (size_t at = 0; at < whole.size(); ++at) {
    std::vector<store::Change> changes = rows;
    for (store::Change& change : changes) {
      if (change.id == RowOf(3)) (*change.sealed)[at] ^= 0x80;
    }
    auto memory = store::MakeMemoryStore();
    MustOk(memory->Commit(changes, head));
    const auto opened = Vault::Open(std::move(memory), MakeFileWitness(witness_, TestSecret()),
                                    TestSecret(), [](const Record&) -> Status { return Done{}; });
    ASSERT_FALSE(opened.ok()) << at;
    EXPECT_EQ(opened.code(), at == 0 ? Code::kStoreNewer : Code::kStoreCorrupt) << at;
  }
}

TEST_F(Tampering, ShortenedLengthenedAndEmptiedRowsAreNoticed) {
  const Bytes whole = ReadRow(2);
  for (const size_t size : {size_t{0}, size_t{1}, size_t{103}, whole.size() - 1}) {
    WriteRow(2, ByteSpan(whole).first(size));
    const auto opened = Open();
    ASSERT_FALSE(opened.ok()) << size;
    EXPECT_EQ(opened.code(), Code::kStoreCorrupt);
  }
  Bytes longer = whole;
  longer.push_back(0);
  WriteRow(2, longer);
  ExpectRefused(Code::kStoreCorrupt, "edited");
  WriteRow(2, whole);
  ExpectWhole();
}

// lesson 24: a row opens under its own name only.
TEST_F(Tampering, SwappedRowsAreNoticed) {
  const Bytes first = ReadRow(1);
  const Bytes second = ReadRow(2);
  WriteRow(1, second);
  WriteRow(2, first);
  ExpectRefused(Code::kStoreCorrupt, "swapped");
}

TEST_F(Tampering, ExchangedRowIdsAreNoticed) {
  ByteArray<32> spare{};
  Sql("UPDATE record SET id = ?2 WHERE id = ?1", RowOf(1), spare);
  ExpectRefused(Code::kStoreCorrupt, "edited or swapped");
}

TEST_F(Tampering, RemovedRowIsNoticed) {
  Sql("DELETE FROM record WHERE id = ?1", RowOf(4));
  ExpectRefused(Code::kStoreCorrupt, "1 row missing of 5");
}

TEST_F(Tampering, RowPutBackToAnOlderVersionIsNoticed) {
  const Bytes old_row = ReadRow(3);
  Commit(TestChange(3, "body 3, changed"));
  ExpectWhole();
  WriteRow(3, old_row);
  ExpectRefused(Code::kStoreCorrupt, "older version");
}

TEST_F(Tampering, RemovedRecordCannotBePutBack) {
  const Bytes row = ReadRow(3);
  Commit(TestRemoval(3));
  WriteRow(3, row);  // over its tombstone
  ExpectRefused(Code::kStoreCorrupt, "older version");
}

TEST_F(Tampering, TombstoneThatIsRemovedIsNoticed) {
  Commit(TestRemoval(3));
  Sql("DELETE FROM record WHERE id = ?1", RowOf(3));
  ExpectRefused(Code::kStoreCorrupt, "1 row missing");
}

TEST_F(Tampering, RowOfAnotherTimeIsExtra) {
  CopyTo("before");
  fs::copy_file(witness_, witness_ + ".before");
  Commit(TestChange(6, "body 6"));
  const Bytes row = ReadRow(6);
  CopyBack("before");
  fs::copy_file(witness_ + ".before", witness_, fs::copy_options::overwrite_existing);
  ExpectWhole();
  Sql("INSERT INTO record (id, sealed) VALUES (?1, ?2)", RowOf(6), row);
  ExpectRefused(Code::kStoreCorrupt, "1 row extra beside 5");
}

// lesson 23: who has the store cannot write to it: rows are sealed under a secret, not to a public
// key.
TEST_F(Tampering, MadeUpRowIsNoticed) {
  const ByteArray<32> id{1, 2, 3};
  Sql("INSERT INTO record (id, sealed) VALUES (?1, ?2)", id, Bytes(400, 1));
  ExpectRefused(Code::kStoreCorrupt, "edited");
}

TEST_F(Tampering, HeadEditedRemovedOrPutBackIsNoticed) {
  const Bytes head = Must(Must(store::OpenSqliteStore(store_, false))->ReadHead());
  for (size_t at = 0; at < head.size(); ++at) {
    Bytes edited = head;
    edited[at] ^= 0x02;
    Sql("UPDATE head SET sealed = ?1", edited);
    const auto opened = Open();
    ASSERT_FALSE(opened.ok()) << at;
    const bool names_enclave = at >= 5 && at < 21;
    // Format 2 without that bit is 0.
    EXPECT_EQ(opened.code(), names_enclave ? Code::kStoreForeign : Code::kStoreCorrupt) << at;
  }
  Sql("DELETE FROM head");
  ExpectRefused(Code::kStoreCorrupt, "head");
  Sql("INSERT INTO head (only, sealed) VALUES (1, ?1)", head);
  ExpectWhole();
  Commit(TestChange(1, "later"));
  Sql("UPDATE head SET sealed = ?1", head);
  ExpectRefused(Code::kStoreRolledBack, "store epoch 6, witness epoch 7");
}

TEST_F(Tampering, StoreOfYesterdayIsRolledBackWithBothEpochs) {
  CopyTo("yesterday");
  for (int i = 0; i < 16; ++i) Commit(TestChange(1, std::to_string(i)));
  CopyTo("today");
  CopyBack("yesterday");
  ExpectRefused(Code::kStoreRolledBack, "store epoch 6, witness epoch 22 (" + witness_ + ")");
  ExpectRefused(Code::kStoreRolledBack, "Restore the newest store.db");
  CopyBack("today");
  ExpectWhole();
}

TEST_F(Tampering, OtherHistoryOfTheSameEpochIsRolledBack) {
  CopyTo("before");
  fs::copy_file(witness_, witness_ + ".before");
  Commit(TestChange(1, "one history"));
  CopyTo("one");
  CopyBack("before");
  fs::copy_file(witness_ + ".before", witness_, fs::copy_options::overwrite_existing);
  Commit(TestChange(1, "another history"));
  CopyBack("one");
  ExpectRefused(Code::kStoreRolledBack, "another state of that epoch");
}

TEST_F(Tampering, StoreNewerThanItsWitnessIsAcceptedAndCaughtUp) {
  fs::copy_file(witness_, witness_ + ".before");
  Commit(TestChange(1, "committed, but the crash came before the mark"));
  fs::copy_file(witness_ + ".before", witness_, fs::copy_options::overwrite_existing);
  CopyTo("newest");
  EXPECT_EQ(Must(MakeFileWitness(witness_, TestSecret())->Read()).epoch, 6U);
  ExpectWhole();
  EXPECT_EQ(Must(MakeFileWitness(witness_, TestSecret())->Read()).epoch, 7U);
}

TEST_F(Tampering, DamagedStoreDoesNotMoveTheWitness) {
  fs::copy_file(witness_, witness_ + ".before");
  Commit(TestChange(1, "x"));
  fs::copy_file(witness_ + ".before", witness_, fs::copy_options::overwrite_existing);
  Sql("DELETE FROM record WHERE id = ?1", RowOf(4));
  ExpectRefused(Code::kStoreCorrupt, "missing");
  EXPECT_EQ(Must(MakeFileWitness(witness_, TestSecret())->Read()).epoch, 6U);
}

TEST_F(Tampering, AnotherEnclavesStoreIsForeign) {
  fs::remove(store_);
  {
    const auto other =
        Must(Vault::Create(Must(store::OpenSqliteStore(store_, true)),
                           MakeFileWitness(witness_ + ".other", TestSecret(1)), TestSecret(1)));
  }
  ExpectRefused(Code::kStoreForeign, ToHex(KeySchedule(TestSecret(1)).EnclaveId()));
}

TEST_F(Tampering, AnotherRootSecretIsForeign) {
  ExpectRefused(Code::kStoreForeign, "another enclave", 1);
}

TEST_F(Tampering, MissingAndForeignWitnessesAreToldApart) {
  fs::remove(witness_);
  ExpectRefused(Code::kWitnessMissing, "--accept-store");
  MustOk(MakeFileWitness(witness_, TestSecret(1))->Advance({6, {}}));
  ExpectRefused(Code::kWitnessInvalid, witness_);
}

}  // namespace
}  // namespace keyclave::keys
