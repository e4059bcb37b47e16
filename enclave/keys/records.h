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

// Format 1, of rows and of heads, is from before there were generations: it is of the first one,
// and still opened.
inline constexpr uint8_t kRowFormat = 2;
inline constexpr uint8_t kHeadFormat = 2;
inline constexpr uint8_t kFirstHeadFormat = 1;
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
  // Of the root secret, that seals the row: in clear before the header, and authenticated with it.
  uint32_t generation = kFirstGeneration;
};
Bytes EncodeRowHeader(const RowHeader& header);
Result<RowHeader> ParseRowHeader(ByteSpan bytes);  // kTruncated, kTrailingBytes, kMalformed

Bytes PadBody(ByteSpan body);
Result<Bytes> UnpadBody(ByteSpan padded);

// Stands for a row in the head's digest: under a head of format 2 the first half of the SHA-256 of
// the row as it lies, under one of format 1 the AEAD tag of its body. (A tag says nothing to
// somebody who has the key, as a member has who was removed.)
using RowTag = ByteArray<16>;
Result<RowTag> TagOf(ByteSpan sealed_row, uint8_t head_format = kHeadFormat);  // kTruncated

struct OpenedRow {
  RowHeader header;
  Bytes body;
};

// Seals and opens rows. Keeps each token's key, so that a row costs two derivations.
class RowSealer {
 public:
  explicit RowSealer(const KeyGenerations& keys)
      : keys_(keys), row_id_key_(keys.names().RowIdKey()) {}

  store::RowId IdOf(const RecordKey& key) const;
  Result<Bytes> Seal(const store::RowId& row, const RowHeader& header, ByteSpan body);
  // kSealFailed, also for a generation that is not there or seals nothing any more; kStoreNewer for
  // a row format above ours.
  Result<OpenedRow> Open(const store::RowId& row, ByteSpan sealed);

 private:
  using Generation = KeyGenerations::Generation;
  SecretBytes RecordKeyOf(const Generation& generation, const RowHeader& header,
                          const store::RowId& row) KC_EXCLUDES(mutex_);

  const KeyGenerations& keys_;
  const SecretBytes row_id_key_;
  Mutex mutex_;
  // By the serial of the generation, and token.
  std::map<std::pair<uint64_t, ByteArray<16>>, SecretBytes> token_keys_ KC_GUARDED_BY(mutex_);
};

struct Head {
  uint64_t epoch = 0;
  uint64_t rows = 0;  // live ones and tombstones
  ByteArray<32> digest{};
  uint32_t generation = kFirstGeneration;  // of the root secret, that seals what is written now
  uint8_t format = kHeadFormat;            // as it was read: TagOf
};
// In the newest format. kInternal for a generation that is not there.
Result<Bytes> SealHead(const KeyGenerations& keys, const Head& head);
// kStoreForeign if it names another enclave, kStoreNewer, kStoreRolledBack (of a generation that
// seals nothing any more), kStoreCorrupt.
Result<Head> OpenHead(const KeyGenerations& keys, ByteSpan sealed);
// The generation that a head says it is of, before anything is believed. As OpenHead.
Result<uint32_t> GenerationOfHead(const KeyGenerations& keys, ByteSpan sealed);

// A mark with its HMAC: kMarkSize bytes. Parse: kTruncated, kTrailingBytes, kMalformed,
// kSealFailed.
struct CountedMark {
  Witness::Mark mark;
  uint64_t count = 0;  // of the platform's counter; 0 where there is none
};
Bytes EncodeMark(const SecretBytes& witness_key, const CountedMark& counted);
Result<CountedMark> ParseMark(const SecretBytes& witness_key, ByteSpan bytes);

}  // namespace keyclave::keys
