#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "enclave/base/file.h"
#include "enclave/store/store.h"
#include "tests/fakes/temporary_directory.h"

namespace keyclave::store {
namespace {

class SqliteStore : public testing::Test {
 protected:
  Result<std::unique_ptr<Store>> Open(bool create) { return OpenSqliteStore(path_, create); }
  void Create() {
    const auto made = Open(true);
    ASSERT_TRUE(made.ok()) << made.error().Text();
    const Change change{{1}, ToBytes("sealed")};
    ASSERT_TRUE((*made)->Commit({&change, 1}, AsBytes("head")).ok());
  }
  // Runs SQL over the file as somebody with access to the disk could.
  void Tamper(const char* sql) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &db), SQLITE_OK);
    char* message = nullptr;
    EXPECT_EQ(sqlite3_exec(db, sql, nullptr, nullptr, &message), SQLITE_OK) << message;
    sqlite3_close(db);
  }
  void WriteFile(std::string_view content) { std::ofstream(path_, std::ios::binary) << content; }
  Code OpenCode() {
    const auto opened = Open(false);
    EXPECT_FALSE(opened.ok());
    if (opened.ok()) return Code::kInternal;
    EXPECT_THAT(opened.error().detail(), testing::HasSubstr(path_));
    return opened.code();
  }

  fakes::TemporaryDirectory directory_;
  const std::string path_ = directory_.path() + "/store.db";
};

TEST_F(SqliteStore, MissingFileIsMissingAndIsNotMade) {
  EXPECT_EQ(OpenCode(), Code::kStoreMissing);
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(SqliteStore, CreatingRefusesAnExistingFileOfAnyKind) {
  Create();
  EXPECT_EQ(Open(true).code(), Code::kStoreExists);
  EXPECT_TRUE(Open(false).ok());
  std::filesystem::remove(path_);
  std::filesystem::create_symlink("nowhere", path_);
  EXPECT_EQ(Open(true).code(), Code::kStoreExists);
}

TEST_F(SqliteStore, FilesAreForTheOwnerOnlyWhateverTheUmask) {
  const mode_t before = umask(0);
  const auto made = Open(true);
  umask(before);
  ASSERT_TRUE(made.ok());
  const Change change{{1}, ToBytes("sealed")};
  ASSERT_TRUE((*made)->Commit({&change, 1}, AsBytes("head")).ok());
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
    struct stat info {};
    ASSERT_EQ(stat(entry.path().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0600U) << entry.path();
    ++files;
  }
  EXPECT_EQ(files, 2U);  // the store and its write-ahead log
}

TEST_F(SqliteStore, SecondOpenerIsRefusedAtOnceEvenBeforeAnyWrite) {
  Create();
  const auto first = Open(false);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(OpenCode(), Code::kStoreLocked);
}

TEST_F(SqliteStore, SecondProcessIsRefusedAndTheLockEndsWithTheFirst) {
  Create();
  auto first = Open(false);
  ASSERT_TRUE(first.ok());
  const auto code_in_child = [&]() -> int {
    const pid_t child = fork();
    if (child == 0) {
      const auto opened = OpenSqliteStore(path_, false);
      _exit(opened.ok() ? 0 : opened.code() == Code::kStoreLocked ? 1 : 2);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
  };
  EXPECT_EQ(code_in_child(), 1);
  first->reset();
  EXPECT_EQ(code_in_child(), 0);
}

TEST_F(SqliteStore, FileThatIsNoDatabaseIsCorrupt) {
  WriteFile("");
  EXPECT_EQ(OpenCode(), Code::kStoreCorrupt);
  WriteFile(std::string(100, 'x'));
  EXPECT_EQ(OpenCode(), Code::kStoreCorrupt);
  WriteFile(std::string(1 << 16, '\0'));
  EXPECT_EQ(OpenCode(), Code::kStoreCorrupt);
}

TEST_F(SqliteStore, AnotherProgramsDatabaseIsRefused) {
  Tamper("CREATE TABLE record (id, sealed)");
  EXPECT_EQ(OpenCode(), Code::kStoreCorrupt);
}

TEST_F(SqliteStore, NewerSchemaIsNewerAndOlderIsCorrupt) {
  Create();
  Tamper("PRAGMA user_version = 2");
  EXPECT_EQ(OpenCode(), Code::kStoreNewer);
  Tamper("PRAGMA user_version = 0");
  EXPECT_EQ(OpenCode(), Code::kStoreCorrupt);
  Tamper("PRAGMA user_version = 1");
  EXPECT_TRUE(Open(false).ok());
}

TEST_F(SqliteStore, SchemaWithAnythingElseInItIsRefused) {
  const std::pair<const char*, const char*> additions[] = {
      {"CREATE TABLE more (a)", "DROP TABLE more"},
      {"CREATE VIEW v AS SELECT 1", "DROP VIEW v"},
      {"CREATE INDEX i ON record (sealed)", "DROP INDEX i"},
      {"CREATE TRIGGER t AFTER INSERT ON record BEGIN DELETE FROM record; END", "DROP TRIGGER t"}};
  Create();
  for (const auto& [add, drop] : additions) {
    Tamper(add);
    EXPECT_EQ(OpenCode(), Code::kStoreCorrupt) << add;
    Tamper(drop);
    EXPECT_TRUE(Open(false).ok()) << drop;
  }
  Tamper("DROP TABLE record; CREATE TABLE record (id BLOB, sealed BLOB)");
  EXPECT_EQ(OpenCode(), Code::kStoreCorrupt);
}

// SQLite itself need not notice a changed byte (that is the vault's task), but it must neither
// crash nor pass a file that was cut.
TEST_F(SqliteStore, CutOrScribbledFilesGiveErrorsNotCrashes) {
  Create();
  const auto is_whole = [this] {
    const auto opened = Open(false);
    if (!opened.ok()) return false;
    size_t rows = 0;
    const Status visited = (*opened)->ForEach([&](const RowId&, ByteSpan) -> Status {
      ++rows;
      return Done{};
    });
    const Result<Bytes> head = (*opened)->ReadHead();
    return visited.ok() && rows == 1 && head.ok() && *head == ToBytes("head");
  };
  ASSERT_TRUE(is_whole());
  const Bytes whole = ReadFile(path_, 1 << 20).value();
  for (size_t length = 0; length < whole.size(); length += 509) {
    WriteFile(AsText(ByteSpan(whole).first(length)));
    EXPECT_FALSE(is_whole()) << length;
  }
  for (size_t at = 0; at < whole.size(); at += 61) {
    Bytes changed = whole;
    changed[at] = static_cast<uint8_t>(changed[at] ^ 0x55);
    WriteFile(AsText(changed));
    is_whole();
  }
}

// Runs what is given without root's right to ignore modes.
template <class Body>
void AsNobody(const Body& body) {
  const bool root = geteuid() == 0;
  ASSERT_EQ(root ? seteuid(65534) : 0, 0);
  body();
  ASSERT_EQ(root ? seteuid(0) : 0, 0);
}

TEST_F(SqliteStore, ReadOnlyFileIsRefusedAtOpen) {
  Create();
  ASSERT_EQ(chmod(path_.c_str(), 0444), 0);
  ASSERT_EQ(chmod(directory_.path().c_str(), 0755), 0);
  AsNobody([&] { EXPECT_EQ(OpenCode(), Code::kStoreReadOnly); });
  ASSERT_EQ(chmod(path_.c_str(), 0600), 0);
  EXPECT_TRUE(Open(false).ok());
}

TEST_F(SqliteStore, ReadOnlyDirectoryIsRefusedAtOpen) {
  Create();
  ASSERT_EQ(chmod(path_.c_str(), 0666), 0);
  ASSERT_EQ(chmod(directory_.path().c_str(), 0555), 0);
  AsNobody([&] { EXPECT_EQ(OpenCode(), Code::kStoreReadOnly); });
  AsNobody([&] {
    EXPECT_EQ(OpenSqliteStore(directory_.path() + "/other.db", true).code(),
              Code::kPermissionDenied);
  });
  ASSERT_EQ(chmod(directory_.path().c_str(), 0700), 0);
  EXPECT_TRUE(Open(false).ok());
}

TEST_F(SqliteStore, CompactingGivesBackWhatIsFree) {
  Create();
  const auto store = Open(false);
  ASSERT_TRUE(store.ok());
  const Change large{{2}, Bytes(2'000'000, 1)};
  const Change small{{2}, ToBytes("small")};
  ASSERT_TRUE((*store)->Commit({&large, 1}, AsBytes("head")).ok());
  ASSERT_TRUE((*store)->Commit({&small, 1}, AsBytes("head")).ok());
  const auto done = (*store)->Compact();
  ASSERT_TRUE(done.ok()) << done.error().Text();
  EXPECT_GT(done->before.unused, 1'900'000U);
  EXPECT_LT(done->after.file, 100'000U);
  EXPECT_EQ(done->after.log, 0U);
  EXPECT_EQ(done->left, "");
  EXPECT_LT(std::filesystem::file_size(path_), 100'000U);
  EXPECT_EQ(OpenCode(), Code::kStoreLocked) << "nobody else comes in meanwhile";
  const auto again = (*store)->Compact();
  ASSERT_TRUE(again.ok());
  EXPECT_THAT(again->left, testing::HasSubstr("eighth"));
}

TEST_F(SqliteStore, StructureThatWasEditedIsNoticed) {
  Create();
  {
    const auto store = Open(false);
    ASSERT_TRUE(store.ok());
    EXPECT_TRUE((*store)->CheckStructure(false).value().empty());
  }
  // An entry of the index gone, and the row still there.
  Tamper(
      "PRAGMA writable_schema = ON; "
      "UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = "
      "'head') WHERE name LIKE 'sqlite_autoindex_record%'");
  const auto store = Open(false);
  if (!store.ok()) {
    EXPECT_EQ(store.code(), Code::kStoreCorrupt) << store.error().Text();
    return;
  }
  const auto wrong = (*store)->CheckStructure(false);
  EXPECT_TRUE(!wrong.ok() || !wrong->empty());
}

// What lies in the file now, not what was read once and kept in memory.
TEST_F(SqliteStore, RowsThatWereEditedBeneathAreReadAsTheyAre) {
  Create();
  const auto store = Open(false);
  ASSERT_TRUE(store.ok());
  ASSERT_EQ((*store)->Read({1}).value(), ToBytes("sealed"));
  Bytes file = ReadFile(path_, 1 << 20).value();
  const Bytes word = ToBytes("sealed");
  // The schema holds the word, too: the row's is the last one.
  const auto found = std::find_end(file.begin(), file.end(), word.begin(), word.end());
  ASSERT_NE(found, file.end());
  *found = 'S';
  {
    std::fstream out(path_, std::ios::in | std::ios::out | std::ios::binary);
    out << AsText(file);
  }
  const auto rows = (*store)->ReadAfter(std::nullopt, 10);
  ASSERT_TRUE(rows.ok());
  EXPECT_EQ(rows->front().sealed, ToBytes("Sealed"));
}

TEST_F(SqliteStore, LogThatIsToBeLeftStaysAsItIs) {
  Create();
  const std::string log = path_ + "-wal";
  {
    const auto store = Open(false);
    const Change change{{2}, ToBytes("more")};
    ASSERT_TRUE((*store)->Commit({&change, 1}, AsBytes("head 2")).ok());
    std::filesystem::copy_file(path_, path_ + ".kept");
    std::filesystem::copy_file(log, path_ + ".kept-wal");
  }
  const Bytes file = ReadFile(path_ + ".kept", 1 << 20).value();
  const Bytes frames = ReadFile(path_ + ".kept-wal", 1 << 20).value();
  ASSERT_FALSE(frames.empty());
  {
    const auto store = OpenSqliteStore(path_ + ".kept", false, {.vfs = nullptr, .leave_log = true});
    ASSERT_TRUE(store.ok());
    EXPECT_EQ((*store)->Read({2}).value(), ToBytes("more"));
  }
  EXPECT_EQ(ReadFile(path_ + ".kept", 1 << 20).value(), file);
  EXPECT_EQ(ReadFile(path_ + ".kept-wal", 1 << 20).value(), frames);
}

}  // namespace
}  // namespace keyclave::store
