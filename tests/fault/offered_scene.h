// A state directory as somebody with access to the disk finds it, and what he can do to it.
#pragma once

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "enclave/base/file.h"
#include "enclave/base/hash.h"
#include "enclave/keys/object_store.h"
#include "enclave/keys/state_files.h"
#include "tests/fakes/memory_counter.h"
#include "tests/fakes/must.h"
#include "tests/fakes/temporary_directory.h"

namespace keyclave::fault {

using test::Must;

inline constexpr size_t kMostOfAFile = size_t{1} << 24;

class Scene {
 public:
  // `counted`: the platform has a counter.
  explicit Scene(bool counted) : counted_(counted) {
    Init(state_);
    const auto store = Must(Open());
    keys::Document policy{"p", 1, "policy: p\n", Sha256(AsBytes("policy: p\n"))};
    for (const char* label : {"a", "b"}) {
      keys::Token token;
      token.label = label;
      tokens_.push_back(Must(store->CreateToken(token, policy)).id);
    }
    for (size_t i = 0; i < 6; ++i) objects_.push_back(Insert(*store, tokens_[i % 2]));
  }

  // ---- the daemon ----

  Result<std::unique_ptr<keys::ObjectStore>> Open() { return OpenAt(state_); }
  // Commits, each a new object.
  void Change(int times = 1) {
    const auto store = Must(Open());
    for (int i = 0; i < times; ++i) objects_.push_back(Insert(*store, tokens_[0]));
  }
  void Update(size_t object) {
    const auto store = Must(Open());
    Must(store->Update(objects_[object], Must(store->Get(objects_[object]))->attributes));
  }
  void Remove(size_t object) {
    if (!Must(Open())->Remove(objects_[object]).ok()) std::abort();
  }
  const keys::RootSealer& sealer() const {
    return counted_ ? static_cast<const keys::RootSealer&>(counting_) : file_;
  }
  std::optional<uint64_t>& count() { return counting_.control->value; }

  // ---- the disk ----

  const std::string& state() const { return state_; }
  std::string Path(const std::string& file) const { return state_ + "/" + file; }
  Bytes ReadAll(const std::string& file) const { return Must(ReadFile(Path(file), kMostOfAFile)); }
  void WriteAll(const std::string& file, ByteSpan content) const {
    std::ofstream(Path(file), std::ios::binary | std::ios::trunc) << AsText(content);
  }
  void Drop(const std::string& file) const { std::filesystem::remove(Path(file)); }
  // A copy of everything as it lies there now.
  void Keep(const std::string& name) const { Copy(state_, Kept(name)); }
  // As a copy made under a running daemon, with its write-ahead log.
  void KeepRunning(const std::string& name) {
    const auto store = Must(Open());
    objects_.push_back(Insert(*store, tokens_[0]));
    Keep(name);
  }
  void PutBack(const std::string& name) const { Copy(Kept(name), state_); }
  void PutBack(const std::string& name, const std::string& file) const {
    std::filesystem::copy_file(Kept(name) + "/" + file, Path(file),
                               std::filesystem::copy_options::overwrite_existing);
  }
  // Another enclave's state, kept under this name.
  void KeepAnother(const std::string& name) {
    Init(Kept(name));
    keys::Token token;
    token.label = "other";
    keys::Document policy{"p", 1, "policy: p\n", Sha256(AsBytes("policy: p\n"))};
    Must(Must(OpenAt(Kept(name)))->CreateToken(token, policy));
  }

  // ---- the store's tables ----

  using Row = std::pair<Bytes, Bytes>;  // id, sealed
  void Sql(const std::string& sql, ByteSpan first = {}, ByteSpan second = {}) const {
    Query(Path("store.db"), sql, first, second);
  }
  std::vector<Row> Rows() const { return RowsOf(Path("store.db")); }
  std::vector<Row> RowsKept(const std::string& name) const {
    return RowsOf(Kept(name) + "/store.db");
  }
  Bytes Head() const {
    return Query(Path("store.db"), "SELECT sealed, x'' FROM head").front().first;
  }
  Bytes HeadKept(const std::string& name) const {
    return Query(Kept(name) + "/store.db", "SELECT sealed, x'' FROM head").front().first;
  }
  void PutRow(const Row& row) const {
    Sql("INSERT INTO record (id, sealed) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET sealed = "
        "excluded.sealed",
        row.first, row.second);
  }
  // What of the kept copy is not in the store now, or otherwise.
  std::vector<Row> DifferentRows(const std::string& name) const {
    std::vector<Row> found;
    const std::vector<Row> now = Rows();
    for (const Row& row : RowsKept(name)) {
      if (std::find(now.begin(), now.end(), row) == now.end()) found.push_back(row);
    }
    return found;
  }

 private:
  void Init(const std::string& state) const {
    // The platform has one counter, and this one may be in use already.
    const fakes::CountingSealer own;
    const bool mine = state == state_;
    if (!keys::InitState(state, mine || !counted_ ? sealer() : own).ok()) std::abort();
  }
  Result<std::unique_ptr<keys::ObjectStore>> OpenAt(const std::string& state) {
    return keys::ObjectStore::Open(state, sealer());
  }
  static wire::ObjectId Insert(keys::ObjectStore& store, const wire::TokenId& token) {
    std::vector<keys::NewObject> fresh(1);
    fresh[0].object.token = token;
    fresh[0].object.attributes.SetUlong(CKA_CLASS, CKO_SECRET_KEY);
    fresh[0].object.attributes.SetUlong(CKA_KEY_TYPE, CKK_AES);
    fresh[0].material = SecretBytes(32);
    return Must(store.Insert(std::move(fresh))).front()->id;
  }
  std::string Kept(const std::string& name) const { return directory_.path() + "/kept-" + name; }
  static void Copy(const std::string& from, const std::string& to) {
    std::filesystem::remove_all(to);
    std::filesystem::copy(from, to, std::filesystem::copy_options::recursive);
  }

  static Bytes Column(sqlite3_stmt* statement, int column) {
    return ToBytes(FromC(sqlite3_column_blob(statement, column),
                         static_cast<size_t>(sqlite3_column_bytes(statement, column))));
  }
  // Rows of two columns, if it answers any.
  static std::vector<Row> Query(const std::string& path, const std::string& sql,
                                ByteSpan first = {}, ByteSpan second = {}) {
    sqlite3* db = nullptr;
    EXPECT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
    sqlite3_stmt* statement = nullptr;
    EXPECT_EQ(sqlite3_prepare_v2(db, sql.c_str(), -1, &statement, nullptr), SQLITE_OK)
        << sql << sqlite3_errmsg(db);
    const int parameters = sqlite3_bind_parameter_count(statement);
    if (parameters > 0)
      sqlite3_bind_blob64(statement, 1, first.data(), first.size(), SQLITE_STATIC);
    if (parameters > 1)
      sqlite3_bind_blob64(statement, 2, second.data(), second.size(), SQLITE_STATIC);
    std::vector<Row> rows;
    int code = sqlite3_step(statement);
    for (; code == SQLITE_ROW && sqlite3_column_count(statement) == 2;
         code = sqlite3_step(statement))
      rows.emplace_back(Column(statement, 0), Column(statement, 1));
    EXPECT_TRUE(code == SQLITE_DONE || code == SQLITE_ROW) << sql << sqlite3_errmsg(db);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return rows;
  }
  static std::vector<Row> RowsOf(const std::string& path) {
    return Query(path, "SELECT id, sealed FROM record ORDER BY id");
  }

  const fakes::TemporaryDirectory directory_;
  const std::string state_ = directory_.path() + "/state";
  const bool counted_;
  const fakes::CountingSealer counting_;
  const keys::FileSealer file_;
  std::vector<wire::TokenId> tokens_;
  std::vector<wire::ObjectId> objects_;
};

}  // namespace keyclave::fault
