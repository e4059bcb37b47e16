// The disk that loses power, and what SQLite makes of it: a commit that was synced is there
// afterwards, one that was not need not be, and the difference is seen.
#include "tests/fakes/power_cut_vfs.h"

#include <gtest/gtest.h>

#include <set>

#include "enclave/store/sqlite_handle.h"

namespace keyclave::store {
namespace {

using fakes::PowerCutDisk;

Bytes Of(uint8_t byte, size_t size) { return Bytes(size, byte); }

TEST(PowerCutDisk, KeepsWhatWasSynced) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    PowerCutDisk disk(seed);
    ASSERT_TRUE(disk.Create("a"));
    ASSERT_TRUE(disk.Write("a", 100, Of(1, 3000)));
    ASSERT_TRUE(disk.Truncate("a", 2000));
    ASSERT_TRUE(disk.Sync("a"));
    disk.Cut();
    EXPECT_FALSE(disk.Read("a").has_value()) << "there is no power";
    disk.PowerOn();
    Bytes expected(100, 0);
    expected.resize(2000, 1);
    EXPECT_EQ(disk.Read("a"), expected);
  }
}

TEST(PowerCutDisk, LosesSomeOfWhatWasNotSynced) {
  std::set<Bytes> found;
  unsigned absent = 0;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    PowerCutDisk disk(seed);
    ASSERT_TRUE(disk.Create("a"));
    ASSERT_TRUE(disk.Write("a", 0, Of(1, 4096)));
    disk.Cut();
    disk.PowerOn();
    const auto left = disk.Read("a");
    if (left.has_value()) found.insert(*left);
    if (!left.has_value()) ++absent;
  }
  EXPECT_GT(absent, 10U) << "its name was not synced";
  EXPECT_TRUE(found.contains(Of(1, 4096)));
  EXPECT_GT(found.size(), 10U) << "parts of it, torn or not";
}

TEST(PowerCutDisk, LeavesBytesAloneThatNobodyWrote) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    PowerCutDisk disk(seed);
    disk.Put("a", Of(7, 2048));
    ASSERT_TRUE(disk.Write("a", 600, Of(1, 100)));
    disk.Cut();
    disk.PowerOn();
    const Bytes left = disk.Read("a").value();
    ASSERT_EQ(left.size(), 2048U);
    for (size_t i = 0; i < left.size(); ++i) {
      const bool was_written = i >= 600 && i < 700;
      ASSERT_TRUE(was_written || left[i] == 7) << i;
    }
  }
}

TEST(PowerCutDisk, RemovedFileMayBeBack) {
  unsigned back = 0;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    PowerCutDisk disk(seed);
    disk.Put("a", Of(7, 10));
    disk.Put("b", Of(8, 10));
    ASSERT_TRUE(disk.Remove("a", false));
    ASSERT_TRUE(disk.Remove("b", true));
    disk.Cut();
    disk.PowerOn();
    if (disk.Exists("a")) ++back;
    EXPECT_FALSE(disk.Exists("b"));
  }
  EXPECT_GT(back, 10U);
  EXPECT_LT(back, 90U);
}

TEST(PowerCutDisk, SyncOfANewFileIsOneOfItsDirectory) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    PowerCutDisk disk(seed);
    disk.Put("a", Of(7, 10));
    ASSERT_TRUE(disk.Remove("a", false));
    ASSERT_TRUE(disk.Create("b"));
    ASSERT_TRUE(disk.Sync("b"));
    disk.Cut();
    disk.PowerOn();
    EXPECT_FALSE(disk.Exists("a"));
    EXPECT_TRUE(disk.Exists("b"));
  }
}

TEST(PowerCutDisk, PowerGoesAtTheChangeThatWasNamed) {
  PowerCutDisk disk(1);
  disk.Put("a", Of(7, 10));
  disk.CutAt(3);
  EXPECT_TRUE(disk.Write("a", 0, Of(1, 1)));
  EXPECT_TRUE(disk.Sync("a"));
  EXPECT_FALSE(disk.Write("a", 1, Of(1, 1)));
  EXPECT_TRUE(disk.is_off());
  EXPECT_EQ(disk.cut_in(), "a");
  EXPECT_FALSE(disk.Sync("a"));
  disk.PowerOn();
  EXPECT_TRUE(disk.Write("a", 1, Of(1, 1)));
}

// Rows that are there after a cut that came after `commits` commits of one row each.
int64_t RowsAfterACut(uint64_t seed, const char* synchronous, int commits) {
  PowerCutDisk disk(seed);
  disk.Put("test.db", {});
  const fakes::PowerCutVfs vfs(disk);
  const auto open = [&] {
    sqlite3* raw = nullptr;
    EXPECT_EQ(sqlite3_open_v2("test.db", &raw, SQLITE_OPEN_READWRITE, vfs.name()), SQLITE_OK);
    Connection db(raw);
    const std::string settings =
        std::string("PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = ") + synchronous +
        "; PRAGMA journal_mode = WAL;";
    if (sqlite3_exec(raw, settings.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
      return Connection();
    return db;
  };
  {
    const Connection db = open();
    EXPECT_NE(db, nullptr);
    EXPECT_EQ(sqlite3_exec(db.get(), "CREATE TABLE t (x)", nullptr, nullptr, nullptr), SQLITE_OK);
    for (int i = 0; i < commits; ++i)
      EXPECT_EQ(sqlite3_exec(db.get(), "INSERT INTO t VALUES (randomblob(300))", nullptr, nullptr,
                             nullptr),
                SQLITE_OK);
    disk.Cut();
  }
  disk.PowerOn();
  const Connection db = open();
  sqlite3_stmt* raw = nullptr;
  if (db == nullptr ||
      sqlite3_prepare_v2(db.get(), "SELECT count(*) FROM t", -1, &raw, nullptr) != SQLITE_OK)
    return -1;
  const Statement count(raw);
  return sqlite3_step(raw) == SQLITE_ROW ? sqlite3_column_int64(raw, 0) : -1;
}

TEST(PowerCutVfs, SyncedCommitsAreThereAndUnsyncedOnesAreMissed) {
  unsigned lost = 0;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    EXPECT_EQ(RowsAfterACut(seed, "FULL", 20), 20) << seed;
    if (RowsAfterACut(seed, "OFF", 20) != 20) ++lost;
  }
  EXPECT_GT(lost, 10U) << "a store that does not sync would not be found out";
}

}  // namespace
}  // namespace keyclave::store
