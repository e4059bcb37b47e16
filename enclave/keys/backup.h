// Backups of a store that is in use: made, and looked at by the enclave that they are of
// (docs/recovery.md).
//
// A backup is of one moment, its end, although commits go on while it is read: rows are read in the
// order of their ids, some at a time, and those that a commit has changed meanwhile once more. What
// is given has been opened and added up: the rows are those that the head says.
#pragma once

#include "enclave/keys/row_index.h"
#include "enclave/keys/vault.h"
#include "enclave/wire/backup_file.h"

namespace keyclave::keys {

// Rows as they come; of one that comes twice the last counts.
class RowTally {
 public:
  Status Add(const store::RowId& id, uint64_t version, ByteSpan sealed);
  // kStoreCorrupt unless they are the rows of this head.
  Status Compare(const Vault::HeadInfo& head);

 private:
  struct Row {
    store::RowId id{};
    uint64_t version = 0;
    // As heads of either format know it: which one it is, the end says.
    RowTag first_format{};
    RowTag tag{};
  };
  std::vector<Row> rows_;
};

class Backup {
 public:
  // The vault must outlive it.
  Backup(Vault& vault, wire::BackupHeader header);
  Backup(const Backup&) = delete;
  Backup& operator=(const Backup&) = delete;
  ~Backup();

  // The next bytes, at most `limit`; empty: it is done. kStoreCorrupt: the store has been damaged,
  // and what was given so far is no backup.
  Result<Bytes> Next(size_t limit);

 private:
  enum class Stage : uint8_t { kHeader, kRows, kChanges, kDone };
  Status Fill();
  Status PutRows(const std::vector<store::Row>& rows);
  Status PutEnd(const Bytes& head);
  Status Put(wire::BackupItem type, ByteSpan bytes);

  Vault& vault_;
  const wire::BackupHeader header_;
  Stage stage_ = Stage::kHeader;
  std::optional<store::RowId> after_;
  RowTally tally_;
  uint64_t rows_ = 0;
  Hasher digest_;
  Bytes pending_;
  size_t given_ = 0;  // of pending_
};

// A backup of this vault's, as it is read. Nothing of it is kept.
class BackupCheck {
 public:
  explicit BackupCheck(Vault& vault);
  // kStoreForeign for another enclave's; kBackupDamaged, kStoreNewer.
  Status Take(ByteSpan bytes) { return reader_.Take(bytes); }
  uint64_t rows() const { return rows_; }
  Result<uint64_t> Finish() const;  // the epoch that it is of

 private:
  Status TakeRow(const store::RowId& id, ByteSpan sealed);
  Status TakeEnd(const wire::BackupEnd& end);

  Vault& vault_;
  RowTally tally_;
  uint64_t rows_ = 0;
  uint64_t epoch_ = 0;
  wire::BackupReader reader_;
};

// The end's MAC, by the enclave's key for it.
ByteArray<32> BackupMac(const SecretBytes& key, const wire::BackupEnd& end);
inline constexpr std::string_view kBackupKeyLabel = "backup";

}  // namespace keyclave::keys
