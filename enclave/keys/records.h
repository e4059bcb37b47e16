// The bytes of sealed rows, of the head and of the witness's marks (docs/storage.md has them as
// tables).
//
// A row that opened is the one that was sealed under this row id: its header and body were made
// together, for this token, id, type, version and policy digest, and its body is not another
// version's.
#pragma once

#include <map>

#include "enclave/keys/key_schedule.h"
#include "enclave/keys/vault.h"

namespace keyclave::keys {

inline constexpr uint8_t kRowFormat = 1;
inline constexpr uint8_t kHeadFormat = 1;
inline constexpr uint8_t kMarkFormat = 2;
inline constexpr size_t kMaxBody = size_t{8} << 20;  // bytes
// Bodies are padded to a multiple of this, so that a row's size says little about what is in it.
inline constexpr size_t kBodyBlock = 256;
inline constexpr size_t kMarkSize = 88;  // bytes of a mark with its HMAC

// What a row's body is sealed with. For a tombstone `key.type` is the type of what was removed.
struct RowHeader {
  RecordKey key;
  bool tombstone = false;
  uint64_t version = 0;
  ByteArray<32> policy_digest{};
};
Bytes EncodeRowHeader(const RowHeader& header);
Result<RowHeader> ParseRowHeader(ByteSpan bytes);  // kTruncated, kTrailingBytes, kMalformed

Bytes PadBody(ByteSpan body);
Result<Bytes> UnpadBody(ByteSpan padded);

using RowTag = ByteArray<16>;  // the AEAD tag of the body: stands for the row in the head's digest
struct OpenedRow {
  RowHeader header;
  Bytes body;
  RowTag tag{};
};

// Seals and opens rows. Keeps each token's key, so that a row costs two derivations.
class RowSealer {
 public:
  explicit RowSealer(const KeySchedule& keys) : keys_(keys), row_id_key_(keys.RowIdKey()) {}

  store::RowId IdOf(const RecordKey& key) const;
  Result<Bytes> Seal(const store::RowId& row, const RowHeader& header, ByteSpan body);
  // kSealFailed; kStoreNewer for a row format above ours.
  Result<OpenedRow> Open(const store::RowId& row, ByteSpan sealed);

 private:
  SecretBytes RecordKeyOf(const ByteArray<16>& token, const store::RowId& row, uint64_t version)
      KC_EXCLUDES(mutex_);

  const KeySchedule& keys_;
  const SecretBytes row_id_key_;
  Mutex mutex_;
  std::map<ByteArray<16>, SecretBytes> token_keys_ KC_GUARDED_BY(mutex_);
};
// The last bytes of a sealed row. kTruncated.
Result<RowTag> TagOf(ByteSpan sealed_row);

struct Head {
  uint64_t epoch = 0;
  uint64_t rows = 0;  // live ones and tombstones
  ByteArray<32> digest{};
};
Result<Bytes> SealHead(const KeySchedule& keys, const Head& head);
// kStoreForeign if it names another enclave, kStoreNewer, kStoreCorrupt.
Result<Head> OpenHead(const KeySchedule& keys, ByteSpan sealed);

// A mark with its HMAC: kMarkSize bytes. Parse: kTruncated, kTrailingBytes, kMalformed,
// kSealFailed.
struct CountedMark {
  Witness::Mark mark;
  uint64_t count = 0;  // of the platform's counter; 0 where there is none
};
Bytes EncodeMark(const SecretBytes& witness_key, const CountedMark& counted);
Result<CountedMark> ParseMark(const SecretBytes& witness_key, ByteSpan bytes);

}  // namespace keyclave::keys
