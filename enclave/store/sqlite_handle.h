// SQLite as Keyclave uses it: a connection and prepared statements that close themselves, and every
// error mapped once.
#pragma once

#include <sqlite3.h>

#include <memory>

#include "enclave/base/bytes.h"

namespace keyclave::store {

struct CloseConnection {
  void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
};
using Connection = std::unique_ptr<sqlite3, CloseConnection>;

struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

// FULL -> kStoreFull; READONLY, CANTOPEN, PERM, AUTH -> kStoreReadOnly; CORRUPT, NOTADB ->
// kStoreCorrupt; BUSY, LOCKED -> kStoreLocked; NOMEM -> kOutOfMemory; the rest -> kStoreIo. The
// detail is "path: what: SQLite's words".
Error SqliteError(sqlite3* db, int code, std::string_view path, std::string_view what);

// Ends a statement's run when it leaves the scope: its locks go and its bound values are let go of.
class RunningStatement {
 public:
  explicit RunningStatement(const Statement& statement) : statement_(statement.get()) {}
  RunningStatement(const RunningStatement&) = delete;
  RunningStatement& operator=(const RunningStatement&) = delete;
  ~RunningStatement() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }

  int Step() { return sqlite3_step(statement_); }
  // `bytes` must live as long as this.
  int Bind(int index, ByteSpan bytes);
  int BindInteger(int index, int64_t value) { return sqlite3_bind_int64(statement_, index, value); }
  // Valid until the next Step.
  ByteSpan Column(int index) const;
  int64_t Integer(int index) const { return sqlite3_column_int64(statement_, index); }

 private:
  sqlite3_stmt* statement_;
};

}  // namespace keyclave::store
