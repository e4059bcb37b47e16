// The embedded store: one SQLite file.
//
// Once it is open: no other process can open it (the lock is taken at once and kept), the file's
// schema is exactly ours, and every commit is on disk when it returns (write-ahead log, synced
// each time). The file is not believed in anything else: triggers, views and functions in its
// schema are off, and what its rows say is checked by whoever sealed them.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "enclave/base/file.h"
#include "enclave/base/mutex.h"
#include "enclave/store/sqlite_handle.h"
#include "enclave/store/store.h"

namespace keyclave::store {
namespace {

constexpr int64_t kApplicationId = 0x4b434c56;  // "KCLV"
constexpr int64_t kSchemaVersion = 1;           // PRAGMA user_version
constexpr int kMaxRow = 16 << 20;               // bytes of one row, its id included
constexpr int kMostWrong = 100;                 // lines of CheckStructure
// Up to here the whole file is looked through in a fraction of a second.
constexpr uint64_t kQuicklyChecked = uint64_t{64} << 20;  // bytes
// What is rewritten is in memory meanwhile, and then once more in the write-ahead log.
constexpr uint64_t kMostRewritten = uint64_t{256} << 20;  // bytes
constexpr uint64_t kUnusedShare = 8;  // less than one part in so many is not worth rewriting
constexpr std::string_view kRecordTable =
    "CREATE TABLE record (id BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 32), "
    "sealed BLOB NOT NULL) STRICT";
constexpr std::string_view kHeadTable =
    "CREATE TABLE head (only INTEGER PRIMARY KEY CHECK (only = 1), sealed BLOB NOT NULL) STRICT";

class SqliteStore final : public Store {
 public:
  SqliteStore(std::string path, const SqliteOptions& options)
      : path_(std::move(path)), options_(options) {}

  Status Open(bool create) KC_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    KC_CHECK_OK(Connect());
    KC_CHECK_OK(Lock());
    if (create) KC_CHECK_OK(CreateSchema());
    KC_CHECK_OK(CheckSchema());
    return PrepareAll();
  }

  Result<Bytes> ReadHead() override KC_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    // The file's, not what SQLite remembers of it.
    sqlite3_db_release_memory(db_.get());
    RunningStatement running(read_head_);
    const int code = running.Step();
    if (code == SQLITE_DONE) return Bytes();
    if (code != SQLITE_ROW) return Failed(code, "read the head");
    return ToBytes(running.Column(0));
  }

  Status ForEach(const std::function<Status(const RowId&, ByteSpan)>& visit) override
      KC_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    RunningStatement running(scan_);
    int code = running.Step();
    for (; code == SQLITE_ROW; code = running.Step()) {
      const ByteSpan id_bytes = running.Column(0);
      RowId id{};
      if (id_bytes.size() != id.size())
        return Fail(Code::kStoreCorrupt, path_ + ": a row's id is not of 32 bytes");
      std::copy(id_bytes.begin(), id_bytes.end(), id.begin());
      KC_CHECK_OK(visit(id, running.Column(1)));
    }
    if (code != SQLITE_DONE) return Failed(code, "read the rows");
    return Done{};
  }

  Result<Bytes> Read(const RowId& id) override KC_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    RunningStatement running(read_);
    int code = running.Bind(1, id);
    if (code == SQLITE_OK) code = running.Step();
    if (code == SQLITE_DONE) return Fail(Code::kNotFound, path_ + ": row");
    if (code != SQLITE_ROW) return Failed(code, "read a row");
    return ToBytes(running.Column(0));
  }

  Status Commit(std::span<const Change> changes, ByteSpan head) override KC_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    KC_CHECK_OK(Step(begin_, "begin"));
    Status written = WriteAll(changes, head);
    if (written.ok()) written = Step(commit_, "commit");
    // SQLite has rolled back by itself after some errors; then there is nothing left to roll back.
    if (!written.ok() && sqlite3_get_autocommit(db_.get()) == 0) {
      const Status rolled_back = Step(rollback_, "roll back");
      if (!rolled_back.ok()) return rolled_back.error().In(written.error().detail());
    }
    return written;
  }

  // Pages that SQLite keeps in memory are let go of first: they would hide what happened to the
  // file beneath them.
  Result<std::vector<Row>> ReadAfter(const std::optional<RowId>& after, size_t limit) override
      KC_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    sqlite3_db_release_memory(db_.get());
    RunningStatement running(after.has_value() ? read_after_ : read_first_);
    int code = running.BindInteger(1, static_cast<int64_t>(limit));
    if (code == SQLITE_OK && after.has_value()) code = running.Bind(2, *after);
    if (code == SQLITE_OK) code = running.Step();
    std::vector<Row> rows;
    for (; code == SQLITE_ROW; code = running.Step()) {
      Row row;
      if (running.Column(0).size() != row.id.size())
        return Fail(Code::kStoreCorrupt, path_ + ": a row's id is not of 32 bytes");
      std::copy(running.Column(0).begin(), running.Column(0).end(), row.id.begin());
      row.sealed = ToBytes(running.Column(1));
      rows.push_back(std::move(row));
    }
    if (code != SQLITE_DONE) return Failed(code, "read rows");
    return rows;
  }

  Result<std::vector<std::string>> CheckStructure(bool however_long) override KC_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    KC_ASSIGN(const Size size, Measure());
    if (!however_long && size.file > kQuicklyChecked)
      return Fail(Code::kTooLarge, path_ + ": " + std::to_string(size.file >> 20) + " MiB");
    sqlite3_db_release_memory(db_.get());
    KC_ASSIGN(const Statement check,
              Prepare("PRAGMA integrity_check(" + std::to_string(kMostWrong) + ")"));
    RunningStatement running(check);
    std::vector<std::string> wrong;
    int code = running.Step();
    for (; code == SQLITE_ROW; code = running.Step()) wrong.emplace_back(AsText(running.Column(0)));
    if (code != SQLITE_DONE) return Failed(code, "check the structure");
    if (wrong == std::vector<std::string>{"ok"}) wrong.clear();
    return wrong;
  }

  // Rewriting is one transaction of SQLite's as any other: whole in the write-ahead log, or not
  // there.
  Result<Compaction> Compact() override KC_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    Compaction done;
    KC_ASSIGN(done.before, Measure());
    const uint64_t used = done.before.file - done.before.unused;
    if (used > kMostRewritten) {
      done.left =
          std::to_string(used >> 20) +
          " MiB are in use: too much to rewrite while changes wait; free space is used again";
    } else if (done.before.unused * kUnusedShare < done.before.file) {
      done.left = "less than an eighth of the file is free: it is used again";
    } else {
      KC_CHECK_OK(Execute("VACUUM"));
    }
    KC_CHECK_OK(Execute("PRAGMA wal_checkpoint(TRUNCATE)"));
    KC_ASSIGN(done.after, Measure());
    return done;
  }

 private:
  Error Failed(int code, std::string_view what) KC_REQUIRES(mutex_) {
    return SqliteError(db_.get(), code, path_, what);
  }

  Status Execute(const char* sql) KC_REQUIRES(mutex_) {
    const int code = sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return Failed(code, sql);
    return Done{};
  }

  Status Step(const Statement& statement, std::string_view what) KC_REQUIRES(mutex_) {
    RunningStatement running(statement);
    const int code = running.Step();
    if (code != SQLITE_DONE) return Failed(code, what);
    return Done{};
  }

  Result<Statement> Prepare(std::string_view sql) KC_REQUIRES(mutex_) {
    sqlite3_stmt* raw = nullptr;
    const int code = sqlite3_prepare_v3(db_.get(), sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
    if (code != SQLITE_OK) return Failed(code, sql);
    return Statement(raw);
  }

  Status Connect() KC_REQUIRES(mutex_) {
    sqlite3* raw = nullptr;
    const int code = sqlite3_open_v2(
        path_.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
        options_.vfs);
    db_.reset(raw);
    if (code != SQLITE_OK) return Failed(code, "open");
    if (sqlite3_db_readonly(raw, "main") == 1)
      return Fail(Code::kStoreReadOnly, path_ + ": no permission to write, or a read-only disk");
    sqlite3_limit(raw, SQLITE_LIMIT_LENGTH, kMaxRow);
    const std::pair<int, int> switches[] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1},
        {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
        {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
        {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
        {SQLITE_DBCONFIG_DQS_DML, 0},
        {SQLITE_DBCONFIG_DQS_DDL, 0},
        {SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, options_.leave_log ? 1 : 0}};
    for (const auto& [option, value] : switches) {
      const int set = sqlite3_db_config(raw, option, value, nullptr);
      if (set != SQLITE_OK) return Failed(set, "configure");
    }
    return Done{};
  }

  // Takes the lock that keeps every other process out until this connection closes.
  Status Lock() KC_REQUIRES(mutex_) {
    KC_CHECK_OK(Execute("PRAGMA locking_mode = EXCLUSIVE"));
    KC_CHECK_OK(Execute("PRAGMA cell_size_check = ON"));
    KC_CHECK_OK(Execute("PRAGMA mmap_size = 0"));
    KC_CHECK_OK(Execute("PRAGMA temp_store = MEMORY"));
    KC_CHECK_OK(Execute("PRAGMA secure_delete = FAST"));
    KC_CHECK_OK(Execute("PRAGMA synchronous = FULL"));
    KC_ASSIGN(const std::string mode, QueryText("PRAGMA journal_mode = WAL"));
    if (mode != "wal")
      return Fail(Code::kStoreIo, path_ + ": no write-ahead log on this file system: " + mode);
    return Execute("BEGIN EXCLUSIVE; COMMIT");
  }

  Result<std::string> QueryText(std::string_view sql) KC_REQUIRES(mutex_) {
    KC_ASSIGN(const Statement statement, Prepare(sql));
    RunningStatement running(statement);
    const int code = running.Step();
    if (code != SQLITE_ROW) return Failed(code, sql);
    return std::string(AsText(running.Column(0)));
  }

  Result<int64_t> QueryInteger(std::string_view sql) KC_REQUIRES(mutex_) {
    KC_ASSIGN(const Statement statement, Prepare(sql));
    RunningStatement running(statement);
    const int code = running.Step();
    if (code != SQLITE_ROW) return Failed(code, sql);
    return running.Integer(0);
  }

  Result<Size> Measure() KC_REQUIRES(mutex_) {
    KC_ASSIGN(const int64_t page, QueryInteger("PRAGMA page_size"));
    KC_ASSIGN(const int64_t pages, QueryInteger("PRAGMA page_count"));
    KC_ASSIGN(const int64_t unused, QueryInteger("PRAGMA freelist_count"));
    Size size;
    size.file = static_cast<uint64_t>(page * pages);
    size.unused = static_cast<uint64_t>(page * unused);
    sqlite3_file* log = nullptr;
    sqlite3_int64 length = 0;
    if (sqlite3_file_control(db_.get(), "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) == SQLITE_OK &&
        log != nullptr && log->pMethods != nullptr &&
        log->pMethods->xFileSize(log, &length) == SQLITE_OK)
      size.log = static_cast<uint64_t>(length);
    return size;
  }

  Status CreateSchema() KC_REQUIRES(mutex_) {
    const std::string script =
        "BEGIN; " + std::string(kRecordTable) + "; " + std::string(kHeadTable) +
        "; PRAGMA application_id = " + std::to_string(kApplicationId) +
        "; PRAGMA user_version = " + std::to_string(kSchemaVersion) + "; COMMIT";
    return Execute(script.c_str());
  }

  // The version first: a newer version's schema is not damage.
  Status CheckSchema() KC_REQUIRES(mutex_) {
    KC_ASSIGN(const int64_t application, QueryInteger("PRAGMA application_id"));
    if (application != kApplicationId)
      return Fail(Code::kStoreCorrupt, path_ + ": not a store of Keyclave");
    KC_ASSIGN(const int64_t version, QueryInteger("PRAGMA user_version"));
    if (version > kSchemaVersion)
      return Fail(Code::kStoreNewer, path_ + ": schema version " + std::to_string(version) +
                                         ", known up to " + std::to_string(kSchemaVersion));
    KC_ASSIGN(const Statement statement,
              Prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name"));
    RunningStatement running(statement);
    std::vector<std::string> tables;
    int code = running.Step();
    for (; code == SQLITE_ROW && tables.size() < 3; code = running.Step())
      tables.emplace_back(AsText(running.Column(0)));
    if (code != SQLITE_DONE && code != SQLITE_ROW) return Failed(code, "read the schema");
    if (version != kSchemaVersion ||
        tables != std::vector<std::string>{std::string(kHeadTable), std::string(kRecordTable)})
      return Fail(Code::kStoreCorrupt, path_ + ": the tables are not those of a store");
    return Done{};
  }

  Status PrepareAll() KC_REQUIRES(mutex_) {
    const std::pair<Statement*, std::string_view> statements[] = {
        {&begin_, "BEGIN IMMEDIATE"},
        {&commit_, "COMMIT"},
        {&rollback_, "ROLLBACK"},
        {&read_head_, "SELECT sealed FROM head WHERE only = 1"},
        {&write_head_,
         "INSERT INTO head (only, sealed) VALUES (1, ?1) "
         "ON CONFLICT (only) DO UPDATE SET sealed = excluded.sealed"},
        {&read_, "SELECT sealed FROM record WHERE id = ?1"},
        {&scan_, "SELECT id, sealed FROM record NOT INDEXED"},
        {&read_first_, "SELECT id, sealed FROM record ORDER BY id LIMIT ?1"},
        {&read_after_, "SELECT id, sealed FROM record WHERE id > ?2 ORDER BY id LIMIT ?1"},
        {&write_,
         "INSERT INTO record (id, sealed) VALUES (?1, ?2) "
         "ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed"},
        {&remove_, "DELETE FROM record WHERE id = ?1"}};
    for (const auto& [statement, sql] : statements) {
      KC_ASSIGN(*statement, Prepare(sql));
    }
    return Done{};
  }

  Status WriteAll(std::span<const Change> changes, ByteSpan head) KC_REQUIRES(mutex_) {
    for (const Change& change : changes) {
      RunningStatement running(change.sealed.has_value() ? write_ : remove_);
      int code = running.Bind(1, change.id);
      if (code == SQLITE_OK && change.sealed.has_value()) code = running.Bind(2, *change.sealed);
      if (code == SQLITE_OK) code = running.Step();
      if (code != SQLITE_DONE) return Failed(code, "write a row");
    }
    RunningStatement running(write_head_);
    int code = running.Bind(1, head);
    if (code == SQLITE_OK) code = running.Step();
    if (code != SQLITE_DONE) return Failed(code, "write the head");
    return Done{};
  }

  const std::string path_;
  const SqliteOptions options_;
  Mutex mutex_;
  // First, so that the statements below are finalised before it closes.
  Connection db_ KC_GUARDED_BY(mutex_);
  Statement begin_ KC_GUARDED_BY(mutex_);
  Statement commit_ KC_GUARDED_BY(mutex_);
  Statement rollback_ KC_GUARDED_BY(mutex_);
  Statement read_head_ KC_GUARDED_BY(mutex_);
  Statement write_head_ KC_GUARDED_BY(mutex_);
  Statement read_ KC_GUARDED_BY(mutex_);
  Statement scan_ KC_GUARDED_BY(mutex_);
  Statement read_first_ KC_GUARDED_BY(mutex_);
  Statement read_after_ KC_GUARDED_BY(mutex_);
  Statement write_ KC_GUARDED_BY(mutex_);
  Statement remove_ KC_GUARDED_BY(mutex_);
};

}  // namespace

Result<std::unique_ptr<Store>> OpenSqliteStore(const std::string& path, bool create,
                                               const SqliteOptions& options) {
  // Asked by name, not by opening: closing a descriptor of the file would drop SQLite's lock if
  // this process had the store open.
  struct stat info {};
  const bool exists = lstat(path.c_str(), &info) == 0;
  if (!exists && errno != ENOENT) return ErrnoError(path);
  if (create && exists) return Fail(Code::kStoreExists, path);
  if (!create && !exists) return Fail(Code::kStoreMissing, path);
  // Made here and not by SQLite, so that its mode is 0600; the write-ahead log takes after it.
  if (create) KC_CHECK_OK(WriteNewFile(path, {}, 0600));
  auto store = std::make_unique<SqliteStore>(path, options);
  const Status opened = store->Open(create);
  if (!opened.ok()) {
    store.reset();
    if (create) unlink(path.c_str());
    return opened.error();
  }
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace keyclave::store
