#include "enclave/store/sqlite_handle.h"

namespace keyclave::store {
namespace {

Code CodeOf(int code) {
  switch (code & 0xff) {
    case SQLITE_FULL: return Code::kStoreFull;
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH: return Code::kStoreReadOnly;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return Code::kStoreCorrupt;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return Code::kStoreLocked;
    case SQLITE_NOMEM: return Code::kOutOfMemory;
    default: return Code::kStoreIo;
  }
}

}  // namespace

Error SqliteError(sqlite3* db, int code, std::string_view path, std::string_view what) {
  std::string detail(path);
  detail.append(": ").append(what).append(": ");
  detail.append(db == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(db));
  return Fail(CodeOf(code), std::move(detail));
}

int RunningStatement::Bind(int index, ByteSpan bytes) {
  // A null pointer would bind NULL; an empty value is a blob of no bytes.
  if (bytes.empty()) return sqlite3_bind_zeroblob(statement_, index, 0);
  return sqlite3_bind_blob64(statement_, index, bytes.data(), bytes.size(), SQLITE_STATIC);
}

ByteSpan RunningStatement::Column(int index) const {
  const void* data = sqlite3_column_blob(statement_, index);
  const int size = sqlite3_column_bytes(statement_, index);
  return FromC(data, size < 0 ? 0 : static_cast<size_t>(size));
}

}  // namespace keyclave::store
