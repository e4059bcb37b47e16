// A backup file: what it is made of, and a reader that takes it in pieces of any size
// (docs/recovery.md has it as a table).
//
//   "keyclave-backup 1\n" | item …      item: u8 type | u32 length | bytes
//   header, rows, end. A row that comes twice counts as it came last.
//
// Everything that is said about keys in it is sealed; header and end are authenticated by the
// enclave that opens it, and by nobody before.
#pragma once

#include <functional>

#include "enclave/base/hash.h"
#include "enclave/wire/recovery.h"

namespace keyclave::wire {

inline constexpr std::string_view kBackupMagic = "keyclave-backup 1\n";
inline constexpr size_t kMaxBackupItem = size_t{16} << 20;  // bytes

struct BackupHeader {
  std::string enclave_id;  // 32 hexadecimal digits
  int64_t created = 0;     // Unix seconds
  std::string version;     // of the program that made it
  std::optional<Recovery> recovery;
  KC_FIELDS_4(enclave_id, created, version, recovery)
};

struct BackupEnd {
  Bytes head;              // of the store at the moment that the backup is of
  uint64_t rows = 0;       // items
  ByteArray<32> digest{};  // SHA-256 of everything before this item
  ByteArray<32> mac{};     // HMAC-SHA256 of `digest | head`, by a key of the enclave's
  KC_FIELDS_4(head, rows, digest, mac)
};

enum class BackupItem : uint8_t { kHeader = 1, kRow, kEnd };
// kTooLarge.
Result<Bytes> EncodeBackupItem(BackupItem type, ByteSpan bytes);

class BackupReader {
 public:
  struct Sink {
    std::function<Status(BackupHeader)> header;
    std::function<Status(const ByteArray<32>& id, ByteSpan sealed)> row;
    std::function<Status(BackupEnd)> end;  // its digest and number of rows were right
  };
  explicit BackupReader(Sink sink);
  BackupReader(const BackupReader&) = delete;
  BackupReader& operator=(const BackupReader&) = delete;
  ~BackupReader();

  // kBackupDamaged, with where; kStoreNewer for a later format; what the sink says.
  Status Take(ByteSpan bytes);
  // kBackupDamaged if the end did not come.
  Status Finish() const;

 private:
  enum class Expect : uint8_t { kMagic, kHeader, kRows, kNothing };
  Status TakeMagic();
  Status TakeItem(BackupItem type, ByteSpan bytes);
  Status TakeEnd(ByteSpan bytes);
  Error Damaged(std::string what) const;

  const Sink sink_;
  Expect expect_ = Expect::kMagic;
  Bytes buffer_;
  uint64_t offset_ = 0;  // of the buffer in the file
  uint64_t rows_ = 0;
  Hasher digest_;
};

}  // namespace keyclave::wire
